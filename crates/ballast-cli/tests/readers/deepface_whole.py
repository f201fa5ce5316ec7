"""DeepFace itself, with TensorFlow and torch, loads its four networks from where the variable says."""

import json
import os

from deepface.commons import weight_utils
from deepface.modules import modeling


def noted(file_name, source_url, compress_type=None):
    path = find(file_name, source_url, compress_type)
    opened.append(path)
    return path


opened, find = [], weight_utils.download_weights_if_necessary
weight_utils.gdown.download = lambda url, *_, **__: exit(f"DeepFace would download {url}")
weight_utils.download_weights_if_necessary = noted
modeling.build_model("facial_recognition", "Facenet512")
modeling.build_model("face_detector", "centerface").build_model()
modeling.build_model("spoofing", "Fasnet")
print(json.dumps({"uid": os.getuid(), "opened": sorted(opened)}))
