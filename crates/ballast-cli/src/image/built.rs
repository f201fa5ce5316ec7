//! An image that is ready: its layers measured, its configuration and manifest described. Touches nothing.

use std::collections::HashMap;
use std::io;

use ballast::digest::Digest;
use oci_spec::image::{
    Config, Descriptor, DescriptorBuilder, ImageConfigurationBuilder, ImageManifestBuilder, MediaType, RootFsBuilder,
    Sha256Digest,
};
use serde::Serialize;

use super::blob::{Measured, TITLE};
use super::layer::Layer;

/// An image that is ready to be pushed or written.
pub struct Image {
    /// Its layers, measured.
    pub layers: Vec<(Layer, Measured)>,
    /// The configuration's bytes.
    pub config: Vec<u8>,
    /// The manifest's bytes.
    pub manifest: Vec<u8>,
}

impl Image {
    /// Measures every layer and describes them all.
    ///
    /// # Errors
    /// A file that can't be read, or that changed after it was measured.
    pub fn new(layers: Vec<Layer>, architecture: &str, run: Config) -> io::Result<Self> {
        let measured = |layer: Layer| Ok((layer.measure()?, layer)).map(|(measured, layer)| (layer, measured));
        let layers: Vec<_> = layers.into_iter().map(measured).collect::<io::Result<_>>()?;
        let diffs: Vec<_> = layers.iter().map(|(_, measured)| format!("sha256:{}", measured.digest)).collect();
        let rootfs = RootFsBuilder::default().typ("layers").diff_ids(diffs).build().map_err(io::Error::other)?;
        let config = ImageConfigurationBuilder::default()
            .created(created(&run))
            .architecture(architecture)
            .os("linux")
            .config(run)
            .rootfs(rootfs)
            .build()
            .map_err(io::Error::other)?;
        let config = json(&config)?;
        let describe = |(layer, measured): &(Layer, Measured)| {
            descriptor(MediaType::ImageLayer, *measured, &[(TITLE, layer.title.as_str())])
        };
        let manifest = ImageManifestBuilder::default()
            .schema_version(2u32)
            .media_type(MediaType::ImageManifest)
            .config(descriptor(MediaType::ImageConfig, Measured::of(&config), &[])?)
            .layers(layers.iter().map(describe).collect::<io::Result<Vec<_>>>()?)
            .build()
            .map_err(io::Error::other)?;
        Ok(Self { layers, config, manifest: json(&manifest)? })
    }

    /// The manifest's digest, which identifies the whole image.
    pub fn digest(&self) -> Digest {
        Measured::of(&self.manifest).digest
    }
}

/// The label that dates an image.
const CREATED: &str = "org.opencontainers.image.created";

/// When the image was made: as its label says, in the form 2026-11-30T12:00:00Z; otherwise 1970, on whatever day this is.
fn created(run: &Config) -> String {
    let label = run.labels().as_ref().and_then(|labels| labels.get(CREATED));
    let fits = |text: &&String| {
        let form = b"0000-00-00T00:00:00Z";
        let digit = |found: u8, expected: u8| if expected == b'0' { found.is_ascii_digit() } else { found == expected };
        text.len() == form.len() && text.bytes().zip(form).all(|(found, expected)| digit(found, *expected))
    };
    label.filter(fits).map_or("1970-01-01T00:00:00Z", String::as_str).to_owned()
}

/// A descriptor with its annotations.
pub(crate) fn descriptor(kind: MediaType, measured: Measured, annotations: &[(&str, &str)]) -> io::Result<Descriptor> {
    let digest: Sha256Digest = measured.digest.to_string().parse().map_err(io::Error::other)?;
    let builder = DescriptorBuilder::default().media_type(kind).digest(digest).size(measured.size);
    let annotations = annotations.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned()));
    let builder =
        if annotations.len() == 0 { builder } else { builder.annotations(annotations.collect::<HashMap<_, _>>()) };
    builder.build().map_err(io::Error::other)
}

/// JSON with its keys in order, whatever their order in memory.
pub(crate) fn json(value: &impl Serialize) -> io::Result<Vec<u8>> {
    Ok(serde_json::to_vec(&serde_json::to_value(value)?)?)
}

#[cfg(test)]
mod tests {
    use oci_spec::image::ConfigBuilder;

    use super::*;

    #[test]
    fn an_image_has_the_date_of_its_label_and_otherwise_none_of_the_day_it_is_made() {
        let rows = [
            (None, "1970-01-01T00:00:00Z"),
            (Some("2026-11-30T12:00:59Z"), "2026-11-30T12:00:59Z"),
            (Some("2026-11-30"), "1970-01-01T00:00:00Z"),
            (Some("2026-11-30T12:00:59+01:00"), "1970-01-01T00:00:00Z"),
            (Some("2026-11-30 12:00:59Z"), "1970-01-01T00:00:00Z"),
            (Some("yesterday, at noon .Z"), "1970-01-01T00:00:00Z"),
            (Some(""), "1970-01-01T00:00:00Z"),
        ];
        let found = |label: &Option<&str>| {
            let labels: HashMap<_, _> = label.map(|date| (CREATED.to_owned(), date.to_owned())).into_iter().collect();
            created(&ConfigBuilder::default().labels(labels).build().unwrap())
        };
        let wrong: Vec<_> = rows.iter().filter(|(label, expected)| found(label) != *expected).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}
