"""Photographs in place of random bytes: live, a spoof, no face, two faces.

Schemathesis reads this file (SCHEMATHESIS_HOOKS). LIKENESS_TESTDATA names the test data.
"""

import base64
import os
import struct
import zlib
from pathlib import Path

import schemathesis
from hypothesis import strategies as st

IMAGES = Path(os.environ["LIKENESS_TESTDATA"]) / "images"


def grey(width: int, height: int) -> bytes:
    """A PNG of one grey: no face."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\x7f" * width) * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


PHOTOGRAPHS = {
    "live": (IMAGES / "crowd_01.jpg").read_bytes(),
    "spoof": (IMAGES / "anna_fake.jpg").read_bytes(),
    "none": grey(64, 48),
    "two faces": (IMAGES / "two.jpg").read_bytes(),
}

photographs = st.sampled_from(list(PHOTOGRAPHS.values()))
schemathesis.openapi.format("binary", photographs)
schemathesis.openapi.format("byte", photographs.map(lambda bytes: base64.b64encode(bytes).decode()))
