//! A tensor on its way into a weight file.

/// A named tensor of f32, its numbers in row-major order.
#[derive(Debug, Clone)]
pub struct Tensor {
    /// Its name in the file.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its numbers.
    pub values: Vec<f32>,
}

impl Tensor {
    /// Checks that there are as many numbers as the shape has.
    pub fn new(name: impl Into<String>, shape: &[usize], values: Vec<f32>) -> Self {
        let name = name.into();
        assert_eq!(shape.iter().product::<usize>(), values.len(), "{name}: {shape:?}");
        Self { name, shape: shape.to_vec(), values }
    }

    /// The numbers as a little-endian file stores them.
    pub fn bytes(&self) -> Vec<u8> {
        self.values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }
}
