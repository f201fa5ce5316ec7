"""Hugging Face's own client reads the tree of HF_HOME, offline."""

import json
import os

from huggingface_hub import hf_hub_download, scan_cache_dir, snapshot_download
from huggingface_hub.errors import LocalEntryNotFoundError

try:
    open("/probe", "w").close()
    root = "can be written"
except OSError as error:
    root = error.strerror
by_name = hf_hub_download("org/tiny", "config.json")
weights = hf_hub_download("org/tiny", "sub/model.bin")
whole = snapshot_download("org/tiny")
try:
    hf_hub_download("org/tiny", "absent.json")
    absent = "found"
except LocalEntryNotFoundError:
    absent = "not here"
cache = scan_cache_dir()
print(json.dumps({
    "root": root,
    "uid": os.getuid(),
    "config": open(by_name).read(),
    "weights": open(weights).read(),
    "same": os.path.dirname(by_name) == whole,
    "absent": absent,
    "repositories": sorted(repository.repo_id for repository in cache.repos),
    "warnings": [str(warning) for warning in cache.warnings],
}))
