//! Reads the certificates of a PEM file that the user named.

use std::path::Path;

use ballast::foreign;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

/// The largest size of such a file.
const LONGEST: u64 = 1 << 20;

/// Returns all certificates of a file, at least one.
///
/// # Errors
/// The reason, without the path: the file can't be read, is no regular file, is too long, or contains no certificate.
pub fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = foreign::read_named(path, LONGEST).map_err(|why| why.to_string())?;
    let found = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>().map_err(|why| why.to_string())?;
    if found.is_empty() { Err("expected certificates, found none".into()) } else { Ok(found) }
}
