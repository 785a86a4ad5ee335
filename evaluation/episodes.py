"""Episodes with their right chapters: one JSON object a line, gzipped or not.

`{"id", "lang", "title", "description", "units": [{"speaker", "start", "text"}],
"chapters": [{"unit", "title", "start"?}], "split"?}`, where `unit` is the index of a chapter's first unit.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lexiscope.errors import DatasetError, printable
from lexiscope.text.transcript import Transcript, Unit, one_line, seconds

__all__ = ["Episode", "read_episodes"]


@dataclass(frozen=True)
class Episode:
    """An episode whose chapters are known."""

    id: str
    transcript: Transcript  # with one unit or more; its marks are left out, so that nothing is given away
    cuts: tuple[int, ...]  # first units of the right chapters, ascending, beginning with 0
    titles: tuple[str, ...]  # of the right chapters; empty where there is none
    split: str = ""


def read_episodes(file: str | Path, *, split: str | None = None) -> list[Episode]:
    """Read a file of episodes.

    Args:
        file: `.jsonl` or `.jsonl.gz`.
        split: take only episodes of this split.

    Raises:
        DatasetError: the file is missing, broken, or has no episodes; the message names the line.
    """
    path = Path(file).expanduser()
    shown = printable(path)
    if not path.is_file():
        raise DatasetError(f"{shown}: there is no such file; name a .jsonl or .jsonl.gz file of episodes")
    episodes = []
    for number, line in _lines(path):
        try:
            episode = _episode(json.loads(line), number)
        except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError) as error:
            what = f"no {error} in it" if isinstance(error, KeyError) else str(error)
            raise DatasetError(
                f"{shown}, line {number}: is no episode ({what}); see docs/chapters.md"
            ) from None
        if split is None or episode.split == split:
            episodes.append(episode)
    if not episodes:
        which = f" of the split {split!r}" if split is not None else ""
        raise DatasetError(f"{shown}: there are no episodes{which} in it; name another file")
    return episodes


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines that are not empty, with their numbers."""
    try:
        with path.open("rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
        with gzip.open(path, "rt", encoding="utf-8") if zipped else path.open(encoding="utf-8") as lines:
            yield from ((number, line) for number, line in enumerate(lines, 1) if line.strip())
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise DatasetError(f"{printable(path)}: the archive is damaged; copy the file again") from None
    except UnicodeDecodeError:
        raise DatasetError(f"{printable(path)}: is not UTF-8; convert it or name another file") from None


def _episode(data: dict[str, Any], number: int) -> Episode:
    units = tuple(
        Unit(one_line(unit["text"]), unit.get("speaker") or None, seconds(unit.get("start")))
        for unit in data["units"]
    )
    if not units:
        raise ValueError("no units")
    chapters = {int(chapter["unit"]): str(chapter.get("title") or "") for chapter in data["chapters"]}
    if chapters and not 0 <= min(chapters) <= max(chapters) < len(units):
        raise ValueError(f"a chapter begins at unit {max(chapters)} of {len(units)}")
    chapters.setdefault(0, "")
    cuts = tuple(sorted(chapters))
    transcript = Transcript(str(data.get("title") or ""), units, str(data.get("description") or ""))
    titles = tuple(chapters[cut] for cut in cuts)
    return Episode(str(data.get("id", number)), transcript, cuts, titles, str(data.get("split") or ""))
