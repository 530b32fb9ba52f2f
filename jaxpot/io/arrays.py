"""Safe reading of arrays from ``.npz`` and ``.npy`` files, whose headers may be wrong."""

from __future__ import annotations

import math
import os
import zipfile
from typing import IO, Any

import numpy as np

from jaxpot.io.errors import FileFormatError

__all__ = ["open_npy", "read_npz"]

Path = str | os.PathLike[str]
MOST = 1 << 32  # bytes; limit for all arrays of a file
DEFLATE = 1100  # highest possible ratio of unpacked to packed bytes
REMEDY = "get or write the file again"


def read_npz(path: Path, most: int = MOST) -> dict[str, np.ndarray]:
    """Reads the arrays of an ``.npz`` file by name.

    The size in each header is compared with the size of the file before memory is allocated, and no code is run.

    Args:
        path: the file.
        most: limit for the bytes of all arrays together.

    Returns:
        The arrays.

    Raises:
        FileFormatError: the file is missing or damaged, or holds anything but arrays of numbers and strings.

    Example:
        >>> np.savez("two.npz", a=np.arange(3), b=np.eye(2))
        >>> sorted(read_npz("two.npz"))
        ['a', 'b']
    """
    try:
        with open(path, "rb") as stream:  # opened here, because np.load would leave a file open that is no archive
            with zipfile.ZipFile(stream) as archive:
                total = 0
                for info in archive.infolist():
                    _check_packed(path, info)
                    with archive.open(info) as member:
                        total += _claimed(path, info.filename, member, info.file_size)
                if total > most:
                    raise FileFormatError(path, None, f"claims {total:.3g} bytes, more than {most:.3g}", REMEDY)
            stream.seek(0)
            with np.load(stream, allow_pickle=False) as file:
                return {name: np.asarray(file[name]) for name in file.files}
    except FileFormatError:
        raise
    except Exception as error:  # numpy and zipfile raise whatever their parsers do
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise FileFormatError(path, None, f"is no .npz of plain arrays ({reason})", REMEDY) from error


def open_npy(path: Path) -> np.memmap:
    """Opens the array of an ``.npy`` file as a memory map.

    Args:
        path: the file.

    Returns:
        The memory-mapped array.

    Raises:
        FileFormatError: the file is missing or damaged, or shorter than its header says.

    Example:
        >>> np.save("one.npy", np.arange(3))
        >>> open_npy("one.npy").tolist()
        [0, 1, 2]
    """
    try:
        with open(path, "rb") as stream:
            _claimed(path, os.path.basename(path), stream, os.path.getsize(path))
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileFormatError:
        raise
    except Exception as error:  # numpy and zipfile raise whatever their parsers do
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise FileFormatError(path, None, f"is no .npy of a plain array ({reason})", REMEDY) from error
    assert isinstance(found, np.memmap)
    return found


def _check_packed(path: Path, info: zipfile.ZipInfo) -> None:
    if info.file_size > DEFLATE * max(info.compress_size, 1):
        message = f"{info.filename} claims {info.file_size:.3g} bytes, packed in {info.compress_size}"
        raise FileFormatError(path, None, message, REMEDY)


def _claimed(path: Path, name: str, stream: IO[bytes] | Any, size: int) -> int:
    """The bytes of an array according to its header; FileFormatError where the file is shorter."""
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(stream)
    if dtype.hasobject:
        raise FileFormatError(path, None, f"{name} holds Python objects, not numbers", "write plain arrays")
    claimed = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or claimed > size - stream.tell():
        message = f"{name} claims to be of shape {list(shape)}, which the file has no room for"
        raise FileFormatError(path, None, message, REMEDY)
    return claimed
