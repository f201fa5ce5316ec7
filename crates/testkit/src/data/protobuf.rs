//! Protobuf messages, written field by field.

/// A message.
#[derive(Default)]
pub struct Message(Vec<u8>);

impl Message {
    fn varint(mut self, mut value: u64) -> Self {
        while value > 127 {
            self.0.push(value as u8 | 128);
            value >>= 7;
        }
        self.0.push(value as u8);
        self
    }

    /// A field that holds an integer.
    pub fn integer(self, tag: u64, value: u64) -> Self {
        self.varint(tag << 3).varint(value)
    }

    /// A field that holds an f32.
    pub fn float(self, tag: u64, value: f32) -> Self {
        let mut message = self.varint(tag << 3 | 5);
        message.0.extend(value.to_le_bytes());
        message
    }

    /// A field that holds bytes or text.
    pub fn bytes(self, tag: u64, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref();
        let mut message = self.varint(tag << 3 | 2).varint(value.len() as u64);
        message.0.extend(value);
        message
    }

    /// A field that holds a message.
    pub fn message(self, tag: u64, value: Self) -> Self {
        self.bytes(tag, value.0)
    }

    /// What was written.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}
