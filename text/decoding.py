"""Read a text file in whatever encoding it was saved."""

from __future__ import annotations

import codecs
import os
import re
from pathlib import Path

from lexiscope.errors import UnreadableSource, printable

__all__ = ["decode", "read_bytes", "read_text"]

_MARKS = (  # UTF-32 first: its little-endian mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


def read_text(path: str | Path) -> str:
    r"""Read a whole text file; line ends become `\n`.

    Raises:
        UnreadableSource: it cannot be opened, is empty, or is no text.
    """
    text = decode(read_bytes(path))
    # A text has next to no control characters; a picture or a recording has hundreds in its first kilobytes.
    if len(_CONTROL.findall(text[:8192])) > len(text[:8192]) // 100:
        raise UnreadableSource(
            f"{printable(path)}: is no text; name a transcript (vtt, srt, json, txt or md)"
        )
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_bytes(path: str | Path) -> bytes:
    """Read a whole file.

    Raises:
        UnreadableSource: it cannot be opened, or is empty.
    """
    name = printable(path)
    try:
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        raise UnreadableSource(f"{name}: there is no such file; check the path") from None
    except IsADirectoryError:
        raise UnreadableSource(f"{name}: is a folder, not a transcript; name a file in it") from None
    except PermissionError:
        raise UnreadableSource(f"{name}: no permission to read it; change the file's rights") from None
    except (OSError, ValueError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise UnreadableSource(f"{name}: cannot be read ({reason}); check the file") from None
    if not data:
        raise UnreadableSource(f"{name}: the file is empty (0 bytes); copy it again from where it came")
    return data


def decode(data: bytes) -> str:
    """Decode UTF-8, UTF-16 and UTF-32 with or without a byte order mark, and the Windows and Latin-1 of old.

    UTF-8 is tried byte by byte: a byte that is none is taken as Windows-1252. So one stray byte in a UTF-8
    file costs one letter, and a file wholly in Latin-1 comes out right, since its accented letters are
    followed by plain ones.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    head = data[:4096]
    if b"\0" in head:  # plain letters are half zeros in UTF-16
        odd, even = head[1::2].count(0), head[0::2].count(0)
        if max(odd, even) > len(head) // 8 and min(odd, even) <= len(head) // 64:
            return data.decode("utf-16-le" if odd > even else "utf-16-be", "replace")
    return data.decode("utf-8", "lexiscope.windows")


def _as_windows(error: UnicodeError) -> tuple[str, int]:
    """Take the bytes that are no UTF-8 as Windows-1252, and those it leaves out as Latin-1."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    wrong = error.object[error.start : error.end]
    letters = (bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in wrong)
    return "".join(letters), error.end


codecs.register_error("lexiscope.windows", _as_windows)
