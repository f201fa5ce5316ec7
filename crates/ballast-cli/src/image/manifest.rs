//! Reads a foreign manifest into checked values. Bounded in layers; the caller bounds the bytes.

use ballast::digest::Digest;
use oci_spec::image::{Descriptor, ImageManifest, MediaType};

use super::blob::{Blob, Measured, TITLE};
use crate::bounds;

/// The layers and the configuration.
pub struct Named {
    /// In order.
    pub layers: Vec<Blob>,
    /// The configuration.
    pub config: Blob,
}

/// Reads a manifest.
///
/// # Errors
/// In words: the text is not the manifest of an image, has a digest that is not sha256, or has too many layers.
pub fn read(bytes: &[u8]) -> Result<Named, String> {
    let manifest: ImageManifest = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if manifest.layers().len() > bounds::LAYERS {
        return Err(format!("expected at most {} layers, found {}", bounds::LAYERS, manifest.layers().len()));
    }
    let layers = manifest.layers().iter().map(blob).collect::<Result<_, _>>()?;
    Ok(Named { layers, config: blob(manifest.config())? })
}

fn blob(part: &Descriptor) -> Result<Blob, String> {
    let title = part.annotations().as_ref().and_then(|all| all.get(TITLE)).cloned().unwrap_or_default();
    Ok(Blob { title, measured: measured(part)?, plain: *part.media_type() == MediaType::ImageLayer })
}

/// The digest and the length in a descriptor.
///
/// # Errors
/// Another digest than sha256.
pub fn measured(part: &Descriptor) -> Result<Measured, String> {
    let text = part.digest().to_string();
    let digest = Digest::parse(&text).map_err(|_| format!("expected sha256, found {text}"))?;
    Ok(Measured { digest, size: part.size() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(layers: usize) -> String {
        let part =
            |kind: &str| format!("{{\"mediaType\":\"{kind}\",\"digest\":\"sha256:{}\",\"size\":1}}", "0".repeat(64));
        let config = part("application/vnd.oci.image.config.v1+json");
        let layers = vec![part("application/vnd.oci.image.layer.v1.tar"); layers].join(",");
        format!("{{\"schemaVersion\":2,\"config\":{config},\"layers\":[{layers}]}}")
    }

    #[test]
    fn a_manifest_names_a_bounded_number_of_layers_by_sha256() {
        let rows = [
            (manifest(0), true),
            (manifest(bounds::LAYERS), true),
            (manifest(bounds::LAYERS + 1), false),
            (manifest(1).replace("sha256:", "sha512:"), false),
            (manifest(1).replace("\"size\":1", "\"size\":-1"), false),
            ("[".repeat(100_000), false),
            (String::new(), false),
        ];
        let wrong: Vec<_> = rows
            .iter()
            .filter(|(text, right)| read(text.as_bytes()).is_ok() != *right)
            .map(|(text, _)| text.get(..80).unwrap_or(text))
            .collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}
