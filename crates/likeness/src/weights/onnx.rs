//! ONNX models: the part of the format that a convolutional network needs, read with prost.
//!
//! The messages are written here by hand (field numbers from the ONNX specification), so that no
//! `protoc` is needed. Initializers stay slices of the file. Nested messages are first split off as
//! byte slices and counted against limits, then decoded: a short file cannot grow to a large graph.

use std::collections::HashMap;

use prost::Message;
use prost::bytes::Bytes;

use super::{WeightError, WeightTensor};

/// Nodes or initializers that a graph may have.
const MOST: usize = 4096;
/// Inputs, outputs, attributes, dimensions or numbers that a node, attribute or tensor may have.
const MOST_PARTS: usize = 64;
/// ONNX's number for f32.
const FLOAT: i32 = 1;

#[derive(Clone, PartialEq, Message)]
struct ModelMessage {
    #[prost(bytes = "bytes", optional, tag = "7")]
    graph: Option<Bytes>,
    #[prost(message, repeated, tag = "8")]
    opset: Vec<OpsetMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct OpsetMessage {
    #[prost(string, tag = "1")]
    domain: String,
    #[prost(int64, tag = "2")]
    version: i64,
}

#[derive(Clone, PartialEq, Message)]
struct GraphMessage {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    node: Vec<Bytes>,
    #[prost(bytes = "bytes", repeated, tag = "5")]
    initializer: Vec<Bytes>,
    #[prost(bytes = "bytes", repeated, tag = "12")]
    output: Vec<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
struct NodeMessage {
    #[prost(string, repeated, tag = "1")]
    input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    output: Vec<String>,
    #[prost(string, tag = "4")]
    op_type: String,
    #[prost(message, repeated, tag = "5")]
    attribute: Vec<AttributeMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct AttributeMessage {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(float, tag = "2")]
    f: f32,
    #[prost(int64, tag = "3")]
    i: i64,
    #[prost(int64, repeated, tag = "8")]
    ints: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
struct TensorMessage {
    #[prost(int64, repeated, tag = "1")]
    dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    data_type: i32,
    #[prost(string, tag = "8")]
    name: String,
    #[prost(bytes = "bytes", tag = "9")]
    raw_data: Bytes,
}

#[derive(Clone, PartialEq, Message)]
struct ValueMessage {
    #[prost(string, tag = "1")]
    name: String,
}

/// An operator of the graph.
#[derive(Debug, Clone)]
pub struct OnnxNode {
    /// The operator's name in ONNX.
    pub operator: String,
    /// Names of values and initializers.
    pub inputs: Vec<String>,
    /// Names of values.
    pub outputs: Vec<String>,
    attributes: Vec<AttributeMessage>,
}

impl OnnxNode {
    /// An attribute that is a list of integers; empty where absent.
    #[must_use]
    pub fn integers(&self, name: &str) -> &[i64] {
        self.attribute(name).map_or(&[], |attribute| &attribute.ints)
    }

    /// An attribute that is one integer.
    #[must_use]
    pub fn integer(&self, name: &str) -> Option<i64> {
        self.attribute(name).map(|attribute| attribute.i)
    }

    /// An attribute that is one f32.
    #[must_use]
    pub fn float(&self, name: &str) -> Option<f32> {
        self.attribute(name).map(|attribute| attribute.f)
    }

    /// The names of all attributes.
    pub fn attribute_names(&self) -> impl Iterator<Item = &str> {
        self.attributes.iter().map(|attribute| attribute.name.as_str())
    }

    fn attribute(&self, name: &str) -> Option<&AttributeMessage> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }
}

/// A model: its operators in file order, its initializers as slices of the file, its outputs' names.
#[derive(Debug)]
pub struct OnnxModel {
    /// Version of the default operator set.
    pub opset: i64,
    /// The operators, in file order.
    pub nodes: Vec<OnnxNode>,
    /// The names of the graph's outputs, in file order.
    pub outputs: Vec<String>,
    initializers: HashMap<String, TensorMessage>,
    file: Bytes,
}

impl OnnxModel {
    /// Reads a whole file, which the model keeps: its tensors are slices of it.
    ///
    /// # Errors
    /// [`WeightError::Malformed`], with the offset of the message that could not be read.
    pub fn read(file: Vec<u8>) -> Result<Self, WeightError> {
        let file = Bytes::from_owner(file);
        let model: ModelMessage = decode(&file, &file, "a model")?;
        let opset = model.opset.iter().find(|set| set.domain.is_empty()).map_or(0, |set| set.version);
        let graph = model.graph.ok_or_else(|| malformed(0, "a graph", "none"))?;
        let at = offset(&file, &graph);
        let graph: GraphMessage = decode(&file, &graph, "a graph")?;
        for (what, count) in [("nodes", graph.node.len()), ("initializers", graph.initializer.len())] {
            if count > MOST {
                return Err(malformed(at, &format!("at most {MOST} {what}"), &count.to_string()));
            }
        }
        let nodes = graph.node.iter().map(|bytes| node(&file, bytes)).collect::<Result<_, _>>()?;
        let outputs =
            graph.output.iter().take(MOST_PARTS).map(|bytes| output(&file, bytes)).collect::<Result<_, _>>()?;
        let initializers = initializers(&file, &graph.initializer)?;
        Ok(Self { opset, nodes, outputs, initializers, file })
    }

    /// The initializer of that name as f32.
    ///
    /// # Errors
    /// [`WeightError::Missing`], [`WeightError::Kind`].
    pub fn tensor(&self, name: &str) -> Result<WeightTensor<'_>, WeightError> {
        let Some(message) = self.initializers.get(name) else {
            return Err(WeightError::Missing { tensor: name.to_owned() });
        };
        let kind = |found| WeightError::Kind { tensor: name.to_owned(), found };
        if message.data_type != FLOAT {
            return Err(kind(format!("elements of ONNX type {}", message.data_type)));
        }
        let shape = message.dims.iter().map(|&n| usize::try_from(n).ok()).collect::<Option<Vec<_>>>();
        let shape = shape.ok_or_else(|| kind(format!("dimensions {:?}", message.dims)))?;
        let wrong = |_| kind(format!("{} raw bytes for shape {:?}", message.raw_data.len(), message.dims));
        WeightTensor::new(name, shape, &message.raw_data, offset(&self.file, &message.raw_data)).map_err(wrong)
    }

    /// The names of all initializers of f32.
    pub fn floats(&self) -> impl Iterator<Item = &str> {
        self.initializers.values().filter(|tensor| tensor.data_type == FLOAT).map(|tensor| tensor.name.as_str())
    }
}

fn node(file: &Bytes, bytes: &Bytes) -> Result<OnnxNode, WeightError> {
    let message: NodeMessage = decode(file, bytes, "a node")?;
    let longest = message.attribute.iter().map(|attribute| attribute.ints.len()).max().unwrap_or(0);
    let parts = [message.input.len(), message.output.len(), message.attribute.len(), longest];
    if let Some(count) = parts.into_iter().find(|&count| count > MOST_PARTS) {
        return Err(malformed(
            offset(file, bytes),
            &format!("at most {MOST_PARTS} parts of a node"),
            &count.to_string(),
        ));
    }
    Ok(OnnxNode {
        operator: message.op_type,
        inputs: message.input,
        outputs: message.output,
        attributes: message.attribute,
    })
}

fn output(file: &Bytes, bytes: &Bytes) -> Result<String, WeightError> {
    decode(file, bytes, "an output").map(|value: ValueMessage| value.name)
}

fn initializers(file: &Bytes, all: &[Bytes]) -> Result<HashMap<String, TensorMessage>, WeightError> {
    let mut initializers = HashMap::new();
    for bytes in all {
        let tensor: TensorMessage = decode(file, bytes, "a tensor")?;
        if tensor.dims.len() > MOST_PARTS {
            return Err(malformed(offset(file, bytes), "a tensor's dimensions", &tensor.dims.len().to_string()));
        }
        if let Some(twice) = initializers.insert(tensor.name.clone(), tensor) {
            return Err(malformed(offset(file, bytes), "each initializer once", &format!("{:?} twice", twice.name)));
        }
    }
    Ok(initializers)
}

fn decode<M: Message + Default>(file: &Bytes, bytes: &Bytes, what: &str) -> Result<M, WeightError> {
    M::decode(bytes.clone()).map_err(|error| malformed(offset(file, bytes), what, &error.to_string()))
}

/// Where a slice of the file begins.
fn offset(file: &Bytes, slice: &Bytes) -> usize {
    slice.as_ptr().addr().saturating_sub(file.as_ptr().addr())
}

fn malformed(at: usize, expected: &str, found: &str) -> WeightError {
    WeightError::Malformed { at, expected: expected.to_owned(), found: super::pickle::short(found).to_owned() }
}
