"""Check a model file before Keras reads it: damaged or hostile files can hang HDF5 or exhaust the memory.

Python handles no signals inside the HDF5 library, so a process that hangs there can only be killed. Another
process therefore opens the file first, with time and memory limits, and reads its whole structure.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

from mlflow_interp.exceptions import ModelError

SECONDS = 20  # plus the size of the file divided by:
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
    pass  # Keras reports the error in more detail
"""


def check_file(path: Path) -> None:
    """Refuse a .keras or HDF5 file that can't be read in bounded time and memory.

    Raises:
        ModelError: reading it hangs, crashes, or takes too much memory for a file of its size.
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
            f"{path.name!r} is not loaded: it would expand from {path.stat().st_size:,} to {total:,} bytes "
            f"(configuration: {config:,}), far more than a model; save or copy the model again"
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
            f"{path.name!r} is damaged: reading it takes longer than {seconds:.0f} s; "
            "save or copy the model again"
        ) from error
    if process.returncode < 0 or process.returncode == 3:
        what = "takes too much memory" if process.returncode == 3 else "crashes"
        raise ModelError(f"{path.name!r} is damaged: reading it {what}; save or copy the model again")
