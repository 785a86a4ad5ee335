"""Where added files are kept: `INDEX.files`, a folder beside the index.

They lie there under their own names, so that `lexiscope index INDEX.files --out INDEX` finds them again, and
deleting the index loses none of them. A file is never written over by another one of the same name.
"""

from __future__ import annotations

import os
import re
import tempfile
import unicodedata
from pathlib import Path

from lexiscope.errors import UnreadableSource, printable
from lexiscope.stamps import content_hash

__all__ = ["Uploads", "safe_name"]

_LONGEST = 120  # bytes of a file name
_UNSAFE = re.compile(r"[^\w .,()+@&'-]+")


class Uploads:
    """The folder of added files.

    Args:
        index: the index's folder.
    """

    def __init__(self, index: Path) -> None:
        absolute = Path(os.path.abspath(index))
        self.folder = absolute.with_name(absolute.name + ".files")

    def keep(self, name: str, content: bytes) -> tuple[Path, bool]:
        """Write a file under its name, whole or not at all.

        Args:
            name: as the browser gives it; nothing of it but the last part is used.
            content: what is in the file.

        Returns:
            Where it lies, and whether it is new: the same file with the same content is kept once.

        Raises:
            UnreadableSource: it is empty, or cannot be written.
        """
        shown = safe_name(name)
        if not content:
            raise UnreadableSource(f"{shown}: the file is empty (0 bytes); copy it again from where it came")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            return self._place(shown, content)
        except OSError as error:
            raise UnreadableSource(
                f"{shown}: cannot be kept in {printable(self.folder)} ({error.strerror}); make room or "
                "change the folder's rights"
            ) from error

    def _place(self, name: str, content: bytes) -> tuple[Path, bool]:
        handle, written = tempfile.mkstemp(prefix=".upload-", dir=self.folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            new = content_hash([Path(written)])
            for number in range(1, 10_000):
                place = self.folder / _numbered(name, number)
                try:
                    os.link(written, place)  # fails where there is a file already
                except FileExistsError:
                    if content_hash([place]) == new:
                        return place, False
                else:
                    return place, True
            raise UnreadableSource(f"{name}: there are too many files of this name; rename it")
        finally:
            os.unlink(written)

    def drop(self, source: str) -> None:
        """Remove a file that was added here and is in the index no more; others are left alone."""
        path = Path(source)
        if path.parent == Path(os.path.realpath(self.folder)) or path.parent == self.folder:
            path.unlink(missing_ok=True)


def safe_name(name: str) -> str:
    """A file name without folders, control signs and what file systems refuse; its suffix stays."""
    last = unicodedata.normalize("NFC", re.split(r"[/\\]", name)[-1])
    clean = _UNSAFE.sub("_", last).rstrip(" .").lstrip(" ")
    if not clean or clean.startswith("."):  # nothing is left, or it would be hidden
        clean = f"file{clean}"
    stem, suffix = os.path.splitext(clean)
    suffix = suffix if len(suffix.encode()) <= 16 else ""
    room = _LONGEST - len(suffix.encode())
    return (stem.encode()[:room].decode("utf-8", "ignore").strip() or "file") + suffix


def _numbered(name: str, number: int) -> str:
    stem, suffix = os.path.splitext(name)
    return name if number == 1 else f"{stem}-{number}{suffix}"
