//! Reads one number of an EXIF block: the camera's orientation. Touches nothing.
//!
//! An unreadable block counts as upright, as in viewers; this code can't fail and always ends.

/// The orientation, 1 to 8, of a TIFF block as JPEG, PNG and WebP contain it (an `Exif\0\0` before
/// it is skipped); 1 if it is absent or malformed.
#[must_use]
pub fn orientation(block: &[u8]) -> u8 {
    read(block.strip_prefix(b"Exif\0\0").unwrap_or(block)).filter(|value| (1..=8).contains(value)).unwrap_or(1)
}

fn read(tiff: &[u8]) -> Option<u8> {
    let big = match tiff.get(..4)? {
        b"II*\0" => false,
        b"MM\0*" => true,
        _ => return None,
    };
    let short = |at: usize| {
        let bytes = [*tiff.get(at)?, *tiff.get(at + 1)?];
        Some(if big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    };
    let long = |at: usize| {
        let (first, second) = (u32::from(short(at)?), u32::from(short(at + 2)?));
        Some(if big { first << 16 | second } else { second << 16 | first })
    };
    let directory = usize::try_from(long(4)?).ok()?.min(tiff.len());
    let entries = usize::from(short(directory)?);
    let entry = (0..entries).map(|number| directory + 2 + number * 12).find(|at| short(*at) == Some(TAG))?;
    (short(entry + 2) == Some(SHORT)).then(|| short(entry + 8)).flatten().and_then(|value| u8::try_from(value).ok())
}

const TAG: u16 = 0x0112;
const SHORT: u16 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn block(big: bool, tag: u16, kind: u16, value: u16) -> Vec<u8> {
        let short = |v: u16| if big { v.to_be_bytes() } else { v.to_le_bytes() }.to_vec();
        let long = |v: u32| if big { v.to_be_bytes() } else { v.to_le_bytes() }.to_vec();
        let magic: &[u8] = if big { b"MM\0*" } else { b"II*\0" };
        [magic.to_vec(), long(8), short(2), short(0x010f), short(2), long(0), long(0)]
            .into_iter()
            .chain([short(tag), short(kind), long(1), short(value), short(0), long(0)])
            .flatten()
            .collect()
    }

    #[test]
    fn both_byte_orders_are_read_and_nonsense_is_upright() {
        for big in [false, true] {
            for value in 1..=8 {
                assert_eq!(u16::from(orientation(&block(big, TAG, SHORT, value))), value);
            }
            assert_eq!(orientation(&block(big, TAG, SHORT, 0)), 1);
            assert_eq!(orientation(&block(big, TAG, SHORT, 9)), 1);
            assert_eq!(orientation(&block(big, TAG, SHORT, 0x0106)), 1);
            assert_eq!(orientation(&block(big, 0x0113, SHORT, 6)), 1);
            assert_eq!(orientation(&block(big, TAG, 4, 6)), 1);
        }
        assert_eq!(orientation(&[b"Exif\0\0".to_vec(), block(true, TAG, SHORT, 6)].concat()), 6);
    }

    #[test]
    fn every_truncation_and_every_far_offset_is_upright_or_right() {
        let whole = block(false, TAG, SHORT, 8);
        for length in 0..whole.len() {
            assert!([1, 8].contains(&orientation(&whole[..length])));
        }
        let mut far = whole;
        far[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(orientation(&far), 1);
    }
}
