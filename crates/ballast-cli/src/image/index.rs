//! An index: images of several architectures under one name. Touches nothing.

use std::env::consts::ARCH;
use std::io;

use oci_spec::image::{
    Arch, Descriptor, ImageConfiguration, ImageIndex, ImageIndexBuilder, MediaType, Os, PlatformBuilder,
};

use super::blob::Measured;
use super::built::{descriptor, json};
use super::manifest;
use crate::bounds;

/// One image of an index.
pub struct PlatformImage {
    /// Its manifest.
    pub manifest: Measured,
    /// The architecture in its configuration.
    pub architecture: Arch,
}

/// Reads the architecture in an image's configuration.
///
/// # Errors
/// In words: the text is no configuration.
pub fn architecture(config: &[u8]) -> Result<Arch, String> {
    let config: ImageConfiguration = serde_json::from_slice(config).map_err(|error| error.to_string())?;
    Ok(config.architecture().clone())
}

/// Writes an index of these images.
///
/// # Errors
/// Two images for one architecture.
pub fn write(parts: &[PlatformImage]) -> io::Result<Vec<u8>> {
    let mut known = Vec::new();
    let mut describe = |part: &PlatformImage| {
        if known.contains(&part.architecture) {
            return Err(io::Error::other(format!("two images are for {}", part.architecture)));
        }
        known.push(part.architecture.clone());
        let platform = PlatformBuilder::default().os(Os::Linux).architecture(part.architecture.clone()).build();
        let mut described = descriptor(MediaType::ImageManifest, part.manifest, &[])?;
        described.set_platform(Some(platform.map_err(io::Error::other)?));
        Ok(described)
    };
    let described = parts.iter().map(&mut describe).collect::<io::Result<Vec<_>>>()?;
    let index = ImageIndexBuilder::default().schema_version(2u32).media_type(MediaType::ImageIndex);
    json(&index.manifests(described).build().map_err(io::Error::other)?)
}

/// Returns the image for this machine in an index, otherwise its first; `None` if the bytes are no index. The weights of
/// all its images are the same.
///
/// # Errors
/// In words: an index without an image, or with too many.
pub fn choose(bytes: &[u8]) -> Result<Option<Measured>, String> {
    let Ok(index) = serde_json::from_slice::<ImageIndex>(bytes) else { return Ok(None) };
    let images = index.manifests();
    if images.is_empty() || images.len() > bounds::LAYERS {
        return Err(format!("expected 1 to {} images in the index, found {}", bounds::LAYERS, images.len()));
    }
    let here = Arch::from(match ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    });
    let is_here = |image: &&Descriptor| image.platform().as_ref().is_some_and(|found| *found.architecture() == here);
    manifest::measured(images.iter().find(is_here).unwrap_or(&images[0])).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(name: &str) -> PlatformImage {
        PlatformImage { manifest: Measured::of(name.as_bytes()), architecture: name.into() }
    }

    #[test]
    fn an_index_gives_the_image_of_this_machine_otherwise_the_first() {
        let here = if ARCH == "x86_64" { "amd64" } else { "arm64" };
        for (names, expected) in [(["riscv64", here], here), (["riscv64", "s390x"], "riscv64")] {
            let bytes = write(&names.map(image)).unwrap();
            assert_eq!(choose(&bytes), Ok(Some(Measured::of(expected.as_bytes()))), "{names:?}");
        }
        assert!(write(&[image("amd64"), image("amd64")]).unwrap_err().to_string().contains("two images are for amd64"));
    }

    #[test]
    fn bytes_that_are_no_index_are_left_to_the_reader_of_manifests() {
        let empty = r#"{"schemaVersion":2,"manifests":[]}"#;
        assert!(choose(empty.as_bytes()).is_err());
        let hash = "0".repeat(64);
        let one = format!(
            r#"{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:{hash}","size":1}}"#
        );
        let many = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, vec![one; bounds::LAYERS + 1].join(","));
        assert!(choose(many.as_bytes()).is_err());
        for other in ["", "[]", "{}", r#"{"schemaVersion":2,"layers":[]}"#] {
            assert_eq!(choose(other.as_bytes()), Ok(None), "{other}");
        }
    }
}
