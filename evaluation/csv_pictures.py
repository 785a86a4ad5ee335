"""Captioned pictures in a plain table: a file and a caption a line, several lines for several captions."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from lexiscope.errors import DatasetError, printable
from lexiscope.evaluation.captioned import CaptionedPictures

__all__ = ["read_csv"]

# How columns are called in the tables that go round (Flickr8k's own captions.txt has image,caption).
_FILES = ("file", "image", "filepath", "filename", "path", "image_path", "image_name")
_CAPTIONS = ("caption", "captions", "text", "title", "comment")


def read_csv(file: Path, images: Path | None) -> CaptionedPictures:
    """Read a table with a head line; commas, semicolons, tabs or bars part the columns.

    Args:
        file: the table; the columns are told by their names, `file` and `caption` or the like.
        images: where relative file names start; by default the folder of the table.

    Raises:
        DatasetError: it cannot be read, has no such columns, a line lacks a caption or a picture, or what
            `CaptionedPictures` refuses.
    """
    shown = printable(file)
    captions: dict[str, list[str]] = {}
    for number, name, caption in _lines(file, shown):
        if not name.strip():
            raise DatasetError(f"{shown}, line {number}: a caption without a picture; name its file")
        if not caption.strip():
            raise DatasetError(
                f"{shown}, line {number}: picture {name!r} without a caption; write it or leave the line out"
            )
        captions.setdefault(name.strip(), []).append(caption.strip())
    folder = images or file.parent
    files = [folder / name for name in captions]
    missing = [path for path in files if not path.is_file()]
    if missing:
        raise DatasetError(
            f"{printable(missing[0])}: is missing, and {len(missing)} of the {len(files)} pictures of "
            f"{shown} in all; say with --images where the pictures are"
        )
    return CaptionedPictures(
        name=file.stem,
        origin=shown,
        ids=tuple(captions),
        captions=tuple(tuple(own) for own in captions.values()),
        sources=partial(_stream, files),
    )


def _lines(file: Path, shown: str) -> Iterator[tuple[int, str, str]]:
    """Line number, file name and caption of every line below the head."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as table:
            head = table.readline()
            dialect = _delimiter(head)
            names = [name.strip().lower() for name in next(csv.reader([head], delimiter=dialect), [])]
            picture, caption = _column(names, _FILES), _column(names, _CAPTIONS)
            if picture is None or caption is None:
                raise DatasetError(
                    f"{shown}: has no columns file and caption (it begins {head.strip()[:80]!r}); "
                    "the first line must name the columns"
                )
            reader = csv.reader(table, delimiter=dialect, strict=True)
            for row in reader:
                if row:
                    padded = [*row, *[""] * (len(names) - len(row))]
                    yield reader.line_num + 1, padded[picture], padded[caption]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{shown}: cannot be read as a table ({error}); save it as CSV, UTF-8") from None


def _delimiter(head: str) -> str:
    return max(",;\t|", key=head.count)


def _column(names: list[str], known: tuple[str, ...]) -> int | None:
    return next((names.index(name) for name in known if name in names), None)


def _stream(files: list[Path]) -> Iterator[Path | bytes]:
    yield from files
