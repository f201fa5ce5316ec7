//! Writes small JPEG files of any sampling, baseline or progressive, in one scan or in one scan a component.
//!
//! Each block has one value, which differs from its neighbours' values. Therefore the samples of every plane are known
//! without a decoder, and a squeezed, cropped or shifted plane is noticed. Blocks beyond the image's edge have other
//! values, so that a decoder which shows them is noticed too.

/// The order of the blocks in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scans {
    /// Baseline, one scan with all components.
    Interleaved,
    /// Baseline, one scan for each component.
    Separate,
    /// Progressive: the DC values in one scan, then the AC values of each component.
    Progressive,
}

/// The meaning of the samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colours {
    /// Grey or YCbCr, by the number of components, as in JFIF.
    Jfif,
    /// RGB or CMYK, by an Adobe marker with transform 0.
    Adobe,
    /// YCCK, by an Adobe marker with transform 2.
    Ycck,
}

/// A file to write.
#[derive(Debug, Clone)]
pub struct Jpeg<'a> {
    pub width: usize,
    pub height: usize,
    /// Horizontal and vertical sampling of each component.
    pub sampling: &'a [(usize, usize)],
    pub scans: Scans,
    pub colours: Colours,
}

/// Returns the value of a block, 28 to 227.
pub fn value(component: usize, x: usize, y: usize) -> u8 {
    let mixed = (component * 7919 + y * 613 + x * 89 + 17) * 2_654_435_761 % 4_294_967_296;
    (28 + mixed / 65_536 % 200) as u8
}

impl Jpeg<'_> {
    pub fn max(&self) -> (usize, usize) {
        let most = |side: fn(&(usize, usize)) -> usize| self.sampling.iter().map(side).max().unwrap_or(1);
        (most(|s| s.0), most(|s| s.1))
    }

    /// Returns the bytes of the file.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = vec![0xff, 0xd8];
        match self.colours {
            Colours::Jfif => segment(&mut out, 0xe0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"),
            Colours::Adobe => segment(&mut out, 0xee, b"Adobe\0\x64\0\0\0\0\0"),
            Colours::Ycck => segment(&mut out, 0xee, b"Adobe\0\x64\0\0\0\0\x02"),
        }
        segment(&mut out, 0xdb, &[&[0][..], &[8; 64]].concat());
        self.frame(&mut out);
        // DC categories 0 to 11, four bits each; of AC only "end of block", one bit.
        segment(&mut out, 0xc4, &[&[0, 0, 0, 0, 12][..], &[0; 12], &(0..12).collect::<Vec<u8>>()].concat());
        segment(&mut out, 0xc4, &[&[0x10, 1][..], &[0; 15], &[0]].concat());
        self.all_scans(&mut out);
        out.extend([0xff, 0xd9]);
        out
    }

    fn frame(&self, out: &mut Vec<u8>) {
        let (height, width) = ((self.height as u16).to_be_bytes(), (self.width as u16).to_be_bytes());
        let mut body = [&[8][..], &height, &width, &[self.sampling.len() as u8]].concat();
        for (at, (h, v)) in self.sampling.iter().enumerate() {
            body.extend([at as u8 + 1, (h << 4 | v) as u8, 0]);
        }
        segment(out, if self.scans == Scans::Progressive { 0xc2 } else { 0xc0 }, &body);
    }

    fn all_scans(&self, out: &mut Vec<u8>) {
        let all: Vec<usize> = (0..self.sampling.len()).collect();
        match self.scans {
            Scans::Interleaved => self.scan(out, &all, [0, 63], |bits, diff| {
                dc(bits, diff);
                bits.push(0, 1)
            }),
            Scans::Separate => {
                for at in all {
                    self.scan(out, &[at], [0, 63], |bits, diff| {
                        dc(bits, diff);
                        bits.push(0, 1)
                    });
                }
            }
            Scans::Progressive => {
                self.scan(out, &all, [0, 0], dc);
                for at in all {
                    self.scan(out, &[at], [1, 63], |bits, _| bits.push(0, 1));
                }
            }
        }
    }

    fn scan(&self, out: &mut Vec<u8>, components: &[usize], spectrum: [u8; 2], mut block: impl FnMut(&mut Bits, i32)) {
        let mut body = vec![components.len() as u8];
        body.extend(components.iter().flat_map(|at| [*at as u8 + 1, 0]));
        body.extend([spectrum[0], spectrum[1], 0]);
        segment(out, 0xda, &body);
        let (mut bits, mut before) = (Bits::default(), [0; 4]);
        for (component, x, y) in self.blocks(components) {
            let now = i32::from(value(component, x, y)) - 128;
            block(&mut bits, now - before[component]);
            before[component] = now;
        }
        out.extend(bits.finish());
    }

    /// Returns the blocks of a scan in order: MCU by MCU, or row by row for one component.
    fn blocks(&self, components: &[usize]) -> Vec<(usize, usize, usize)> {
        let (h, v) = self.max();
        if let [only] = *components {
            let (wide, high) = self.samples(only);
            let rows = 0..high.div_ceil(8);
            return rows.flat_map(|y| (0..wide.div_ceil(8)).map(move |x| (only, x, y))).collect();
        }
        let mut all = Vec::new();
        for (my, mx) in
            (0..self.height.div_ceil(8 * v)).flat_map(|y| (0..self.width.div_ceil(8 * h)).map(move |x| (y, x)))
        {
            for component in components {
                let (h, v) = self.sampling[*component];
                all.extend((0..v).flat_map(|y| (0..h).map(move |x| (*component, mx * h + x, my * v + y))));
            }
        }
        all
    }

    /// Returns the number of samples of a component's plane that belong to the picture.
    pub fn samples(&self, component: usize) -> (usize, usize) {
        let ((h, v), (most_h, most_v)) = (self.sampling[component], self.max());
        ((self.width * h).div_ceil(most_h), (self.height * v).div_ceil(most_v))
    }
}

fn dc(bits: &mut Bits, diff: i32) {
    let size = 32 - diff.unsigned_abs().leading_zeros();
    bits.push(size, 4);
    let low = if diff < 0 { diff - 1 } else { diff };
    bits.push(low as u32 & ((1 << size) - 1), size);
}

fn segment(out: &mut Vec<u8>, marker: u8, body: &[u8]) {
    out.extend([0xff, marker]);
    out.extend((body.len() as u16 + 2).to_be_bytes());
    out.extend(body);
}

/// Writes bits, highest first, with a zero byte after each 0xff.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    pending: u32,
    count: u32,
}

impl Bits {
    fn push(&mut self, value: u32, count: u32) {
        for at in (0..count).rev() {
            self.pending = self.pending << 1 | (value >> at & 1);
            self.count += 1;
            if self.count == 8 {
                self.bytes.push(self.pending as u8);
                if self.pending as u8 == 0xff {
                    self.bytes.push(0);
                }
                (self.pending, self.count) = (0, 0);
            }
        }
    }

    fn finish(mut self) -> Vec<u8> {
        while self.count != 0 {
            self.push(1, 1);
        }
        self.bytes
    }
}
