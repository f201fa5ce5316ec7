"""Stands for `ollama serve`: finds a model in OLLAMA_MODELS by its manifest, and opens its blob."""

import json
import os
import sys

root = os.environ["OLLAMA_MODELS"]
with open(f"{root}/manifests/registry.ollama.ai/library/{sys.argv[1]}/latest") as file:
    layers = json.load(file)["layers"]
digest = next(layer["digest"] for layer in layers if layer["mediaType"].endswith("image.model"))
with open(f"{root}/blobs/{digest.replace(':', '-')}", "rb") as file:
    print(sys.argv[1], digest, file.read(4).decode())
