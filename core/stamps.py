"""What tells whether a file has changed since it was indexed."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from lexiscope.errors import UnreadableSource, printable

__all__ = ["content_hash", "size_and_time", "why"]

_CHUNK = 1 << 20


def why(error: OSError | ValueError, path: str) -> str:
    """Say what keeps a path from being visited."""
    if isinstance(error, PermissionError):
        return "no permission to read it; change its rights"
    if isinstance(error, OSError) and error.errno in {errno.ENOENT, errno.ELOOP, errno.ENOTDIR}:
        dangling = os.path.islink(path)
        return "is a link that leads nowhere; remove it" if dangling else "does not exist; check the path"
    return f"cannot be read ({getattr(error, 'strerror', None) or error})"


def size_and_time(files: Sequence[Path]) -> str:
    """Sizes and times of change, summed: a file that changes, comes or goes changes them.

    Raises:
        UnreadableSource: a file is not there any more.
    """
    size = time = 0
    for path in files:
        try:
            found = path.stat()
        except OSError as error:
            raise UnreadableSource(f"{printable(path)}: {why(error, str(path))}") from None
        size, time = size + found.st_size, time + found.st_mtime_ns
    return f"{size}-{time}"


def content_hash(files: Sequence[Path]) -> str:
    """Hash the contents of files (BLAKE2b), one after the other.

    Raises:
        UnreadableSource: a file cannot be read.
    """
    digest = hashlib.blake2b(digest_size=16)
    for path in files:
        try:
            with open(path, "rb") as file:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
        except OSError as error:
            raise UnreadableSource(f"{printable(path)}: {why(error, str(path))}") from None
    return digest.hexdigest()
