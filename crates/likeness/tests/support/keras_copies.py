"""Rewrites a Keras weight file in one of the ways that Keras itself, or an attacker, might.

    python3 keras_copies.py SOURCE VARIANT COPY

Needs h5py. The same tensors in the good variants; each bad variant breaks one thing.
"""

import shutil
import sys

import h5py
import numpy as np


def names(group, attribute):
    return [n.decode() if isinstance(n, bytes) else n for n in group.attrs[attribute]]


def write_names(group, attribute, values, fixed, pieces=1):
    """As Keras does: one attribute, or numbered ones where the list is long."""
    kind = np.array([v.encode() for v in values]) if fixed else np.array(values, dtype=h5py.string_dtype())
    if pieces == 1:
        group.attrs[attribute] = kind
        return
    for number, part in enumerate(np.array_split(kind, pieces)):
        group.attrs[f"{attribute}{number}"] = part


def rewrite(source, copy, rename=False, fixed=False, below=None, pieces=1, libver="earliest", drop=None, swap=None):
    with h5py.File(source) as old, h5py.File(copy, "w", libver=libver) as file:
        root = file.create_group(below) if below else file
        layers = names(old, "layer_names")
        if swap:
            a, b = (layers.index(name) for name in swap)
            layers[a], layers[b] = layers[b], layers[a]
        new = {name: f"layer_{number}" if rename else name for number, name in enumerate(layers)}
        write_names(root, "layer_names", [new[n] for n in layers if n != drop], fixed, pieces)
        for name in layers:
            group = root.create_group(new[name])
            weights = names(old[name], "weight_names")
            moved = {w: f"{new[name]}/w{i}:0" if rename else w for i, w in enumerate(weights)}
            if not weights:
                group.attrs["weight_names"] = np.asarray([])  # f64, as Keras writes it
                continue
            write_names(group, "weight_names", list(moved.values()), fixed, min(pieces, len(weights)))
            for weight in weights:
                group.create_dataset(moved[weight], data=old[name][weight][()])


KERNEL = "Conv2d_2a_3x3/Conv2d_2a_3x3/kernel:0"
VARIANCE = "Conv2d_2a_3x3_BatchNorm/Conv2d_2a_3x3_BatchNorm/moving_variance:0"


def edit(source, copy, change):
    shutil.copyfile(source, copy)
    with h5py.File(copy, "r+") as file:
        change(file)


def replace(path, how, **options):
    def change(file):
        data = how(file[path][()])
        del file[path]
        file.create_dataset(path, data=data, **options)

    return change


def element(path, value):
    def change(file):
        file[path][(0,) * file[path].ndim] = value

    return change


def external(file):
    data = file[KERNEL][()]
    del file[KERNEL]
    size = data.nbytes
    file.create_dataset(KERNEL, shape=data.shape, dtype="<f4", external=[("/etc/hostname", 0, size)])


def linked(file):
    del file[KERNEL]
    file[KERNEL] = h5py.ExternalLink("/etc/hostname", "/x")


def loop(file):
    del file[KERNEL]
    file[KERNEL] = h5py.SoftLink("/" + KERNEL)


def twice(file):
    layers = names(file, "layer_names")
    layers[layers.index("Conv2d_2b_3x3")] = "Conv2d_2a_3x3"
    file.attrs["layer_names"] = np.array(layers, dtype=h5py.string_dtype())


def many(file):
    del file.attrs["layer_names"]
    file.attrs["layer_names"] = np.array([b"x"] * 5000)


def laughs(copy):
    """Four thousand references to one long string: 1.2 MB that unfold to 4 GB."""
    long, count = 1 << 20, 4000
    with h5py.File(copy, "w") as file:
        write_names(file, "layer_names", ["x" * long] + ["%05d" % n for n in range(count - 1)], fixed=False)
    data = bytearray(open(copy, "rb").read())
    first, second = long.to_bytes(4, "little"), (5).to_bytes(4, "little")
    at = data.find(first)
    while data[at + 16 : at + 20] != second:
        at = data.find(first, at + 1)
    data[at : at + 16 * count] = data[at : at + 16] * count
    open(copy, "wb").write(data)


GOOD = {
    "as it was": {},
    "layers renamed": {"rename": True},
    "fixed strings": {"fixed": True},
    "under model_weights": {"below": "model_weights"},
    "lists in pieces": {"pieces": 3},
    "everything at once": {"rename": True, "fixed": True, "below": "model_weights", "pieces": 5},
    "latest HDF5 structures": {"libver": "latest"},
}

BAD = {
    "a layer left out": lambda s, c: rewrite(s, c, drop="Block8_3_Conv2d_1x1"),
    "two layers swapped": lambda s, c: rewrite(s, c, swap=("Conv2d_2a_3x3", "Conv2d_2b_3x3")),
    "a layer listed twice": lambda s, c: edit(s, c, twice),
    "one long name four thousand times": lambda s, c: laughs(c),
    "five thousand layers": lambda s, c: edit(s, c, many),
    "no list of layers": lambda s, c: edit(s, c, lambda f: f.attrs.__delitem__("layer_names")),
    "doubles": lambda s, c: edit(s, c, replace(KERNEL, lambda d: d.astype("<f8"))),
    "halves": lambda s, c: edit(s, c, replace(KERNEL, lambda d: d.astype("<f2"))),
    "big-endian": lambda s, c: edit(s, c, replace(KERNEL, lambda d: d.astype(">f4"))),
    "integers": lambda s, c: edit(s, c, replace(KERNEL, lambda d: d.astype("<i4"))),
    "compressed": lambda s, c: edit(s, c, replace(KERNEL, lambda d: d, compression="gzip")),
    "transposed": lambda s, c: edit(s, c, replace(KERNEL, lambda d: d[:, :, :, :16].transpose(3, 2, 1, 0))),
    "bytes in another file": lambda s, c: edit(s, c, external),
    "a link to another file": lambda s, c: edit(s, c, linked),
    "a link to itself": lambda s, c: edit(s, c, loop),
    "a tensor gone": lambda s, c: edit(s, c, lambda f: f.__delitem__(KERNEL)),
    "not a number": lambda s, c: edit(s, c, element(KERNEL, np.nan)),
    "infinite": lambda s, c: edit(s, c, element(KERNEL, np.inf)),
    "negative variance": lambda s, c: edit(s, c, element(VARIANCE, -1e-6)),
}


def main(source, variant, copy):
    if variant in GOOD:
        rewrite(source, copy, **GOOD[variant])
    else:
        BAD[variant](source, copy)


main(*sys.argv[1:])
