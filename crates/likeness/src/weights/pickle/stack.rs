//! The machine's stack. Values below the last mark are out of reach, so that a mark is never above it.

use super::Machine;
use super::value::Value;
use crate::weights::WeightError;

impl<'a> Machine<'a> {
    pub(super) fn push(&mut self, value: Value<'a>) {
        self.stack.push(value);
    }

    pub(super) fn pop(&mut self) -> Result<Value<'a>, WeightError> {
        Ok(self.split(1)?[0])
    }

    pub(super) fn top(&self) -> Result<Value<'a>, WeightError> {
        match self.stack.last() {
            Some(&value) if self.stack.len() > self.floor() => Ok(value),
            _ => Err(self.cursor.wrong("a value on the stack", "none".to_owned())),
        }
    }

    /// Where the reachable values begin.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    /// Takes the top `length` values.
    pub(super) fn split(&mut self, length: usize) -> Result<Vec<Value<'a>>, WeightError> {
        let there = self.stack.len() - self.floor();
        if there < length {
            return Err(self.cursor.wrong(&format!("{length} values on the stack"), there.to_string()));
        }
        Ok(self.stack.split_off(self.stack.len() - length))
    }

    /// Takes all values above the last mark, and the mark.
    pub(super) fn marked(&mut self) -> Result<Vec<Value<'a>>, WeightError> {
        let Some(mark) = self.marks.pop() else {
            return Err(self.cursor.wrong("a mark on the stack", "none".to_owned()));
        };
        Ok(self.stack.split_off(mark))
    }
}
