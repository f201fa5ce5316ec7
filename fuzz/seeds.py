#!/usr/bin/env python3
"""Writes the small seed files of the corpora of the three readers. Needs numpy, onnx and h5py.

    python3 fuzz/seeds.py
"""

import io
import pathlib
import struct

import h5py
import numpy as np
import onnx
from onnx import helper, numpy_helper

HERE = pathlib.Path(__file__).parent / "corpus"


def seed(reader, name, data):
    (HERE / reader / name).write_bytes(data)


def onnx_model():
    w = numpy_helper.from_array(np.ones((2, 3, 1, 1), np.float32), "w")
    b = numpy_helper.from_array(np.zeros(2, np.float32), "b")
    n = numpy_helper.from_array(np.zeros((), np.int64), "n")
    value = lambda name: helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["y"], kernel_shape=[1, 1], pads=[0, 0, 0, 0], group=1),
        helper.make_node("BatchNormalization", ["y", "b", "b", "b", "b"], ["z"], epsilon=1e-5),
        helper.make_node("Relu", ["z"], ["r"]),
    ]
    graph = helper.make_graph(nodes, "g", [value("x")], [value("r")], [w, b, n])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 9)]).SerializeToString()


def keras(libver, fixed, below, pieces):
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", libver=libver) as file:
        root = file.create_group(below) if below else file
        layers = ["conv", "empty", "norm"]
        text = (lambda names: np.array([n.encode() for n in names])) if fixed else (
            lambda names: np.array(names, dtype=h5py.string_dtype())
        )
        for number, part in enumerate(np.array_split(text(layers), pieces)):
            root.attrs["layer_names" if pieces == 1 else f"layer_names{number}"] = part
        for layer, shapes in [("conv", [(1, 1, 3, 2)]), ("empty", []), ("norm", [(2,), (2,), (2,)])]:
            group = root.create_group(layer)
            names = [f"{layer}/w{i}:0" for i in range(len(shapes))]
            group.attrs["weight_names"] = text(names) if names else np.asarray([])
            for name, shape in zip(names, shapes):
                group.create_dataset(name, data=np.ones(shape, "<f4"))
    return buffer.getvalue()


def torch():
    def text(value):
        return b"X" + struct.pack("<I", len(value)) + value.encode()

    def number(value):
        return b"J" + struct.pack("<i", value)

    def tensor(key, storage, kind, length, shape, stride):
        sizes = lambda values: b"(" + b"".join(map(number, values)) + b"t"
        reference = b"((" + text("storage") + b"ctorch\n" + kind + b"\n" + text(storage) + text("cpu")
        reference += number(length) + b"NtQ"
        rest = b"K\x00" + sizes(shape) + sizes(stride) + b"\x89ccollections\nOrderedDict\n)RtR"
        return text(key) + b"ctorch._utils\n_rebuild_tensor_v2\n" + reference + rest

    magic = (0x1950A86A20F9469CFC6C).to_bytes(10, "little")
    file = b"\x80\x02\x8a\n" + magic + b".\x80\x02M\xe9\x03."
    file += b"\x80\x02}q\x00(" + text("protocol_version") + b"M\xe9\x03" + text("little_endian") + b"\x88u."
    file += b"\x80\x02ccollections\nOrderedDict\nq\x00)Rq\x01("
    file += tensor("w", "1", b"FloatStorage", 6, (2, 3), (3, 1))
    file += tensor("n", "2", b"LongStorage", 1, (), ())
    file += b"u}" + text("_metadata") + b"h\x00)R" + b"sb.\x80\x02](" + text("1") + text("2") + b"e."
    return file + struct.pack("<q6f", 6, *range(6)) + struct.pack("<qq", 1, 5)


def main():
    seed("onnx", "small", onnx_model())
    for libver in ("earliest", "latest"):
        seed("keras", f"{libver}-variable", keras(libver, False, None, 1))
        seed("keras", f"{libver}-fixed-pieces-below", keras(libver, True, "model_weights", 2))
    seed("torch", "small", torch())


main()
