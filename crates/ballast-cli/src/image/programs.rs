//! The architecture of an image: that of the programs in it. Touches nothing.

/// The bytes of an ELF file up to its machine.
pub const HEAD: usize = 20;
/// ELF's numbers of machines, and the names of an image's configuration.
const MACHINES: [(u16, &str); 2] = [(62, "amd64"), (183, "arm64")];
/// What an image without a program says: the same on each machine.
const NEITHER: &str = "amd64";

/// Returns the architecture of a program by its first bytes; `None` for a file that is not an ELF file.
///
/// # Errors
/// A program for a machine without a name here.
pub fn machine(head: &[u8]) -> Result<Option<&'static str>, String> {
    // Class and byte order lie between the mark and the machine; both named machines are little-endian.
    let Some(&[low, high]) = head.strip_prefix(b"\x7fELF").and_then(|rest| rest.get(14..16)) else { return Ok(None) };
    let number = u16::from_le_bytes([low, high]);
    match MACHINES.iter().find(|(known, _)| *known == number) {
        Some((_, name)) => Ok(Some(name)),
        None => Err(format!("a program for ELF machine {number}: expected one for amd64 (62) or arm64 (183)")),
    }
}

/// Returns the architecture of an image, by the requested one and by its programs (path and architecture).
///
/// # Errors
/// Programs of different architectures, or of another one than the requested.
pub fn architecture(requested: Option<&str>, programs: &[(&str, &str)]) -> Result<String, String> {
    let Some((first, found)) = programs.first() else { return Ok(requested.unwrap_or(NEITHER).to_owned()) };
    if let Some((other, differs)) = programs.iter().find(|(_, differs)| differs != found) {
        return Err(format!("expected programs of one architecture, found {found} ({first}) and {differs} ({other})"));
    }
    match requested {
        Some(requested) if requested != *found => {
            Err(format!("--architecture {requested}: expected such programs, found {found} ({first})"))
        }
        _ => Ok((*found).to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(machine: u16) -> Vec<u8> {
        let mut head = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0".to_vec();
        head.extend(machine.to_le_bytes());
        head
    }

    #[test]
    fn a_program_names_its_architecture_and_another_file_none() {
        let rows = [
            (head(62), Ok(Some("amd64"))),
            (head(183), Ok(Some("arm64"))),
            (head(183)[..19].to_vec(), Ok(None)),
            (b"#!/bin/sh\nexec likeness \"$@\"\n".to_vec(), Ok(None)),
            (Vec::new(), Ok(None)),
        ];
        let wrong: Vec<_> = rows.iter().filter(|(head, expected)| machine(head) != *expected).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
        assert!(machine(&head(243)).unwrap_err().contains("ELF machine 243"));
    }

    #[test]
    fn an_image_has_the_architecture_of_its_programs_or_is_refused() {
        let (amd, arm) = (("/bin/a", "amd64"), ("/bin/b", "arm64"));
        type Row<'a> = (Option<&'a str>, &'a [(&'a str, &'a str)], Result<&'a str, &'a str>);
        let rows: [Row; 7] = [
            (None, &[], Ok("amd64")),
            (Some("riscv64"), &[], Ok("riscv64")),
            (None, &[arm], Ok("arm64")),
            (Some("arm64"), &[arm, arm], Ok("arm64")),
            (Some("amd64"), &[arm], Err("found arm64 (/bin/b)")),
            (None, &[amd, arm], Err("found amd64 (/bin/a) and arm64 (/bin/b)")),
            (Some("amd64"), &[amd, arm], Err("found amd64 (/bin/a) and arm64 (/bin/b)")),
        ];
        let wrong = rows.iter().filter_map(|(requested, programs, expected)| {
            let found = architecture(*requested, programs);
            let right = match (&found, expected) {
                (Ok(found), Ok(expected)) => found == expected,
                (Err(found), Err(expected)) => found.contains(expected),
                _ => false,
            };
            (!right).then(|| format!("{requested:?} {programs:?}: expected {expected:?}, found {found:?}"))
        });
        let wrong: Vec<_> = wrong.collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
