//! Hexadecimal digits of bytes, and bytes of such digits. Touches nothing.

/// Returns bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Parses exactly as many hexadecimal digits as the bytes need, in either case. If the result is `None`, the bytes may
/// be partly written.
pub fn unhex(text: &str, into: &mut [u8]) -> Option<()> {
    if text.len() != 2 * into.len() || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, at) in into.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_read_as_they_are_written_and_nothing_else_is() {
        let bytes: Vec<u8> = (0..=255).collect();
        let (text, mut back) = (hex(&bytes), vec![0; 256]);
        assert_eq!((unhex(&text, &mut back), &back), (Some(()), &bytes));
        assert_eq!((unhex(&text.to_uppercase(), &mut back), &back), (Some(()), &bytes));
        let table = ["", "0", "000", "+0", " 0", "0g", "0x", "é"];
        let read: Vec<_> = table.iter().filter(|text| unhex(text, &mut [0; 1]).is_some()).collect();
        assert!(read.is_empty(), "{read:?}");
    }
}
