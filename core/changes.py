"""What is new, changed and gone among the sources of an index."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from lexiscope.errors import LexiscopeError, UnreadableSource
from lexiscope.sources import Skipped, Source, source_name

__all__ = ["changed", "gone", "size", "skip"]


def changed(sources: Iterable[Source], stamps: dict[str, str]) -> tuple[list[Source], int, list[Skipped]]:
    """Sort out the sources that are new or changed; count the others."""
    todo, unchanged, unreadable = [], 0, []
    for source in sources:
        try:
            if source.name in stamps and source.is_unchanged(stamps[source.name]):
                unchanged += 1
            else:
                todo.append(source)
        except UnreadableSource as error:
            unreadable.append(skip(source.name, error))
    return todo, unchanged, unreadable


def size(source: Source) -> int:
    """How much there is to do, for the progress bar: rows of a data set, else 1."""
    if source.kind != "parquet":
        return 1
    from pyarrow import ArrowException
    from pyarrow.parquet import read_metadata

    try:
        return int(read_metadata(source.path).num_rows)
    except (ArrowException, OSError):
        return 1


def gone(
    paths: Iterable[str | Path], stamps: Iterable[str], found: set[str], skipped: Sequence[Skipped]
) -> list[str]:
    """Indexed sources below the folders named that are no longer there.

    What could not be looked at is not gone: a folder that lost its rights keeps what was indexed from it.
    """
    roots = [_inside(source_name(path)) for path in paths if os.path.isdir(os.path.expanduser(path))]
    unseen = [entry.path for entry in skipped if entry.error]
    return [
        source
        for source in stamps
        if source not in found
        and any(source.startswith(root) for root in roots)
        and not any(source == path or source.startswith(_inside(path)) for path in unseen)
        and _is_gone(source)
    ]


def _inside(folder: str) -> str:
    return folder.rstrip(os.sep) + os.sep


def _is_gone(source: str) -> bool:
    try:
        os.lstat(source)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        pass  # it may well be there
    return False


def skip(name: str, error: LexiscopeError) -> Skipped:
    """What was wrong, without the name that the message begins with."""
    return Skipped(name, str(error).removeprefix(f"{name}: "))
