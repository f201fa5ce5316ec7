"""What the programs of a release link on Linux, for `tools/sbom`, `tools/notices` and `tools/release_checks.py`.

It asks cargo, and reads the crates that cargo fetched. Build scripts, procedural macros and crates for other
systems are not linked.
"""

import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
TRIPLES = {"amd64": "x86_64-unknown-linux-gnu", "arm64": "aarch64-unknown-linux-gnu"}
# As tools/static builds them.
PROGRAMS = {
    "ballast": ["-p", "ballast-cli"],
    "ballast-entrypoint": ["-p", "ballast-cli", "--no-default-features"],
    "likeness": ["-p", "likeness-server"],
}


def reported(*command):
    return subprocess.run(command, cwd=TOP, check=True, capture_output=True, text=True).stdout


def linked():
    """The programs that link each crate, by its name and version."""
    found = {}
    for program, options in PROGRAMS.items():
        for triple in TRIPLES.values():
            tree = reported("cargo", "tree", "--locked", "--prefix", "none", "--target", triple, "--edges",
                            "no-build,no-dev,no-proc-macro", *options)
            for line in tree.splitlines():
                name, version = line.split()[:2]
                found.setdefault((name, version.removeprefix("v")), set()).add(program)
    return found


@cache
def packages():
    """What cargo knows of each crate, by its name and version."""
    known = json.loads(reported("cargo", "metadata", "--locked", "--format-version", "1"))["packages"]
    return {(package["name"], package["version"]): package for package in known}


def folder(crate):
    return Path(packages()[crate]["manifest_path"]).parent


def sqlite():
    """The version of SQLite that `libsqlite3-sys` bundles."""
    [crate] = [crate for crate in linked() if crate[0] == "libsqlite3-sys"]
    header = (folder(crate) / "sqlite3/sqlite3.h").read_text()
    return re.search(r'^#define SQLITE_VERSION\s+"(.+)"', header, re.MULTILINE)[1]


def toolchains(files):
    return [json.loads(Path(file).read_text()) for file in files]


def refuse(what):
    sys.exit(f"error: {what}")
