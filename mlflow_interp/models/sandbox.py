"""Check a model file before Keras reads it: damaged or hostile files can hang HDF5, or fill the memory.

Python handles no signals inside the HDF5 library, and a hang there can only be killed. So another process
opens the file first, with limits on its time and memory, and reads all of its structure.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

from mlflow_interp.exceptions import ModelError

SECONDS = 20  # plus one for every so many bytes:
BYTES_A_SECOND = 20_000_000
MEMORY = 4_000_000_000  # plus four times the size of the file
LARGEST_CONFIG = 64_000_000  # bytes of JSON; the largest of keras.applications has 2 MB
MOST_EXPANSION = 100  # a .keras archive is not compressed, and a compressed one shrinks by half

# Nothing but h5py is imported, which takes a fraction of a second.
_SCRIPT = """
import io, resource, sys, zipfile
path, memory = sys.argv[1], int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
import h5py
def look(name, item):
    dict(item.attrs)
    if isinstance(item, h5py.Dataset):
        item.shape, item.dtype, item.chunks
        if item.chunks:
            item[()]
def open_all(file):
    dict(file.attrs)
    file.visititems(look)
try:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith(".h5"):
                    with h5py.File(io.BytesIO(archive.read(name))) as file:
                        open_all(file)
    else:
        with h5py.File(path) as file:
            open_all(file)
except MemoryError:
    sys.exit(3)
except Exception:
    pass  # what Keras will say of it, says more
"""


def check_file(path: Path) -> None:
    """Refuse a .keras or HDF5 file that can't be read in bounded time and memory.

    Raises:
        ModelError: reading it does not end, breaks off, or takes more memory than such a file may.
    """
    if zipfile.is_zipfile(path):
        _check_sizes(path)
    if sys.platform != "win32":
        _read_in_subprocess(path)


def _check_sizes(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        sizes = {member.filename: member.file_size for member in archive.infolist()}
    config = sizes.get("config.json", 0)
    total = sum(sizes.values())
    if config > LARGEST_CONFIG or total > max(LARGEST_CONFIG, MOST_EXPANSION * path.stat().st_size):
        raise ModelError(
            f"{path.name!r} would expand from {path.stat().st_size:,} to {total:,} bytes, {config:,} of them "
            "its configuration, as no model does; it is not loaded: save or copy the model anew"
        )


def _read_in_subprocess(path: Path) -> None:
    size = path.stat().st_size
    seconds = SECONDS + size / BYTES_A_SECOND
    command = [sys.executable, "-I", "-c", _SCRIPT, str(path), str(MEMORY + 4 * size)]
    try:
        process = subprocess.run(  # noqa: S603 - our own Python
            command, timeout=seconds, capture_output=True, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired as error:
        raise ModelError(
            f"{path.name!r} is damaged: reading it does not end ({seconds:.0f} s); "
            "save or copy the model anew"
        ) from error
    if process.returncode < 0 or process.returncode == 3:
        what = "takes too much memory" if process.returncode == 3 else "breaks off"
        raise ModelError(f"{path.name!r} is damaged: reading it {what}; save or copy the model anew")
