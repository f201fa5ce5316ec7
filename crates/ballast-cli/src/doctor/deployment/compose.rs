//! Reads the services of a compose file. Variables are replaced as if none were set in the environment of
//! compose.

use super::service::{At, Capabilities, Health, Mount, MountKind, Platform, Service, UserField, Variable};
use super::text::{duration, interpolate, size};
use super::yaml::{Key, Node, Value};

/// Returns the services of a document.
pub fn services(document: &Node) -> Vec<Service> {
    let services = document.get("services").map(Node::entries).unwrap_or_default();
    let volumes = document.get("volumes").map(Node::entries).unwrap_or_default();
    let mut all: Vec<_> = services.iter().map(|(key, node)| service(key, node, volumes)).collect();
    if let (Some((key, _)), Some(first)) = (document.entry("include"), all.first_mut()) {
        first.elsewhere.push(At { line: key.line, value: "include".into() });
    }
    all
}

/// Keys that add mounts or a container which the file does not describe.
const UNREAD: [&str; 3] = ["volumes_from", "provider", "models"];

fn service(key: &Key, node: &Node, volumes: &[(Key, Node)]) -> Service {
    let limits = node.at(&["deploy", "resources", "limits", "memory"]);
    let built = node.get("build").is_some();
    Service {
        platform: Platform::Compose,
        name: key.text.clone(),
        line: key.line,
        image: node.get("image").filter(|_| !built).and_then(text),
        user: node.get("user").and_then(user),
        read_only_root: node.get("read_only").and_then(Node::truth) == Some(true),
        caps: capabilities(node),
        no_new_privs: node.get("security_opt").is_some_and(no_new_privs),
        mounts: mounts(node, volumes),
        memory: node.get("mem_limit").or(limits).and_then(bytes),
        env: node.get("environment").map(environment).unwrap_or_default(),
        env_elsewhere: node.get("env_file").is_some(),
        entry: node.get("entrypoint").map(words),
        args: node.get("command").filter(|node| !is_nothing(node)).map(words),
        health: node.entry("healthcheck").map(|(key, node)| At { line: key.line, value: health(node) }),
        health_budget: node.get("healthcheck").and_then(health_budget),
        health_timeout: node.get("healthcheck").and_then(|check| seconds(check, "timeout", 30)),
        liveness: None,
        start_budgets: Vec::new(),
        ephemeral: None,
        init: false,
        ends: false,
        fs_group: None,
        non_root: None,
        elsewhere: keys(node, &["extends"]),
        unread: keys(node, &UNREAD),
    }
}

/// Returns which of these keys the node contains.
fn keys(node: &Node, names: &[&str]) -> Vec<At<String>> {
    let there = names.iter().filter_map(|name| node.entry(name));
    there.map(|(key, _)| At { line: key.line, value: key.text.clone() }).collect()
}

/// Returns a scalar's text with its variables replaced.
fn filled(node: &Node) -> Option<String> {
    node.text().map(|text| interpolate(text).filled)
}

fn text(node: &Node) -> Option<At<String>> {
    Some(At { line: node.line, value: filled(node)? })
}

fn bytes(node: &Node) -> Option<At<u64>> {
    Some(At { line: node.line, value: size(&filled(node)?, true)? })
}

fn is_nothing(node: &Node) -> bool {
    matches!(node.value, Value::Scalar { .. }) && node.text().is_none()
}

fn user(node: &Node) -> Option<At<UserField>> {
    let found = interpolate(node.text()?);
    let value = if found.known {
        let (uid, gid) = found.filled.split_once(':').map_or((found.filled.as_str(), None), |(u, g)| (u, Some(g)));
        let name = |part: &str| part.parse::<u32>().is_err() && part != "root";
        UserField {
            uid: if uid == "root" { Some(0) } else { uid.parse().ok() },
            gid: gid.and_then(|gid| if gid == "root" { Some(0) } else { gid.parse().ok() }),
            named: name(uid) || gid.is_some_and(name),
            text: Some(found.filled.clone()),
        }
    } else {
        UserField { uid: None, gid: None, named: false, text: None }
    };
    Some(At { line: node.line, value })
}

fn capabilities(node: &Node) -> Capabilities {
    let list = |key: &str| {
        let items = node.get(key).map(Node::items).unwrap_or_default();
        items.iter().filter_map(text).map(|cap| At { line: cap.line, value: capability(&cap.value) }).collect()
    };
    let privileged = node.get("privileged").filter(|node| node.truth() == Some(true)).map(|node| node.line);
    Capabilities { drop: list("cap_drop"), add: list("cap_add"), privileged }
}

/// Returns the capability's name in one form: `cap_chown` becomes `CHOWN`.
pub fn capability(text: &str) -> String {
    let upper = text.trim().to_ascii_uppercase();
    upper.strip_prefix("CAP_").map_or(upper.clone(), str::to_owned)
}

fn no_new_privs(options: &Node) -> bool {
    let on =
        |text: &str| matches!(text.trim(), "no-new-privileges" | "no-new-privileges:true" | "no-new-privileges=true");
    options.items().iter().filter_map(filled).any(|text| on(&text))
}

/// Reads a list or a string; a string is split at white space.
fn words(node: &Node) -> At<Vec<String>> {
    let value = match &node.value {
        Value::List(items) => items.iter().filter_map(filled).collect(),
        _ => filled(node).iter().flat_map(|text| text.split_whitespace()).map(str::to_owned).collect(),
    };
    At { line: node.line, value }
}

fn environment(node: &Node) -> Vec<Variable> {
    let from_list = node.items().iter().filter_map(|item| {
        let text = item.text()?;
        let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
        Some(variable(item.line, name, value))
    });
    let from_map = node.entries().iter().map(|(key, value)| {
        // A key without a value passes the variable of compose's own environment; empty quotes are an empty
        // value.
        let empty = matches!(&value.value, Value::Scalar { text, plain: false } if text.is_empty());
        variable(key.line, &key.text, value.text().or(empty.then_some("")))
    });
    from_list.chain(from_map).collect()
}

fn variable(line: usize, name: &str, value: Option<&str>) -> Variable {
    let Some(value) = value else {
        return Variable { line, name: name.into(), value: None, empty_without: Some(name.into()) };
    };
    let found = interpolate(value);
    Variable { line, name: name.into(), value: found.known.then_some(found.filled), empty_without: found.empty_without }
}

fn health(node: &Node) -> Health {
    if node.get("disable").and_then(Node::truth) == Some(true) {
        return Health::Disabled;
    }
    match node.get("test").map(words).map(|test| test.value.join(" ")) {
        Some(test) if test == "NONE" => Health::Disabled,
        Some(test) => Health::Command(test),
        // If the file has no `test`, the image's own health check is used.
        None => Health::OfImage,
    }
}

/// Returns the time until a container counts as unhealthy, in seconds, with the engine's defaults.
fn health_budget(node: &Node) -> Option<u64> {
    let retries = node.get("retries").and_then(filled).map_or(Some(3), |text| text.parse().ok())?;
    Some(seconds(node, "start_period", 0)?.saturating_add(seconds(node, "interval", 30)?.saturating_mul(retries)))
}

fn seconds(node: &Node, key: &str, default: u64) -> Option<u64> {
    node.get(key).and_then(filled).map_or(Some(default), |text| duration(&text))
}

fn mounts(node: &Node, named: &[(Key, Node)]) -> Vec<Mount> {
    let volumes = node.get("volumes").map(Node::items).unwrap_or_default().iter();
    let volumes =
        volumes.filter_map(|item| if item.entries().is_empty() { short(item, named) } else { long(item, named) });
    let tmpfs = node.get("tmpfs");
    let one = tmpfs.filter(|node| node.text().is_some()).into_iter();
    let many = tmpfs.map(Node::items).unwrap_or_default().iter();
    let config = ["configs", "secrets"].into_iter().filter_map(|key| node.get(key)).flat_map(Node::items);
    let config = config.filter_map(|item| {
        let target = filled(item.get("target")?)?;
        target.starts_with('/').then_some(Mount {
            line: item.line,
            target,
            kind: MountKind::Config,
            read_only: true,
            filled: false,
        })
    });
    volumes.chain(one.chain(many).filter_map(memory)).chain(config).collect()
}

/// Returns the size in the driver options of a named volume, as a tmpfs or a driver with quotas has it.
fn volume_size(name: &str, named: &[(Key, Node)]) -> Option<At<u64>> {
    let (_, volume) = named.iter().find(|(key, _)| key.text == name)?;
    let options = volume.get("driver_opts")?;
    let of = |node: &Node, text: &str| Some(At { line: node.line, value: size(text, true)? });
    if let Some(node) = options.get("size") {
        return of(node, &filled(node)?);
    }
    let node = options.get("o")?;
    let text = filled(node)?;
    of(node, text.split(',').find_map(|option| option.trim().strip_prefix("size="))?)
}

/// Reads a mount in the short form `SOURCE:TARGET:OPTIONS`, or only a target.
fn short(item: &Node, named: &[(Key, Node)]) -> Option<Mount> {
    let text = filled(item)?;
    let mut parts = text.split(':');
    let first = parts.next()?.to_owned();
    let (source, target) =
        parts.next().map_or((String::new(), first.clone()), |target| (first.clone(), target.to_owned()));
    let options: Vec<_> = parts.next().unwrap_or_default().split(',').collect();
    let host = source.starts_with(['/', '.', '~']);
    let volume = MountKind::Volume { no_copy: options.contains(&"nocopy"), size: volume_size(&source, named) };
    let kind = if host { MountKind::Host } else { volume };
    Some(Mount { line: item.line, target, kind, read_only: options.contains(&"ro"), filled: false })
}

fn long(item: &Node, named: &[(Key, Node)]) -> Option<Mount> {
    let target = filled(item.get("target")?)?;
    let number = |path: &[&str]| item.at(path).and_then(filled);
    let kind = match item.get("type").and_then(Node::text) {
        Some("bind") => MountKind::Host,
        Some("image") => MountKind::Image { reference: text(item.get("source")?)? },
        Some("tmpfs") => MountKind::Memory {
            size: number(&["tmpfs", "size"]).and_then(|text| size(&text, true)),
            mode: number(&["tmpfs", "mode"]).and_then(|text| mode(&text)),
            uid: None,
        },
        _ => MountKind::Volume {
            no_copy: item.at(&["volume", "nocopy"]).and_then(Node::truth) == Some(true),
            size: item.get("source").and_then(filled).and_then(|source| volume_size(&source, named)),
        },
    };
    let image = matches!(kind, MountKind::Image { .. });
    let read_only = image || item.get("read_only").and_then(Node::truth) == Some(true);
    Some(Mount { line: item.line, target, kind, read_only, filled: false })
}

/// Parses a mode in the long form, which is a YAML number: octal only if it begins with a zero.
fn mode(text: &str) -> Option<u32> {
    match text.strip_prefix("0o").or(text.strip_prefix('0')) {
        Some(octal) => u32::from_str_radix(octal, 8).ok(),
        None => text.parse().ok(),
    }
}

/// Reads a tmpfs such as `TARGET:size=64m,mode=1777,uid=100`.
fn memory(item: &Node) -> Option<Mount> {
    let text = filled(item)?;
    let (target, options) = text.split_once(':').unwrap_or((&text, ""));
    let option = |name: &str| {
        let all = options.split(',').filter_map(|option| option.split_once('='));
        all.filter(|(known, _)| *known == name).map(|(_, value)| value).next_back()
    };
    let kind = MountKind::Memory {
        size: option("size").and_then(|text| size(text, true)),
        mode: option("mode").and_then(|text| u32::from_str_radix(text, 8).ok()),
        uid: option("uid").and_then(|text| text.parse().ok()),
    };
    let read_only = options.split(',').any(|option| option == "ro");
    Some(Mount { line: item.line, target: target.to_owned(), kind, read_only, filled: false })
}
