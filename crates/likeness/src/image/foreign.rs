//! Names content that is not a photograph which this program decodes, and the way out.
//!
//! Reads the first bytes only; [`sniff`](super::decode::sniff) has already refused the file.

/// The format of a refused file, and the way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Foreign {
    /// The name of the format, as people know it.
    pub name: &'static str,
    /// What the sender can do.
    pub way_out: &'static str,
}

const CONVERT: &str = "convert it to JPEG, PNG or WebP";
const PHONE: &str =
    "convert it to JPEG, or set the camera to JPEG (iPhone: Settings, Camera, Formats, Most Compatible)";
const FRAME: &str = "send one frame of it as JPEG, PNG or WebP";
const PAGE: &str = "export the photograph from it as JPEG, PNG or WebP";
const UNPACK: &str = "unpack it and send the photograph inside";
const NO_IMAGE: &str = "send the bytes of a photograph; paths and URLs are not read";
const DECODE: &str = "decode the base64 first, or send it in a field that takes base64";

/// A format by the bytes at one place.
type Row = (usize, &'static [u8], &'static str, &'static str);

const MAGIC: [Row; 32] = [
    (0, b"GIF8", "GIF", CONVERT),
    (0, b"BM", "BMP", CONVERT),
    (0, b"II*\0", "TIFF or a camera's raw format", CONVERT),
    (0, b"MM\0*", "TIFF or a camera's raw format", CONVERT),
    (0, b"II+\0", "BigTIFF", CONVERT),
    (0, b"MM\0+", "BigTIFF", CONVERT),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000", CONVERT),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000", CONVERT),
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL", CONVERT),
    (0, b"\xff\x0a", "JPEG XL", CONVERT),
    (0, b"II\xbc", "JPEG XR", CONVERT),
    (0, b"FUJIFILM", "a camera's raw format", CONVERT),
    (0, b"8BPS", "Photoshop", CONVERT),
    (0, b"\0\0\x01\0", "an icon (ICO)", CONVERT),
    (0, b"qoif", "QOI", CONVERT),
    (0, b"\x76\x2f\x31\x01", "OpenEXR", CONVERT),
    (0, b"#?RADIANCE", "Radiance HDR", CONVERT),
    (0, b"%PDF-", "PDF", PAGE),
    (0, b"%!PS", "PostScript", PAGE),
    (0, b"\xd0\xcf\x11\xe0", "an office document", PAGE),
    (0, b"PK\x03\x04", "a ZIP archive or office document", UNPACK),
    (0, b"\x1f\x8b", "gzip", UNPACK),
    (0, b"BZh", "bzip2", UNPACK),
    (0, b"\xfd7zXZ\0", "xz", UNPACK),
    (0, b"\x28\xb5\x2f\xfd", "Zstandard", UNPACK),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
    (0, b"Rar!", "a RAR archive", UNPACK),
    (0, b"\x1a\x45\xdf\xa3", "a WebM or Matroska video", FRAME),
    (8, b"AVI ", "an AVI video", FRAME),
    (0, b"FLV\x01", "a Flash video", FRAME),
    (0, b"\0\0\x01\xba", "an MPEG video", FRAME),
    (0, b"OggS", "an Ogg file", FRAME),
];

/// Brands of an ISO file (`ftyp`), the most telling first: a HEIC file lists the general `mif1` too.
const BRANDS: [(&[&[u8]], &str, &str); 4] = [
    (&[b"avif", b"avis"], "AVIF", PHONE),
    (&[b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"], "HEIC", PHONE),
    (&[b"mif1", b"mif2", b"msf1", b"miaf"], "HEIF", PHONE),
    (&[b"crx "], "a camera's raw format (CR3)", CONVERT),
];

/// The format of content that is none of JPEG, PNG and WebP; `None` if the bytes are of no known format.
pub fn foreign(bytes: &[u8]) -> Option<Foreign> {
    let by_magic = || MAGIC.iter().find(|(at, magic, ..)| bytes.get(*at..).is_some_and(|b| b.starts_with(magic)));
    iso(bytes)
        .or_else(|| by_magic().map(|(_, _, name, way_out)| Foreign { name, way_out }))
        .or_else(|| text(bytes))
        .or_else(|| zeros(bytes))
}

/// MP4, QuickTime, HEIF and AVIF share one container; its brands say which.
fn iso(bytes: &[u8]) -> Option<Foreign> {
    let (size, kind) = (bytes.get(..4)?, bytes.get(4..8)?);
    if !matches!(kind, b"ftyp" | b"moov" | b"mdat" | b"wide" | b"free" | b"skip" | b"pnot") {
        return None;
    }
    let length = u32::from_be_bytes([size[0], size[1], size[2], size[3]]) as usize;
    let video = Foreign { name: "an MP4 or QuickTime video", way_out: FRAME };
    if kind != b"ftyp" {
        return Some(video);
    }
    let brands = bytes.get(8..length.clamp(12, 256).min(bytes.len()))?;
    let named = |(names, name, way_out): &(&[&[u8]], &'static str, &'static str)| {
        let found = brands.chunks_exact(4).enumerate().any(|(at, brand)| at != 1 && names.contains(&brand));
        found.then_some(Foreign { name, way_out })
    };
    Some(BRANDS.iter().find_map(named).unwrap_or(video))
}

/// Recognises text: a page, JSON, a path, or base64.
fn text(bytes: &[u8]) -> Option<Foreign> {
    let head = &bytes[..bytes.len().min(512)];
    let printable = |byte: &u8| !byte.is_ascii_control() || byte.is_ascii_whitespace();
    // The last character may be incomplete: the bytes are still text.
    let utf8 = std::str::from_utf8(head).map_or_else(|why| why.error_len().is_none(), |_| true);
    if !utf8 || !head.iter().all(printable) {
        return None;
    }
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii();
    let lower = head.to_ascii_lowercase();
    let starts = |some: &[&[u8]]| some.iter().any(|start| lower.starts_with(start));
    let name = match () {
        () if starts(&[b"data:"]) => return Some(Foreign { name: "text: a data URI", way_out: DECODE }),
        () if starts(&[b"<svg"]) => return Some(Foreign { name: "SVG", way_out: CONVERT }),
        () if starts(&[b"<!doctype", b"<html"]) => "text: an HTML page",
        () if starts(&[b"<?xml", b"<"]) => "text: XML",
        () if starts(&[b"{", b"["]) => "text: JSON",
        () if starts(&[b"http://", b"https://", b"file://", b"s3://"]) => "text: a URL",
        () => return Some(base64(head).unwrap_or(Foreign { name: "text", way_out: NO_IMAGE })),
    };
    Some(Foreign { name, way_out: NO_IMAGE })
}

/// Base64 of a photograph, in either alphabet, by the characters that its first bytes always become.
fn base64(head: &[u8]) -> Option<Foreign> {
    let of: [(&[u8], &str); 7] = [
        (b"/9j/", "text: base64 of a JPEG"),
        (b"_9j_", "text: base64 of a JPEG"),
        (b"iVBORw0KGgo", "text: base64 of a PNG"),
        (b"UklGR", "text: base64 of a WebP"),
        (b"R0lGOD", "text: base64 of a GIF"),
        (b"JVBERi", "text: base64 of a PDF"),
        (b"AAAA", "text: base64 of HEIC, AVIF or video"),
    ];
    let known = of.iter().find(|(start, _)| head.starts_with(start)).map(|(_, name)| *name);
    let letters = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/-_=\r\n".contains(byte);
    let name = known.or_else(|| (head.len() >= 64 && head.iter().all(letters)).then_some("text, perhaps base64"))?;
    Some(Foreign { name, way_out: DECODE })
}

fn zeros(bytes: &[u8]) -> Option<Foreign> {
    let way_out = "the file was not written or not sent whole; send it again";
    bytes.iter().take(512).all(|byte| *byte == 0).then_some(Foreign { name: "zero bytes only", way_out })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ftyp(brands: &[&[u8; 4]]) -> Vec<u8> {
        let body: Vec<u8> = brands
            .iter()
            .enumerate()
            .flat_map(|(at, b)| if at == 1 { [&[0; 4][..], *b].concat() } else { b.to_vec() })
            .collect();
        let body = if brands.len() == 1 { [&body[..], &[0; 4]].concat() } else { body };
        [&(body.len() as u32 + 8).to_be_bytes()[..], b"ftyp", &body, b"\0\0\0\x10meta"].concat()
    }

    #[test]
    fn what_people_send_instead_of_a_photograph_has_its_name() {
        let long = [b"TWFu".as_slice(); 40].concat();
        let table: Vec<(Vec<u8>, &str)> = vec![
            (ftyp(&[b"heic", b"mif1", b"heic"]), "HEIC"),
            (ftyp(&[b"mif1", b"mif1", b"heic"]), "HEIC"),
            (ftyp(&[b"mif1"]), "HEIF"),
            (ftyp(&[b"msf1", b"hevc"]), "HEIC"),
            (ftyp(&[b"avif", b"mif1", b"miaf"]), "AVIF"),
            (ftyp(&[b"avis", b"msf1"]), "AVIF"),
            (ftyp(&[b"isom", b"mp42"]), "an MP4 or QuickTime video"),
            (ftyp(&[b"qt  "]), "an MP4 or QuickTime video"),
            (ftyp(&[b"crx ", b"isom"]), "a camera's raw format (CR3)"),
            (b"\0\0\x10\0mdat".to_vec(), "an MP4 or QuickTime video"),
            (b"GIF89a\x01\0".to_vec(), "GIF"),
            (b"BM\x36\0\0\0".to_vec(), "BMP"),
            (b"II*\0\x08\0".to_vec(), "TIFF or a camera's raw format"),
            (b"MM\0*\0\0".to_vec(), "TIFF or a camera's raw format"),
            (b"\xff\x0a\xfa".to_vec(), "JPEG XL"),
            (b"\0\0\0\x0cJXL \r\n\x87\n".to_vec(), "JPEG XL"),
            (b"\0\0\0\x0cjP  \r\n\x87\n".to_vec(), "JPEG 2000"),
            (b"\xff\x4f\xff\x51\0".to_vec(), "JPEG 2000"),
            (b"%PDF-1.7\n".to_vec(), "PDF"),
            (b"RIFF\0\0\0\0AVI LIST".to_vec(), "an AVI video"),
            (b"\x1a\x45\xdf\xa3\x01".to_vec(), "a WebM or Matroska video"),
            (b"\x1f\x8b\x08\0".to_vec(), "gzip"),
            (b"PK\x03\x04\x14".to_vec(), "a ZIP archive or office document"),
            (b"<!DOCTYPE html><p>".to_vec(), "text: an HTML page"),
            (b"<svg xmlns=".to_vec(), "SVG"),
            (b"\xef\xbb\xbf{\"img\": 1}".to_vec(), "text: JSON"),
            (b"https://example.org/a.jpg".to_vec(), "text: a URL"),
            (b"data:image/png;base64,iVBO".to_vec(), "text: a data URI"),
            (b"/9j/4AAQSkZJRg".to_vec(), "text: base64 of a JPEG"),
            (b"_9j_4AAQSkZJRg".to_vec(), "text: base64 of a JPEG"),
            (b"iVBORw0KGgoAAA".to_vec(), "text: base64 of a PNG"),
            (b"UklGRiQAAABXRUJQ".to_vec(), "text: base64 of a WebP"),
            (long, "text, perhaps base64"),
            ("the word \u{e9}".repeat(60).into_bytes(), "text"),
            (b"img1.jpg".to_vec(), "text"),
            (vec![0; 600], "zero bytes only"),
        ];
        let wrong: Vec<_> = table
            .iter()
            .filter_map(|(bytes, expected)| {
                let found = foreign(bytes).map(|found| found.name);
                (found != Some(*expected)).then(|| format!("{expected}: found {found:?}"))
            })
            .collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn every_beginning_of_every_name_is_named_or_unknown_and_reads_no_further() {
        let whole = [ftyp(&[b"heic", b"mif1"]), vec![0xfe; 40]].concat();
        for length in 0..whole.len() {
            let _ = foreign(&whole[..length]);
        }
        assert_eq!(foreign(&[0x9d, 0x01, 0x02, 0xee]), None);
    }
}
