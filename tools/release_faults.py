#!/usr/bin/env python3
"""Tests `tools/release_checks.py`: it accepts a release as it was made, and names each planted fault.

    tools/release_faults.py FOLDER     a release, which stays as it is; --short is enough

An image is added to the copy, made here: one layer with the lock file and the notices.
"""

import gzip
import io
import json
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
import release_checks as checks


def rewritten(path, edit):
    """Changes a JSON document of a release."""
    document = json.loads(path.read_text())
    edit(document)
    path.write_text(json.dumps(document))


def tar(contents):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as out:
        for name, content in contents.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            out.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def archived(folder, files):
    """Writes the archive again, with other files; None removes one."""
    [(path, name, architecture), *_] = checks.parts(folder, "tar.gz")
    contents = checks.archive(path) | files
    top = f"ballast-{name}-linux-{architecture}"
    kept = {f"{top}/{inside}": content for inside, content in contents.items() if content is not None}
    path.unlink()
    path.write_bytes(gzip.compress(tar(kept), 1))


def imaged(folder, tag=None, files=(), labels=None):
    """Writes an image of the archive's platform, with its lock file and notices, or with what a fault changes."""
    [(path, name, architecture), *_] = checks.parts(folder, "tar.gz")
    inside = {"etc/ballast/weights.lock": (folder / "weights.lock").read_bytes(),
              f"usr/share/doc/likeness/{checks.NOTICES}": checks.archive(path)[checks.NOTICES]} | dict(files)
    found = {"org.opencontainers.image.version": name, "org.opencontainers.image.revision": "0",
             "org.opencontainers.image.created": "2026-11-30T12:00:00Z"} if labels is None else labels
    manifest = [{"Config": "config", "Layers": ["layer"], "RepoTags": [tag or f"likeness:{name}-{architecture}"]}]
    config = {"architecture": architecture, "created": "2026-11-30T12:00:00Z", "config": {"Labels": found}}
    documents = {"manifest.json": json.dumps(manifest).encode(), "config": json.dumps(config).encode()}
    (folder / f"likeness-{name}-linux-{architecture}.oci.tar").write_bytes(tar(documents | {"layer": tar(inside)}))


def sbom(folder, edit):
    rewritten(folder / "sbom.cdx.json", edit)


def provenance(folder, edit):
    rewritten(folder / "provenance.intoto.json", lambda document: edit(document["predicate"]["buildDefinition"]))


def without(name):
    def edit(document):
        document["components"] = [part for part in document["components"] if part["name"] != name]
    return edit


def other_compiler(definition):
    for made in definition["internalParameters"]["toolchains"]:
        made["rustc"][0] = "rustc 1.0.0"


def foreign_crate(document):
    document["components"].append({"type": "library", "name": "windows-sys", "version": "0.61.2"})


def file_address(document):
    document["components"][0]["purl"] = "pkg:cargo/a@1?download_url=file://."


def misnamed(folder):
    """The lock file that the release's name excludes."""
    return (checks.TOP / "weights.lock").read_bytes() if "-trial." in checks.name_of(folder) else OTHER


OTHER = b'version = 1\n[[weight]]\npath = "a"\nsha256 = "' + b"0" * 64 + b'"\n'
# The check, the fault, and how the check names it.
FAULTS = [
    (checks.sums, lambda to: (to / "NOTES.md").write_text("changed"), "SHA256SUMS: NOTES.md"),
    (checks.sums, lambda to: (to / "more").touch(), "SHA256SUMS: more"),
    (checks.sums, lambda to: (to / "LICENSE-MIT").unlink(), "LICENSE-MIT is not in the folder"),
    (checks.provenance, lambda to: (to / "NOTES.md").write_text("changed"), "provenance: NOTES.md"),
    (checks.provenance, lambda to: provenance(to, lambda it: it["internalParameters"].clear()), "one toolchain, found 0"),
    (checks.provenance, lambda to: provenance(to, other_compiler), "bin/ballast was not built by rustc 1.0.0"),
    (checks.provenance, lambda to: provenance(to, lambda it: it["resolvedDependencies"].pop(2)), "Cargo.lock is no"),
    (checks.lock, lambda to: (to / "weights.lock").write_bytes(misnamed(to)), "does not say whether"),
    (checks.lock, lambda to: archived(to, files={"weights.lock": OTHER}), "tar.gz has another one"),
    (checks.lock, lambda to: imaged(to, files={"etc/ballast/weights.lock": OTHER}), "oci.tar has another one"),
    (checks.lock, lambda to: provenance(to, lambda it: it["resolvedDependencies"].pop(1)), "the provenance names another"),
    (checks.lock, lambda to: sbom(to, without("centerface.onnx")), "the SBOM has other weights"),
    (checks.sbom, lambda to: sbom(to, without("serde")), "SBOM: serde"),
    (checks.sbom, lambda to: sbom(to, foreign_crate), "windows-sys is not linked"),
    (checks.sbom, lambda to: sbom(to, without("glibc")), "SBOM: glibc"),
    (checks.sbom, lambda to: sbom(to, without("rust-std")), "SBOM: rust-std"),
    (checks.sbom, lambda to: sbom(to, without("SQLite")), "SQLite is missing"),
    (checks.sbom, lambda to: sbom(to, lambda it: it.pop("serialNumber")), "no serial number"),
    (checks.sbom, lambda to: sbom(to, file_address), "address of a file"),
    (checks.sbom, lambda to: sbom(to, lambda it: it["metadata"]["component"].update(version="1")), "expected the version"),
    (checks.notices, lambda to: archived(to, files={checks.NOTICES: None}), "the Rust standard library is missing"),
    (checks.notices, lambda to: imaged(to, files={f"usr/share/doc/likeness/{checks.NOTICES}": b"serde"}), "oci.tar: serde"),
    (checks.notes, lambda to: (to / "NOTES.md").write_text("\nIt is new.\n"), "NOTES.md: expected"),
    (checks.images, lambda to: imaged(to, tag="likeness:one"), "found ['likeness:one']"),
    (checks.images, lambda to: imaged(to, labels={}), "no labels"),
    (checks.images, lambda to: imaged(to, labels={}), "the date of its label"),
    (checks.images, lambda to: imaged(to, files={"etc/ssl/certs/ca-certificates.crt": b""}), "the building machine's"),
]


def main(folder):
    wrong = []
    with tempfile.TemporaryDirectory() as below:
        right = Path(below) / "right"
        shutil.copytree(folder, right)
        for check in checks.CHECKS:
            wrong += [f"without a fault: {problem}" for problem in check(right)]
        for path, *_ in checks.parts(right, "oci.tar"):
            path.unlink()
        imaged(right)
        for check in (checks.lock, checks.notices, checks.images):
            wrong += [f"with an image: {problem}" for problem in check(right)]
        for number, (check, plant, expected) in enumerate(FAULTS):
            to = Path(below) / str(number)
            shutil.copytree(right, to)
            plant(to)
            problems = list(check(to))
            if not any(expected in problem for problem in problems):
                wrong.append(f"fault {number}: expected \"{expected}\", found {problems}")
            shutil.rmtree(to)
    for problem in wrong:
        print(f"error: {problem}", file=sys.stderr)
    print(f"{len(FAULTS)} planted faults, {len(wrong)} problems")
    return 1 if wrong else 0


sys.exit(main(sys.argv[1]))
