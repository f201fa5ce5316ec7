//! Parses YAML to nodes with line numbers, within limits.
//!
//! An external parser produces events, and this file builds the tree from them: a finding needs line numbers,
//! and a hostile file must not grow in memory. Bytes, depth and nodes are limited, and an alias counts as
//! many nodes as it refers to. Merge keys (`<<`) are applied.

use std::collections::{HashMap, HashSet};
use std::fmt;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use crate::bounds::DEPLOYMENT;

/// The largest depth of nesting.
pub const MAX_DEPTH: usize = 64;
/// The largest number of nodes of all documents, including those behind aliases. A long text counts as
/// several nodes.
pub const MAX_NODES: usize = 100_000;

/// A value and the line where it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// From 1.
    pub line: usize,
    /// The value.
    pub value: Value,
}

/// The value of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Text; text without quotes may mean a number, a truth value or null.
    Scalar {
        /// The text.
        text: String,
        /// Whether the value is written without quotes.
        plain: bool,
    },
    /// A sequence.
    List(Vec<Node>),
    /// A mapping in file order; no key is repeated.
    Map(Vec<(Key, Node)>),
}

/// A key and its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// From 1.
    pub line: usize,
    /// The key.
    pub text: String,
}

/// The line that can't be parsed, and the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadYaml {
    /// From 1.
    pub line: usize,
    /// The reason.
    pub what: String,
}

impl fmt::Display for BadYaml {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for BadYaml {}

impl Node {
    /// Returns the value of a key.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|(_, node)| node)
    }

    /// Returns a key with its value; the key has its own line.
    pub fn entry(&self, key: &str) -> Option<(&Key, &Self)> {
        self.entries().iter().find(|(known, _)| known.text == key).map(|(key, node)| (key, node))
    }

    /// Returns the value at the end of a path of keys.
    pub fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    /// Returns all keys and values; none if this is no mapping.
    pub fn entries(&self) -> &[(Key, Self)] {
        if let Value::Map(entries) = &self.value { entries } else { &[] }
    }

    /// Returns all items; none if this is no sequence.
    pub fn items(&self) -> &[Self] {
        if let Value::List(items) = &self.value { items } else { &[] }
    }

    /// Returns the text; `None` if this is no scalar, or null.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, plain } if !(*plain && matches!(text.as_str(), "" | "~" | "null")) => Some(text),
            _ => None,
        }
    }

    /// Parses a truth value.
    pub fn truth(&self) -> Option<bool> {
        match self.text()?.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" => Some(true),
            "false" | "no" | "off" => Some(false),
            _ => None,
        }
    }
}

/// Parses every document of a file.
///
/// # Errors
/// [`BadYaml`] if the text is no YAML, exceeds a limit, repeats a key, or has a key that is no text.
pub fn read(text: &str) -> Result<Vec<Node>, BadYaml> {
    if text.len() as u64 > DEPLOYMENT {
        return Err(BadYaml { line: 1, what: format!("longer than {DEPLOYMENT} bytes") });
    }
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, span) =
            event.map_err(|error| BadYaml { line: error.marker().line(), what: error.info().to_owned() })?;
        builder.take(event, span)?;
    }
    Ok(builder.documents)
}

#[derive(Default)]
struct Builder {
    documents: Vec<Node>,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

/// A collection that is not closed yet.
struct Open {
    node: Node,
    anchor: usize,
    key: Option<Key>,
    known: HashSet<String>,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), BadYaml> {
        let line = span.start.line();
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let value = Value::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain };
                let node = Node { line, value };
                self.count(line, measure(&node).0)?;
                self.place(node, anchor)
            }
            Event::SequenceStart(anchor, _) => self.open(line, Value::List(Vec::new()), anchor),
            Event::MappingStart(anchor, _) => self.open(line, Value::Map(Vec::new()), anchor),
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(anchor) => self.alias(line, anchor),
            Event::DocumentStart(_) => {
                self.anchors.clear();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn count(&mut self, line: usize, more: usize) -> Result<(), BadYaml> {
        self.nodes += more;
        if self.nodes > MAX_NODES {
            return Err(BadYaml {
                line,
                what: format!("more than {MAX_NODES} values, counting what aliases stand for"),
            });
        }
        Ok(())
    }

    fn too_deep(line: usize) -> BadYaml {
        BadYaml { line, what: format!("nested deeper than {MAX_DEPTH}") }
    }

    fn open(&mut self, line: usize, value: Value, anchor: usize) -> Result<(), BadYaml> {
        self.count(line, 1)?;
        if self.open.len() >= MAX_DEPTH {
            return Err(Self::too_deep(line));
        }
        self.open.push(Open { node: Node { line, value }, anchor, key: None, known: HashSet::new() });
        Ok(())
    }

    fn close(&mut self) -> Result<(), BadYaml> {
        let Some(mut done) = self.open.pop() else { return Ok(()) };
        if let Value::Map(entries) = &mut done.node.value {
            let extra = merge(entries, &mut done.known);
            self.count(done.node.line, extra)?;
        }
        self.place(done.node, done.anchor)
    }

    fn alias(&mut self, line: usize, anchor: usize) -> Result<(), BadYaml> {
        let Some(node) = self.anchors.get(&anchor) else {
            return Err(BadYaml { line, what: "an alias to something that is not finished".into() });
        };
        let (nodes, depth) = measure(node);
        if self.open.len() + depth > MAX_DEPTH {
            return Err(Self::too_deep(line));
        }
        let node = node.clone();
        self.count(line, nodes)?;
        self.place(node, 0)
    }

    fn place(&mut self, node: Node, anchor: usize) -> Result<(), BadYaml> {
        if anchor != 0 {
            self.count(node.line, measure(&node).0)?;
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.documents.push(node);
            return Ok(());
        };
        match (&mut open.node.value, open.key.take()) {
            (Value::List(items), _) => items.push(node),
            (Value::Map(entries), Some(key)) => {
                if key.text != "<<" && !open.known.insert(key.text.clone()) {
                    return Err(BadYaml { line: key.line, what: format!("the key {:?} is here twice", key.text) });
                }
                entries.push((key, node));
            }
            (Value::Map(_), None) => match node.value {
                Value::Scalar { text, .. } => open.key = Some(Key { line: node.line, text }),
                _ => return Err(BadYaml { line: node.line, what: "expected text as a key".into() }),
            },
            (Value::Scalar { .. }, _) => {}
        }
        Ok(())
    }
}

/// Returns the number of nodes, and their depth.
fn measure(node: &Node) -> (usize, usize) {
    let children: Box<dyn Iterator<Item = &Node>> = match &node.value {
        Value::Scalar { text, .. } => return (1 + text.len() / 64, 0),
        Value::List(items) => Box::new(items.iter()),
        Value::Map(entries) => Box::new(entries.iter().map(|(_, node)| node)),
    };
    let (nodes, depth) = children.map(measure).fold((0, 0), |all, one| (all.0 + one.0, all.1.max(one.1)));
    (nodes + 1, depth + 1)
}

/// Applies `<<`: adds keys of the merged mappings that the mapping itself does not have. Returns the number
/// of added nodes.
fn merge(entries: &mut Vec<(Key, Node)>, known: &mut HashSet<String>) -> usize {
    let mut merged = Vec::new();
    entries.retain_mut(|(key, node)| {
        if key.text == "<<" {
            merged.push(std::mem::replace(&mut node.value, Value::List(Vec::new())));
        }
        key.text != "<<"
    });
    let maps = merged.into_iter().flat_map(|value| match value {
        Value::List(items) => items.into_iter().map(|item| item.value).collect(),
        value => vec![value],
    });
    let mut extra = 0;
    for map in maps {
        let Value::Map(more) = map else { continue };
        for (key, node) in more {
            if known.insert(key.text.clone()) {
                extra += measure(&node).0;
                entries.push((key, node));
            }
        }
    }
    extra
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_aliases_and_merge_keys_are_kept() {
        let text = "x-base: &base\n  user: \"100:101\"\n  read_only: true\nservices:\n  app:\n    <<: *base\n    read_only: false\n---\nkind: Pod\n";
        let documents = read(text).expect("YAML");
        let app = documents[0].at(&["services", "app"]).expect("app");
        assert_eq!(
            (app.get("user").map(|user| user.line), app.get("read_only").and_then(Node::truth)),
            (Some(2), Some(false))
        );
        assert_eq!(documents[1].get("kind").and_then(Node::text), Some("Pod"));
    }

    #[test]
    fn a_hostile_file_is_refused_and_not_expanded() {
        let levels = (1..12).map(|at| format!("a{at}: &a{at} [{}]\n", vec![format!("*a{}", at - 1); 9].join(",")));
        let bomb = format!("a0: &a0 [x]\n{}", levels.collect::<String>());
        let chain = (1..100).map(|at| format!("b{at}: &b{at} [*b{}]\n", at - 1)).collect::<String>();
        let merges = (1..40).map(|at| format!("m{at}: &m{at} {{<<: [*m{0}, *m{0}], k{at}: *m{0}}}\n", at - 1));
        let rows = [
            ("alias bomb", bomb, "more than"),
            ("merge bomb", format!("m0: &m0 {{k: v}}\n{}", merges.collect::<String>()), "more than"),
            ("deep alias chain", format!("b0: &b0 [x]\n{chain}"), "nested deeper"),
            (
                "long text by alias",
                format!("a: &a {}\nb: [{}]", "x".repeat(500_000), vec!["*a"; 1000].join(",")),
                "more than",
            ),
            ("deep brackets", "[".repeat(100_000), "recursion limit"),
            ("brackets", "[".repeat(100), "nested deeper"),
            ("deep mappings", (0..200).map(|at| format!("{}k:\n", " ".repeat(at))).collect(), "nested deeper"),
            ("long", "x".repeat(2 << 20), "longer than"),
            ("alias to itself", "a: &a [*a]".into(), "not finished"),
            ("unknown alias", "a: *b".into(), "nchor"),
            ("a key twice", "a: 1\nb: 2\na: 3\n".into(), "line 3: the key \"a\" is here twice"),
            ("a list as a key", "? [a]\n: b\n".into(), "expected text as a key"),
            ("no YAML", "a: [1, 2\nb: }".into(), "line 2"),
        ];
        let wrong: Vec<_> = rows
            .iter()
            .filter_map(|(name, text, says)| match read(text) {
                Err(error) if error.to_string().contains(says) => None,
                other => Some(format!("{name}: {:?}", other.map(|documents| documents.len()))),
            })
            .collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
