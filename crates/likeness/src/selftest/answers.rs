//! Recorded answers to the self-test's picture. Written by `tools/selftest-answers`: do not edit.

use crate::net::file::Digest;

/// A recorded answer.
pub(super) struct RecordedAnswer {
    pub(super) digest: Digest,
    pub(super) tolerance: f32,
    pub(super) numbers: &'static [f32],
}

pub(super) const ALL: [RecordedAnswer; 3] = [
    // centerface.onnx
    RecordedAnswer {
        digest: Digest::hex("77e394b51108381b4c4f7b4baf1c64ca9f4aba73e5e803b2636419578913b5fe"),
        tolerance: 1e-5,
        numbers: &CENTERFACE,
    },
    // 2.7_80x80_MiniFASNetV2.pth
    RecordedAnswer {
        digest: Digest::hex("a5eb02e1843f19b5386b953cc4c9f011c3f985d0ee2bb9819eea9a142099bec0"),
        tolerance: 1e-5,
        numbers: &MINIFASNET_V2,
    },
    // 4_0_0_80x80_MiniFASNetV1SE.pth
    RecordedAnswer {
        digest: Digest::hex("84ee1d37d96894d5e82de5a57df044ef80a58be2b218b5ed7cdfd875ec2f5990"),
        tolerance: 1e-5,
        numbers: &MINIFASNET_V1SE,
    },
];

#[rustfmt::skip]
const CENTERFACE: [f32; 90] = [
    0.001065726, 2.7221832, 2.4171386, -0.042254448, -0.07855483, 0.48027506, 0.2755344, 0.47454193, 0.65222335, 0.543389,
    0.4014499, 0.5935108, 0.15898316, 0.5756537, 0.5190813, 0.0005927659, 2.548255, 2.4433072, -0.08396387, 0.060650818,
    0.36869454, 0.34246773, 0.28701633, 0.59223044, 0.3793303, 0.4338033, 0.6109788, 0.37126282, 0.54059607, 0.5850336,
    0.0016026688, 3.281083, 3.2442532, 0.047160093, 0.0035564385, 0.4245234, 0.26719934, 0.3798539, 0.49178043, 0.4844789,
    0.2996786, 0.6972043, 0.3443403, 0.656968, 0.56314784, 0.0018175963, 2.9699452, 2.602169, 0.117188565, 0.05582707,
    0.41538912, 0.28559384, 0.37490043, 0.61340904, 0.5767306, 0.38779214, 0.76459175, 0.3065731, 0.71313, 0.586799,
    0.0010407331, 3.1256561, 2.8091307, 0.099334285, 0.0545299, 0.55208653, 0.28713307, 0.45295364, 0.5631273, 0.67812,
    0.42099696, 0.83830523, 0.31408262, 0.72228664, 0.5599227, 0.0009794486, 2.581466, 2.2847092, -0.006610656, -0.044191908,
    0.5247452, 0.22644208, 0.45177013, 0.5683575, 0.6424755, 0.41105425, 0.749325, 0.25413933, 0.64598715, 0.5847337,
];

#[rustfmt::skip]
const MINIFASNET_V2: [f32; 3] = [
    3.4069674, -0.9222727, -2.4858406,
];

#[rustfmt::skip]
const MINIFASNET_V1SE: [f32; 3] = [
    0.49986976, 0.2203476, -0.72074723,
];
