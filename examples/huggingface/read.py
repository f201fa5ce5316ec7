"""Stands for your program: finds a repository's files in the cache of HF_HOME, without a network."""

import os
import sys

from huggingface_hub import snapshot_download

folder = snapshot_download(sys.argv[1])
for directory, _, names in sorted(os.walk(folder)):
    for name in sorted(names):
        path = os.path.join(directory, name)
        print(os.path.getsize(path), path, flush=True)
