"""Writes models/double.onnx: a model of one node, y = x + x, for three numbers. ONNX is protobuf, so no package is needed."""

import os


def field(number, value):
    if isinstance(value, int):
        return bytes([number << 3, value])
    value = value.encode() if isinstance(value, str) else value
    return bytes([number << 3 | 2, len(value)]) + value


shape = field(2, field(1, field(1, 3)))
tensor = field(2, field(1, field(1, 1) + shape))
node = field(1, "x") + field(1, "x") + field(2, "y") + field(4, "Add")
graph = field(1, node) + field(2, "double") + field(11, field(1, "x") + tensor) + field(12, field(1, "y") + tensor)
model = field(1, 8) + field(7, graph) + field(8, field(2, 13))
os.makedirs("models", exist_ok=True)
with open("models/double.onnx", "wb") as file:
    file.write(model)
