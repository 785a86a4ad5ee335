"""Durable steps on disk. A file is written whole, synced, and never changed after; one rename makes it count.

Every write, sync and rename of the index goes through here (SQLite does its own), so that tests can let each
one fail.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from lexiscope.errors import DamagedIndex, IndexFolderError, printable

_CHUNK = 1 << 22
#: What to do about a damaged file.
REMEDY = "mend the index with `lexiscope check --repair`, restore the folder from a backup, or index it anew"


@dataclass(frozen=True)
class FileEntry:
    """What the manifest knows of a file."""

    size: int  # bytes
    sha256: str  # hex, as printed by sha256sum


class _Hashing:
    """A file for writing that counts and hashes on the way, so that nothing is read back."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.size = 0
        self.hash = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.file.write(data)
        self.size += len(data)
        self.hash.update(data)
        return len(data)


def write_array(path: Path, array: npt.NDArray[np.generic]) -> FileEntry:
    """Write a new .npy file and sync it; return its size and checksum."""
    with open(path, "xb") as file:
        target = _Hashing(file)
        np.lib.format.write_array(target, array, allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())
    return FileEntry(target.size, target.hash.hexdigest())


def replace_file(path: Path, payload: bytes) -> None:
    """Put `payload` in the place of `path`: written beside it, synced, renamed, the folder synced."""
    beside = path.with_name(path.name + ".new")
    with open(beside, "wb") as file:
        file.write(payload)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable, where the system can."""
    if os.name == "nt":  # Windows opens no folders
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def open_array(path: Path, dtypes: tuple[type[np.generic], ...]) -> npt.NDArray[np.generic]:
    """Memory-map a one-dimensional .npy file of one of these types, read-only.

    Raises:
        DamagedIndex: It is missing, or no such array.
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise DamagedIndex(f"{printable(path)} is missing: {REMEDY}") from None
    except (ValueError, EOFError, OSError, SyntaxError) as error:
        raise damaged(path, f"cannot be read ({type(error).__name__})") from error
    if not isinstance(array, np.ndarray) or array.ndim != 1 or array.dtype not in dtypes:
        names = " or ".join(np.dtype(dtype).name for dtype in dtypes)
        raise damaged(path, f"does not hold {names} values")
    return array.view(np.ndarray)


def check_size(path: Path, entry: FileEntry) -> None:
    """Raise DamagedIndex unless the file is there and as long as it was written."""
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        raise DamagedIndex(f"{printable(path)} is missing: {REMEDY}") from None
    if size != entry.size:
        raise damaged(path, f"has {size} bytes instead of {entry.size}")


def check_content(path: Path, entry: FileEntry) -> None:
    """Raise DamagedIndex unless the file is, byte for byte, what was written. Reads all of it."""
    check_size(path, entry)
    found = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while chunk := file.read(_CHUNK):
                found.update(chunk)
    except OSError as error:
        raise damaged(path, f"cannot be read ({error.strerror})") from error
    if found.hexdigest() != entry.sha256:
        raise damaged(path, "has changed since it was written (its checksum differs)")


def damaged(path: Path, what: str) -> DamagedIndex:
    """Return the error for a damaged file."""
    return DamagedIndex(f"{printable(path)} {what}: {REMEDY}")


@contextmanager
def explained(folder: Path, doing: str) -> Iterator[None]:
    """Turn an OSError into one line that names the folder, the cause and what to do."""
    try:
        yield
    except OSError as error:
        cause = error.strerror or type(error).__name__
        cure = "free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "see to it"
        raise IndexFolderError(
            f"{printable(folder)}: cannot {doing} ({cause}); nothing stored is lost: {cure} and run it again"
        ) from error
