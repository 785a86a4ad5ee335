"""Karpathy's split files of Flickr8k, Flickr30k and MS COCO (`dataset_coco.json` and its like).

All captions that the file gives a picture are kept. A few pictures of COCO have six or seven, so that its
test split has 25,010 captions; protocols that keep the first five have 25,000, and figures that differ by
some hundredths of a point.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from pydantic import BaseModel, ValidationError

from lexiscope.errors import DatasetError, printable
from lexiscope.evaluation.captioned import CaptionedPictures


class _Sentence(BaseModel):
    raw: str  # the caption as it was written


class _Picture(BaseModel):
    filename: str
    filepath: str = ""  # COCO: the folder, train2014 or val2014
    split: str
    sentences: list[_Sentence]


class _Karpathy(BaseModel):
    dataset: str | None = None
    images: list[_Picture]


def read_karpathy(file: Path, images: Path | None, split: str | None) -> CaptionedPictures:
    """Read one split and find its pictures, `images/filepath/filename`, or `images/filename`.

    Args:
        file: the JSON file.
        images: folder of the pictures.
        split: `train`, `val`, `test`, `restval`, …; None where the file has one split only.

    Raises:
        DatasetError: it is no such file, the split is unknown, a picture file is missing, or what
            `CaptionedPictures` refuses.
    """
    shown = printable(file)
    content = _parse(file, shown)
    if images is None:
        raise DatasetError(f"{shown}: holds captions only; say with --images where the pictures are")
    chosen = _choose_split(shown, content.images, split)
    pictures = [picture for picture in content.images if picture.split == chosen]
    files = [_find(images, picture) for picture in pictures]
    missing = [path for path in files if not path.is_file()]
    if missing:
        raise DatasetError(
            f"{printable(missing[0])}: is missing, and {len(missing)} of the {len(files)} pictures of split "
            f"{chosen} in all; check --images"
        )
    return CaptionedPictures(
        name=f"{content.dataset or file.stem}/{chosen}",
        origin=shown,
        ids=tuple(picture.filename for picture in pictures),
        captions=tuple(tuple(sentence.raw for sentence in picture.sentences) for picture in pictures),
        sources=partial(_stream, files),
    )


def _parse(file: Path, shown: str) -> _Karpathy:
    try:
        return _Karpathy.model_validate_json(file.read_bytes())
    except OSError as error:
        raise DatasetError(f"{shown}: cannot be read ({error.strerror}); check the file's rights") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise DatasetError(
            f"{shown}: is no Karpathy split file ({f'{place}: ' if place else ''}{first['msg']}); "
            "it must hold images with filename, split and sentences"
        ) from None


def _choose_split(shown: str, pictures: list[_Picture], split: str | None) -> str:
    counts = Counter(picture.split for picture in pictures)
    if not counts:
        raise DatasetError(f"{shown}: has no pictures; name another file")
    if split is None and len(counts) == 1:
        return next(iter(counts))
    if split in counts:
        return str(split)
    known = ", ".join(f"{name} ({count:,})" for name, count in sorted(counts.items()))
    asked = f"has no split {split!r}" if split is not None else "has several splits"
    raise DatasetError(f"{shown}: {asked}; choose one with --split (known: {known})")


def _find(images: Path, picture: _Picture) -> Path:
    """Where a picture lies: below its `filepath` as COCO is unpacked, or flat."""
    places = (images / picture.filepath / picture.filename, images / picture.filename)
    return next((place for place in places if place.is_file()), places[0])


def _stream(files: list[Path]) -> Iterator[Path | bytes]:
    yield from files
