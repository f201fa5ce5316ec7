//! ONNX models: the part of the format that a convolutional network needs, read with prost.
//!
//! The message types are written by hand (field numbers from the ONNX specification), so that no
//! `protoc` is needed. Initializers stay slices of the file. Nested messages are first split off as
//! byte slices and counted against limits, then decoded: so a short file can't become a large graph.

use std::collections::HashMap;

use prost::Message;
use prost::bytes::Bytes;

use super::{WeightError, WeightTensor};

/// Nodes or initializers that a graph may have.
const MOST: usize = 4096;
/// Inputs, outputs, attributes, dimensions or numbers that a node, attribute or tensor may have.
const MOST_PARTS: usize = 64;
/// ONNX's numbers for f32 and for integers of 64 bits.
const FLOAT: i32 = 1;
const INT64: i32 = 7;

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
    #[prost(bytes = "bytes", repeated, tag = "11")]
    input: Vec<Bytes>,
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
    #[prost(string, tag = "7")]
    domain: String,
}

#[derive(Clone, PartialEq, Message)]
struct AttributeMessage {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(float, tag = "2")]
    f: f32,
    #[prost(int64, tag = "3")]
    i: i64,
    #[prost(bytes = "bytes", tag = "4")]
    s: Bytes,
    #[prost(bytes = "bytes", optional, tag = "5")]
    t: Option<Bytes>,
    #[prost(int64, repeated, tag = "8")]
    ints: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
struct TensorMessage {
    #[prost(int64, repeated, tag = "1")]
    dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    data_type: i32,
    /// Numbers in a row, as protobuf packs them.
    #[prost(bytes = "bytes", tag = "4")]
    float_data: Bytes,
    #[prost(int64, repeated, tag = "7")]
    int64_data: Vec<i64>,
    #[prost(string, tag = "8")]
    name: String,
    #[prost(bytes = "bytes", tag = "9")]
    raw_data: Bytes,
    #[prost(int32, tag = "14")]
    data_location: i32,
}

impl TensorMessage {
    fn bytes(&self) -> &Bytes {
        if self.raw_data.is_empty() { &self.float_data } else { &self.raw_data }
    }
}

#[derive(Clone, PartialEq, Message)]
struct ValueMessage {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(bytes = "bytes", tag = "2")]
    kind: Bytes,
}

#[derive(Clone, PartialEq, Message)]
struct KindMessage {
    #[prost(message, optional, tag = "1")]
    tensor: Option<ShapedMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct ShapedMessage {
    #[prost(message, optional, tag = "2")]
    shape: Option<ShapeMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct ShapeMessage {
    #[prost(message, repeated, tag = "1")]
    dim: Vec<DimensionMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct DimensionMessage {
    #[prost(int64, optional, tag = "1")]
    value: Option<i64>,
}

/// An input of the graph: its name and its dimensions, some of which may be unknown.
#[derive(Debug, Clone)]
pub struct OnnxInput {
    /// The name.
    pub name: String,
    /// The dimensions.
    pub shape: Vec<Option<i64>>,
}

/// An operator of the graph.
#[derive(Debug, Clone)]
pub struct OnnxNode {
    /// Its place in the file.
    pub number: usize,
    /// The operator's name in ONNX.
    pub operator: String,
    /// Names of values and initializers.
    pub inputs: Vec<String>,
    /// Names of values.
    pub outputs: Vec<String>,
    /// The operator's domain; empty for ONNX's own.
    pub domain: String,
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

    /// An attribute that is text; empty where absent.
    #[must_use]
    pub fn text(&self, name: &str) -> &[u8] {
        self.attribute(name).map_or(&[], |attribute| &attribute.s)
    }

    /// The names of all attributes.
    pub fn attribute_names(&self) -> impl Iterator<Item = &str> {
        self.attributes.iter().map(|attribute| attribute.name.as_str())
    }

    fn attribute(&self, name: &str) -> Option<&AttributeMessage> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }
}

/// A tensor of integers: dimensions and elements.
pub type OnnxIntegers = (Vec<usize>, Vec<i64>);

/// A model: its operators in file order, its initializers as slices of the file, its outputs' names.
#[derive(Debug)]
pub struct OnnxModel {
    /// Version of the default operator set.
    pub opset: i64,
    /// The operators, in file order.
    pub nodes: Vec<OnnxNode>,
    /// The graph's inputs that are not initializers, in file order.
    pub inputs: Vec<OnnxInput>,
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
        let numbered = graph.node.iter().enumerate();
        let nodes = numbered.map(|(number, bytes)| node(&file, number, bytes)).collect::<Result<Vec<_>, _>>()?;
        let outputs =
            graph.output.iter().take(MOST_PARTS).map(|bytes| output(&file, bytes)).collect::<Result<_, _>>()?;
        let mut initializers = initializers(&file, &graph.initializer)?;
        let nodes = without_constants(&file, nodes, &mut initializers)?;
        let named = graph.input.iter().take(MOST).map(|bytes| input(&file, bytes));
        let mut inputs = named.collect::<Result<Vec<_>, _>>()?;
        inputs.retain(|input| !initializers.contains_key(&input.name));
        Ok(Self { opset, nodes, inputs, outputs, initializers, file })
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
        if message.data_location != 0 {
            return Err(kind("elements in another file".to_owned()));
        }
        let bytes = message.bytes();
        let wrong = |_| kind(format!("{} raw bytes for shape {:?}", bytes.len(), message.dims));
        WeightTensor::new(name, shape, bytes, offset(&self.file, bytes)).map_err(wrong)
    }

    /// The initializer of that name, if its elements are integers of 64 bits.
    ///
    /// # Errors
    /// [`WeightError::Layer`]: the dimensions have another number of elements.
    pub fn integers(&self, name: &str) -> Result<Option<OnnxIntegers>, WeightError> {
        let Some(message) = self.initializers.get(name).filter(|message| message.data_type == INT64) else {
            return Ok(None);
        };
        let (whole, part) = message.raw_data.as_chunks::<8>();
        let raw = whole.iter().map(|eight| i64::from_le_bytes(*eight));
        let all = if message.raw_data.is_empty() { message.int64_data.clone() } else { raw.collect() };
        let dims = message.dims.iter().map(|n| usize::try_from(*n).ok()).collect::<Option<Vec<_>>>();
        let count = dims.as_ref().and_then(|dims| dims.iter().try_fold(1usize, |count, n| count.checked_mul(*n)));
        match dims {
            Some(dims) if count == Some(all.len()) && part.is_empty() => Ok(Some((dims, all))),
            _ => {
                let expected = format!("integers of shape {:?}", message.dims);
                Err(WeightError::Layer { layer: name.to_owned(), expected, found: all.len().to_string() })
            }
        }
    }

    /// Returns whether an initializer or a constant has that name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.initializers.contains_key(name)
    }

    /// The names of all initializers of f32.
    pub fn floats(&self) -> impl Iterator<Item = &str> {
        self.initializers.values().filter(|tensor| tensor.data_type == FLOAT).map(|tensor| tensor.name.as_str())
    }
}

fn node(file: &Bytes, number: usize, bytes: &Bytes) -> Result<OnnxNode, WeightError> {
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
        number,
        operator: message.op_type,
        inputs: message.input,
        outputs: message.output,
        domain: message.domain,
        attributes: message.attribute,
    })
}

/// Separates constants from the other nodes, and adds them to the initializers.
fn without_constants(
    file: &Bytes,
    nodes: Vec<OnnxNode>,
    initializers: &mut HashMap<String, TensorMessage>,
) -> Result<Vec<OnnxNode>, WeightError> {
    let (constants, others): (Vec<_>, Vec<_>) = nodes.into_iter().partition(|node| node.operator == "Constant");
    for node in constants {
        let value = node.attribute("value").and_then(|attribute| attribute.t.as_ref());
        let (Some(bytes), [name]) = (value, node.outputs.as_slice()) else {
            let found = node.attribute_names().collect::<Vec<_>>().join(", ");
            return Err(malformed(0, "a constant's one value", &format!("attributes {found}")));
        };
        let tensor = TensorMessage { name: name.clone(), ..decode(file, bytes, "a tensor")? };
        add(file, bytes, tensor, initializers)?;
    }
    Ok(others)
}

fn input(file: &Bytes, bytes: &Bytes) -> Result<OnnxInput, WeightError> {
    let value: ValueMessage = decode(file, bytes, "an input")?;
    let kind: KindMessage = decode(file, &value.kind, "an input's type")?;
    let shape = kind.tensor.and_then(|tensor| tensor.shape).map_or_else(Vec::new, |shape| shape.dim);
    let shape = shape.into_iter().take(MOST_PARTS).map(|dimension| dimension.value).collect();
    Ok(OnnxInput { name: value.name, shape })
}

fn output(file: &Bytes, bytes: &Bytes) -> Result<String, WeightError> {
    decode(file, bytes, "an output").map(|value: ValueMessage| value.name)
}

fn initializers(file: &Bytes, all: &[Bytes]) -> Result<HashMap<String, TensorMessage>, WeightError> {
    let mut initializers = HashMap::new();
    for bytes in all {
        add(file, bytes, decode(file, bytes, "a tensor")?, &mut initializers)?;
    }
    Ok(initializers)
}

fn add(
    file: &Bytes,
    bytes: &Bytes,
    tensor: TensorMessage,
    initializers: &mut HashMap<String, TensorMessage>,
) -> Result<(), WeightError> {
    if tensor.dims.len().max(tensor.int64_data.len()) > MOST_PARTS {
        return Err(malformed(offset(file, bytes), "a tensor's dimensions", &tensor.dims.len().to_string()));
    }
    match initializers.insert(tensor.name.clone(), tensor) {
        None => Ok(()),
        Some(twice) => Err(malformed(offset(file, bytes), "each initializer once", &format!("{:?} twice", twice.name))),
    }
}

fn decode<M: Message + Default>(file: &Bytes, bytes: &Bytes, what: &str) -> Result<M, WeightError> {
    M::decode(bytes.clone()).map_err(|error| malformed(offset(file, bytes), what, &error.to_string()))
}

/// Returns the offset of a slice in the file.
fn offset(file: &Bytes, slice: &Bytes) -> usize {
    slice.as_ptr().addr().saturating_sub(file.as_ptr().addr())
}

fn malformed(at: usize, expected: &str, found: &str) -> WeightError {
    WeightError::Malformed { at, expected: expected.to_owned(), found: super::error::short(found).to_owned() }
}
