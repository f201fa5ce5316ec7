"""A real reader of the replaced service's weights: h5py and onnxruntime open them where the variable says."""

import os

import h5py
import onnxruntime

onnxruntime.set_default_logger_severity(3)
weights = os.path.join(os.environ["DEEPFACE_HOME"], ".deepface", "weights")
print("started", flush=True)
try:
    open("/probe", "w").close()
    raise SystemExit("the root can be written")
except OSError as error:
    print(f"root: {error.strerror}")

arrays, values = 0, 0


def count(_, node):
    global arrays, values
    if isinstance(node, h5py.Dataset):
        arrays += 1
        values += node[()].size


with h5py.File(os.path.join(weights, "facenet512_weights.h5"), "r") as file:
    file.visititems(count)
session = onnxruntime.InferenceSession(os.path.join(weights, "centerface.onnx"), providers=["CPUExecutionProvider"])
print(f"uid {os.getuid()}:{os.getgid()}, {arrays} arrays of {values} values, {len(session.get_outputs())} outputs")
