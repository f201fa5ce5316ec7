//! ONNX graphs as exporters write them.

use super::protobuf::Message;
use super::tensor::Tensor;

/// ONNX's numbers for element types and kinds of attributes.
const FLOAT: u64 = 1;
const INT64: u64 = 7;
const ATTRIBUTE_FLOAT: u64 = 1;
const ATTRIBUTE_INT: u64 = 2;
const ATTRIBUTE_TEXT: u64 = 3;
const ATTRIBUTE_TENSOR: u64 = 4;
const ATTRIBUTE_INTS: u64 = 7;

/// An attribute of an operator.
pub enum Attribute {
    /// One f32.
    Float(&'static str, f32),
    /// One integer.
    Int(&'static str, usize),
    /// Integers.
    Ints(&'static str, Vec<usize>),
    /// Text.
    Text(&'static str, &'static str),
    /// A tensor, in the attribute `value` of a constant.
    Value(Stored),
}

/// A tensor as a file has it.
pub struct Stored {
    name: String,
    kind: u64,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Stored {
    /// Numbers of f32.
    pub fn floats(tensor: &Tensor) -> Self {
        Self { name: tensor.name.clone(), kind: FLOAT, shape: tensor.shape.clone(), bytes: tensor.bytes() }
    }

    /// Integers of 64 bits.
    pub fn integers(name: impl Into<String>, shape: &[usize], all: &[i64]) -> Self {
        assert_eq!(shape.iter().product::<usize>(), all.len());
        let bytes = all.iter().flat_map(|n| n.to_le_bytes()).collect();
        Self { name: name.into(), kind: INT64, shape: shape.to_vec(), bytes }
    }

    fn message(&self) -> Message {
        let message = self.shape.iter().fold(Message::default(), |message, n| message.integer(1, *n as u64));
        message.integer(2, self.kind).bytes(8, &self.name).bytes(9, &self.bytes)
    }
}

/// The exporter that a file names as its origin.
pub struct Exporter {
    /// Its name and its version.
    pub name: [&'static str; 2],
    /// The format's version.
    pub format: u64,
    /// The operator set.
    pub operators: u64,
    /// Whether the graph's inputs also list the initializers.
    pub lists_weights: bool,
}

/// PyTorch 1.2, with which CenterFace was exported.
pub const PYTORCH_1_2: Exporter = Exporter { name: ["pytorch", "1.2"], format: 4, operators: 9, lists_weights: true };

/// A graph in the making. Values are named by numbers, as PyTorch names them.
pub struct Graph {
    nodes: Vec<Message>,
    operators: Vec<String>,
    tensors: Vec<Stored>,
    next: usize,
}

impl Graph {
    /// An empty graph whose first value will have this number.
    pub fn starting_at(next: usize) -> Self {
        Self { nodes: Vec::new(), operators: Vec::new(), tensors: Vec::new(), next }
    }

    /// Adds an initializer; its name. PyTorch's counters of batches are scalars, and integers.
    pub fn tensor(&mut self, tensor: Tensor) -> String {
        let counter = tensor.shape.is_empty();
        self.store(if counter {
            Stored::integers(tensor.name, &[], &[tensor.values[0] as i64])
        } else {
            Stored::floats(&tensor)
        })
    }

    /// Adds an initializer; its name.
    pub fn store(&mut self, tensor: Stored) -> String {
        let name = tensor.name.clone();
        self.tensors.push(tensor);
        name
    }

    /// Adds an operator on these values and initializers; its output's name.
    pub fn node(&mut self, operator: &str, inputs: &[&str], attributes: Vec<Attribute>) -> String {
        let output = self.next.to_string();
        self.next += 1;
        self.operators.push(operator.to_owned());
        let mut node = inputs.iter().fold(Message::default(), |node, input| node.bytes(1, input));
        node = node.bytes(2, &output).bytes(4, operator);
        self.nodes.push(attributes.iter().fold(node, |node, attribute| node.message(5, attribute.message())));
        output
    }

    /// Returns the number of nodes of each operator, and of initializers of f32 and of integers.
    pub fn counts(&self) -> String {
        let mut counts = std::collections::BTreeMap::new();
        for operator in &self.operators {
            *counts.entry(operator.as_str()).or_insert(0) += 1;
        }
        let kind = |kind| self.tensors.iter().filter(|tensor| tensor.kind == kind).count();
        let operators: Vec<_> = counts.iter().map(|(operator, count)| format!("{operator}={count}")).collect();
        format!("{} f32 {} i64 {}", operators.join(" "), kind(FLOAT), kind(INT64))
    }

    /// The file, with one input and these outputs, each with its shape; 0 leaves a dimension open.
    pub fn finish(self, exporter: &Exporter, input: (&str, &[usize]), outputs: &[(&str, &[usize])]) -> Vec<u8> {
        let mut graph = self.nodes.into_iter().fold(Message::default(), |graph, node| graph.message(1, node));
        graph = graph.bytes(2, "torch-jit-export");
        for tensor in &self.tensors {
            graph = graph.message(5, tensor.message());
        }
        graph = graph.message(11, value(input.0, FLOAT, input.1));
        for tensor in self.tensors.iter().filter(|_| exporter.lists_weights) {
            graph = graph.message(11, value(&tensor.name, tensor.kind, &tensor.shape));
        }
        for (name, shape) in outputs {
            graph = graph.message(12, value(name, FLOAT, shape));
        }
        let [name, version] = exporter.name;
        let model = Message::default().integer(1, exporter.format).bytes(2, name).bytes(3, version);
        model.message(7, graph).message(8, Message::default().integer(2, exporter.operators)).finish()
    }
}

impl Attribute {
    fn message(&self) -> Message {
        let named = |name: &str| Message::default().bytes(1, name);
        match self {
            Self::Float(name, value) => named(name).float(2, *value).integer(20, ATTRIBUTE_FLOAT),
            Self::Int(name, value) => named(name).integer(3, *value as u64).integer(20, ATTRIBUTE_INT),
            Self::Ints(name, values) => {
                let message = values.iter().fold(named(name), |message, value| message.integer(8, *value as u64));
                message.integer(20, ATTRIBUTE_INTS)
            }
            Self::Text(name, text) => named(name).bytes(4, text).integer(20, ATTRIBUTE_TEXT),
            Self::Value(tensor) => named("value").message(5, tensor.message()).integer(20, ATTRIBUTE_TENSOR),
        }
    }
}

/// A named value with its element type and shape.
fn value(name: &str, kind: u64, shape: &[usize]) -> Message {
    let dimension = |n: &usize| match n {
        0 => Message::default().bytes(2, "n"),
        n => Message::default().integer(1, *n as u64),
    };
    let shape = shape.iter().fold(Message::default(), |all, n| all.message(1, dimension(n)));
    let tensor = Message::default().integer(1, kind).message(2, shape);
    Message::default().bytes(1, name).message(2, Message::default().message(1, tensor))
}
