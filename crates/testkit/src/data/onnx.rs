//! An ONNX graph as PyTorch 1.2 exports it: IR 4, operator set 9, initializers listed as inputs too.

use super::protobuf::Message;
use super::tensor::Tensor;

/// ONNX's numbers for element types and kinds of attributes.
const FLOAT: u64 = 1;
const INT64: u64 = 7;
const ATTRIBUTE_FLOAT: u64 = 1;
const ATTRIBUTE_INT: u64 = 2;
const ATTRIBUTE_INTS: u64 = 7;

/// An attribute of an operator.
pub enum Attribute {
    /// One f32.
    Float(&'static str, f32),
    /// One integer.
    Int(&'static str, usize),
    /// Integers.
    Ints(&'static str, Vec<usize>),
}

/// A graph in the making. Values are named by numbers, as PyTorch names them.
pub struct Graph {
    nodes: Vec<Message>,
    tensors: Vec<Tensor>,
    next: usize,
}

impl Graph {
    /// An empty graph whose first value will have this number.
    pub fn starting_at(next: usize) -> Self {
        Self { nodes: Vec::new(), tensors: Vec::new(), next }
    }

    /// Adds an initializer; its name.
    pub fn tensor(&mut self, tensor: Tensor) -> String {
        let name = tensor.name.clone();
        self.tensors.push(tensor);
        name
    }

    /// Adds an operator on these values and initializers; its output's name.
    pub fn node(&mut self, operator: &str, inputs: &[&str], attributes: Vec<Attribute>) -> String {
        let output = self.next.to_string();
        self.next += 1;
        let mut node = inputs.iter().fold(Message::default(), |node, input| node.bytes(1, input));
        node = node.bytes(2, &output).bytes(4, operator);
        self.nodes.push(attributes.iter().fold(node, |node, attribute| node.message(5, attribute.message())));
        output
    }

    /// The file, with one input and these outputs, each with its fixed shape.
    pub fn finish(self, input: (&str, &[usize]), outputs: &[(&str, &[usize])]) -> Vec<u8> {
        let mut graph = self.nodes.into_iter().fold(Message::default(), |graph, node| graph.message(1, node));
        graph = graph.bytes(2, "torch-jit-export");
        for tensor in &self.tensors {
            graph = graph.message(5, initializer(tensor));
        }
        graph = graph.message(11, value(input.0, FLOAT, input.1));
        for tensor in &self.tensors {
            graph = graph.message(11, value(&tensor.name, kind(tensor), &tensor.shape));
        }
        for (name, shape) in outputs {
            graph = graph.message(12, value(name, FLOAT, shape));
        }
        let model = Message::default().integer(1, 4).bytes(2, "pytorch").bytes(3, "1.2");
        model.message(7, graph).message(8, Message::default().integer(2, 9)).finish()
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
        }
    }
}

/// PyTorch's counters of batches are the only scalars, and the only integers.
fn kind(tensor: &Tensor) -> u64 {
    if tensor.shape.is_empty() { INT64 } else { FLOAT }
}

fn initializer(tensor: &Tensor) -> Message {
    let message = tensor.shape.iter().fold(Message::default(), |message, n| message.integer(1, *n as u64));
    let message = message.integer(2, kind(tensor)).bytes(8, &tensor.name);
    match kind(tensor) {
        INT64 => message.bytes(9, (tensor.values[0] as i64).to_le_bytes()),
        _ => message.bytes(9, tensor.bytes()),
    }
}

/// A named value with its element type and shape.
fn value(name: &str, kind: u64, shape: &[usize]) -> Message {
    let dimension = |n: &usize| Message::default().integer(1, *n as u64);
    let shape = shape.iter().fold(Message::default(), |all, n| all.message(1, dimension(n)));
    let tensor = Message::default().integer(1, kind).message(2, shape);
    Message::default().bytes(1, name).message(2, Message::default().message(1, tensor))
}
