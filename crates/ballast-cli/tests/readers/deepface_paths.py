"""Which files DeepFace opens, asked of DeepFace's own code.

DeepFace itself is installed without its dependencies: TensorFlow, torch, OpenCV and the rest are
stand-ins that only take note of the path that they were told to load. A download is an error.
"""

import importlib.abc
import importlib.machinery
import json
import os
import sys
from unittest.mock import MagicMock

STAND_INS = ("cv2", "gdown", "numpy", "onnxruntime", "requests", "tensorflow", "torch")


class Module(MagicMock):
    """Any attribute; importable as a package."""

    __path__ = []
    __version__ = "2.16.1"


class StandIns(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in STAND_INS:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec):
        return Module(name=spec.name)

    def exec_module(self, module):
        pass


sys.meta_path.insert(0, StandIns())
# The spoof networks themselves, which are built of torch's classes.
sys.modules["deepface.models.spoofing.FasNetBackbone"] = Module()

from deepface.models.face_detection import CenterFace

import cv2
import gdown
import onnxruntime
import requests
import torch

opened = []
gdown.download.side_effect = lambda url, *_, **__: sys.exit(f"DeepFace would download {url}")
cv2.dnn.readNetFromONNX.side_effect = lambda path: opened.append(path) or MagicMock()
torch.load.side_effect = lambda path, *_, **__: opened.append(path) or {"conv1.weight": 0}

onnxruntime.InferenceSession.side_effect = lambda path, *_, **__: opened.append(path) or MagicMock()
requests.head.return_value.status_code = 200
onnxruntime.get_available_providers.return_value = ["CPUExecutionProvider"]

CenterFace.CenterFaceClient().build_model()
try:  # 0.0.103, with the engine that it takes by default
    from deepface.models.facial_recognition.onnx import Facenet
    from deepface.models.spoofing.onnx import FasNet

    Facenet.FaceNet512dClient()
except ModuleNotFoundError:
    from deepface.models.facial_recognition import Facenet
    from deepface.models.spoofing import FasNet

    model = Facenet.load_facenet512d_model()
    opened.extend(call.args[0] for call in model.load_weights.call_args_list)
FasNet.Fasnet()

for path in opened:
    with open(path, "rb") as file:
        file.read()
print(json.dumps({"uid": os.getuid(), "opened": sorted(map(str, opened))}))
