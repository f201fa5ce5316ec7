//! Photographs decode to the reference's bytes.

mod support;

use support::deepface::{answers, assert_none, photo, sha256};
use support::testdata;

#[test]
fn every_photograph_decodes_to_libjpeg_turbos_bytes() {
    let Some(data) = testdata("every_photograph_decodes_to_libjpeg_turbos_bytes") else { return };
    let mut wrong = Vec::new();
    for (name, image) in answers(&data).images {
        let found = photo(&data, &name);
        let [height, width, _] = image.decoded_shape_hwc;
        if (found.width(), found.height()) != (width, height) || sha256(found.data()) != image.decoded_bgr_sha256 {
            wrong.push(format!("{name}: {found:?}"));
        }
    }
    assert_none(&wrong, "decoded photographs");
}
