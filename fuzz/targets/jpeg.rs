//! JPEG files with a header that the fuzzer chooses: marker, precision, sizes, sampling, component ids, tables, restart
//! interval, colours and scans. What decodes has the sizes of its header; no codec panics.
#![no_main]

use libfuzzer_sys::fuzz_target;
use likeness::image::{DecodeError, Limits, decode};

const LIMITS: Limits = Limits { bytes: 1 << 16, pixels: 1 << 14, halved: 1 << 16, side: 1 << 12 };

fn segment(out: &mut Vec<u8>, marker: u8, body: &[u8]) {
    out.extend([0xff, marker]);
    out.extend((body.len() as u16 + 2).to_be_bytes());
    out.extend(body);
}

/// The first 32 bytes choose the header; the rest is the entropy-coded data of the scans.
fn file(choice: &[u8; 32], data: &[u8]) -> Vec<u8> {
    let mut out = vec![0xff, 0xd8];
    match choice[0] % 4 {
        0 => segment(&mut out, 0xe0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"),
        transform => segment(&mut out, 0xee, &[b"Adobe\0\x64\0\0\0\0".as_slice(), &[transform - 1]].concat()),
    }
    segment(&mut out, 0xdb, &[&[0][..], &[choice[1].max(1); 64]].concat());
    let components = usize::from(choice[2] % 5);
    let mut frame = vec![choice[3], 0, choice[4], choice[5] % 8, choice[6], components as u8];
    let mut scan = vec![components as u8];
    for at in 0..components {
        let [id, sampling, table] = [choice[7 + 3 * at], choice[8 + 3 * at], choice[9 + 3 * at]];
        let id = if id % 8 == 0 { id } else { at as u8 + 1 };
        frame.extend([id, (1 + sampling % 4) << 4 | (1 + sampling / 4 % 4), table % 2]);
        scan.extend([id, 0]);
    }
    segment(&mut out, 0xc0 + choice[20] % 3, &frame);
    segment(&mut out, 0xc4, &[&[0, 0, 0, 0, 12][..], &[0; 12], &(0..12).collect::<Vec<u8>>()].concat());
    segment(&mut out, 0xc4, &[&[0x10, 0, 1, 1, 1, 1][..], &[0; 11], &choice[21..25]].concat());
    if choice[25] % 2 == 1 {
        segment(&mut out, 0xdd, &[0, choice[26]]);
    }
    scan.extend([choice[27] % 64, choice[28] % 64, choice[29] % 32]);
    for part in data.chunks(data.len() / (1 + usize::from(choice[30] % 4)) + 1) {
        segment(&mut out, 0xda, &scan);
        out.extend(part);
    }
    out.extend([0xff, 0xd9]);
    out
}

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, data)) = bytes.split_first_chunk::<32>() else { return };
    match decode(&file(choice, data), &LIMITS) {
        Ok(image) => {
            let claimed = (usize::from(choice[5] % 8) << 8 | usize::from(choice[6]), usize::from(choice[4]));
            let half = |side: usize| side.div_ceil(image.unit());
            assert_eq!((image.width(), image.height()), (half(claimed.0), half(claimed.1)));
        }
        Err(why) => assert!(!matches!(why, DecodeError::CodecFailed(_)), "{why}"),
    }
});
