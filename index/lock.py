"""One writer at a time: an advisory file lock, which the system drops when the process ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lexiscope.errors import IndexLocked, printable
from lexiscope.index.files import explained

LOCK = "write.lock"


@contextmanager
def writer_lock(folder: Path) -> Iterator[None]:
    """Hold the folder's write lock.

    Raises:
        IndexLocked: Another process, or another batch of this one, is writing to the folder.
        IndexFolderError: The folder cannot be written to.
    """
    with explained(folder, "write"):
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if not _try_lock(handle):
            writer = os.read(handle, 32).decode("ascii", "replace").strip()
            raise IndexLocked(
                f"{printable(folder)} is being written to by process {writer or 'unknown'}: "
                "wait until it is done, or stop it"
            )
        with explained(folder, "write"):
            os.ftruncate(handle, 0)
            os.write(handle, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(handle)


if sys.platform == "win32":
    import msvcrt

    def _try_lock(handle: int) -> bool:
        os.lseek(
            handle, 1 << 20, os.SEEK_SET
        )  # Windows locks bytes against reading: take one beyond the process number
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(handle, 0, os.SEEK_SET)
        return True

else:
    import fcntl

    def _try_lock(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
