"""Writes store: one tiny model as `ollama pull` leaves it, a manifest and blobs under their digests."""

import hashlib
import json
import os


def blob(data, kind):
    digest = hashlib.sha256(data).hexdigest()
    os.makedirs("store/blobs", exist_ok=True)
    with open(f"store/blobs/sha256-{digest}", "wb") as file:
        file.write(data)
    return {"mediaType": f"application/vnd.{kind}", "digest": f"sha256:{digest}", "size": len(data)}


# GGUF, version 3, without tensors and keys.
model = b"GGUF" + (3).to_bytes(4, "little") + bytes(16)
manifest = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
    "config": blob(b'{"model_format":"gguf"}', "docker.container.image.v1+json"),
    "layers": [blob(model, "ollama.image.model"), blob(b"a licence", "ollama.image.license")],
}
os.makedirs("store/manifests/registry.ollama.ai/library/tiny", exist_ok=True)
with open("store/manifests/registry.ollama.ai/library/tiny/latest", "w") as file:
    json.dump(manifest, file)
