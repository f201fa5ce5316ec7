#!/usr/bin/env python3
"""Checks that a release is what its own documents say. `tools/release` ends with it; `tools/release_faults.py` tests it.

    tools/release_checks.py FOLDER     in the tree that the release was built from

It prints every difference. It reads the folder and the tree, and writes nothing.
"""

import hashlib
import io
import json
import re
import sys
import tarfile
import tomllib
from functools import cache
from pathlib import Path

sys.dont_write_bytecode = True
from linked import TOP, linked, packages

NOTICES = "THIRD-PARTY-NOTICES.txt"
NAME = re.compile(r"(?:ballast|likeness)-(.+)-linux-(\w+)\.(tar\.gz|oci\.tar)")
crates = cache(linked)


def files(folder):
    return {path.name: path for path in sorted(folder.iterdir())}


def loaded(folder, name):
    return json.loads((folder / name).read_text())


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def parts(folder, kind):
    """The files of one kind, with the release's name and the architecture in theirs."""
    found = ((path, NAME.fullmatch(path.name)) for path in files(folder).values())
    return [(path, match[1], match[2]) for path, match in found if match and match[3] == kind]


def name_of(folder):
    return parts(folder, "tar.gz")[0][1]


def archive(path):
    """The files of an archive, without its folder's name."""
    with tarfile.open(path) as tar:
        return {entry.name.partition("/")[2]: tar.extractfile(entry).read() for entry in tar if entry.isfile()}


def image(path):
    """An image's names, its configuration and the files of its layers; of large files no bytes."""
    with tarfile.open(path) as tar:
        [manifest] = json.load(tar.extractfile("manifest.json"))
        inside = {}
        for layer in manifest["Layers"]:
            with tarfile.open(fileobj=io.BytesIO(tar.extractfile(layer).read())) as below:
                inside |= {entry.name.strip("/"): below.extractfile(entry).read() if entry.size < 1 << 22 else b""
                           for entry in below if entry.isfile()}
        return manifest["RepoTags"], json.load(tar.extractfile(manifest["Config"])), inside


def sums(folder):
    lines = (line.split("  ", 1) for line in (folder / "SHA256SUMS").read_text().splitlines())
    listed = {name: digest for digest, name in lines}
    for name, path in files(folder).items():
        if not name.startswith("SHA256SUMS") and listed.get(name) != sha256(path):
            yield f"SHA256SUMS: {name}: expected {sha256(path)}, found {listed.get(name)}"
    yield from (f"SHA256SUMS: {name} is not in the folder" for name in listed.keys() - files(folder).keys())


def provenance(folder):
    statement = loaded(folder, "provenance.intoto.json")
    subjects = {subject["name"]: subject["digest"]["sha256"] for subject in statement["subject"]}
    for name, path in files(folder).items():
        if not name.startswith(("SHA256SUMS", "provenance")) and subjects.get(name) != sha256(path):
            yield f"provenance: {name}: expected {sha256(path)}, found {subjects.get(name)}"
    definition = statement["predicate"]["buildDefinition"]
    for path, _, architecture in parts(folder, "tar.gz"):
        makers = [made for made in definition["internalParameters"].get("toolchains", []) if path.name in made["built"]]
        if len(makers) != 1:
            yield f"provenance: {path.name}: expected one toolchain, found {len(makers)}"
            continue
        version = makers[0]["rustc"][0].split()[1]
        for name, content in archive(path).items():
            if name.startswith("bin/") and f"rustc version {version}".encode() not in content:
                yield f"provenance: {path.name}: {name} was not built by rustc {version}"
    needed = ["source", "weights.lock", "Cargo.lock", "rust-toolchain.toml", "tools/release", "tools/static", "tools/arm64"]
    known = {part["name"] for part in definition["resolvedDependencies"]}
    yield from (f"provenance: {name} is no dependency" for name in needed if name not in known)


def lock(folder):
    """One lock file in the whole release, and a name that says so if it is not the repository's."""
    expected = (folder / "weights.lock").read_bytes()
    if ("-trial." in name_of(folder)) != (expected != (TOP / "weights.lock").read_bytes()):
        yield f"weights.lock: the name {name_of(folder)} does not say whether the lock file is the repository's"
    contents = [(path, archive(path).get("weights.lock")) for path, *_ in parts(folder, "tar.gz")]
    contents += [(path, image(path)[2].get("etc/ballast/weights.lock")) for path, *_ in parts(folder, "oci.tar")]
    yield from (f"weights.lock: {path.name} has another one" for path, content in contents if content != expected)
    dependencies = loaded(folder, "provenance.intoto.json")["predicate"]["buildDefinition"]["resolvedDependencies"]
    if not any(part["digest"].get("sha256") == sha256(folder / "weights.lock") for part in dependencies):
        yield "weights.lock: the provenance names another one"
    pins = {weight["sha256"] for weight in tomllib.loads(expected.decode())["weight"]}
    models = [part for part in loaded(folder, "sbom.cdx.json")["components"] if part["type"] == "machine-learning-model"]
    if {part["hashes"][0]["content"] for part in models} != pins:
        yield "weights.lock: the SBOM has other weights"


def sbom(folder):
    document = loaded(folder, "sbom.cdx.json")
    components = document["components"]
    listed = {(part["name"], part.get("version")) for part in components if "linked in" in str(part.get("properties"))}
    yield from (f"SBOM: {' '.join(crate)} is missing" for crate in crates().keys() - listed)
    own = {"glibc", "rust-std", "SQLite"}
    yield from (f"SBOM: {part['name']} is not linked" for part in components if part["type"] == "library"
                and part["name"] not in own and (part["name"], part["version"]) not in crates())
    if "file:" in json.dumps(document):
        yield "SBOM: an address of a file"
    if not document.get("serialNumber", "").startswith("urn:uuid:"):
        yield "SBOM: no serial number"
    if document["metadata"]["component"]["version"] != name_of(folder):
        yield f"SBOM: expected the version {name_of(folder)}"
    if not any(part["name"] == "SQLite" for part in components):
        yield "SBOM: SQLite is missing"
    for path, _, architecture in parts(folder, "tar.gz"):
        yield from toolchain_libraries(components, architecture, archive(path)["bin/ballast"])


def toolchain_libraries(components, architecture, program):
    """The versions that a program names of its own libraries."""
    for name, said in [("glibc", rb"stable release version ([0-9.]+)\."), ("rust-std", rb"rustc version ([0-9.]+)")]:
        version = re.search(said, program)[1].decode()
        if not any(part["name"] == name and part["version"] == version and f"linux/{architecture}" in str(part["properties"])
                   for part in components):
            yield f"SBOM: {name} {version} of {architecture} is missing"


def notices(folder):
    """Every linked crate, and the C library, with its terms, wherever programs are."""
    found = [(path, archive(path).get(NOTICES)) for path, *_ in parts(folder, "tar.gz")]
    found += [(path, image(path)[2].get(f"usr/share/doc/likeness/{NOTICES}")) for path, *_ in parts(folder, "oci.tar")]
    foreign = [" ".join(crate) for crate in crates() if packages()[crate]["source"]]
    for path, content in found:
        text = (content or b"").decode()
        titles = re.sub(r"\s+", " ", text)
        for what in [*foreign, "GNU LESSER GENERAL PUBLIC LICENSE", "the Rust standard library", "SQLite"]:
            # Once in the list, and at least once above a text.
            if titles.count(what) < (2 if what in foreign else 1):
                yield f"notices: {path.name}: {what} is missing"


def notes(folder):
    title = f"# Ballast and Likeness {name_of(folder)}"
    if (folder / "NOTES.md").read_text().splitlines()[0] != title:
        yield f"NOTES.md: expected \"{title}\" first"


def images(folder):
    names = set()
    for path, name, architecture in parts(folder, "oci.tar"):
        tags, configuration, inside = image(path)
        labels = configuration["config"].get("Labels", {})
        if configuration["architecture"] != architecture or tags != [f"likeness:{name}-{architecture}"] or names & set(tags):
            yield f"images: {path.name}: expected likeness:{name}-{architecture}, found {tags}, {configuration['architecture']}"
        names |= set(tags)
        if labels.get("org.opencontainers.image.version") != name or not labels.get("org.opencontainers.image.revision"):
            yield f"images: {path.name}: no labels of version and revision"
        if configuration.get("created") != labels.get("org.opencontainers.image.created", ""):
            yield f"images: {path.name}: expected the date of its label, found {configuration.get('created')}"
        yield from (f"images: {path.name}: {file} is the building machine's" for file in inside if file.startswith("etc/ssl"))


CHECKS = [sums, provenance, lock, sbom, notices, notes, images]


def main(folder):
    wrong = [problem for check in CHECKS for problem in check(Path(folder))]
    for problem in wrong:
        print(f"error: {problem}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
