"""Captioned pictures in WebDataset tars, as CLIP benchmark keeps them: `0000.jpg` beside `0000.txt`.

A sample is what has the same name up to the first dot of its last part; its text file has a caption a line. A
data set is one tar, or a folder of tars that are read in the order of their numbers (`0.tar`, …, `10.tar`).
"""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath

from lexiscope.errors import DatasetError, printable
from lexiscope.evaluation.captioned import CaptionedPictures
from lexiscope.vision.pictures import PICTURE_SUFFIXES

__all__ = ["read_webdataset", "shards"]

_TEXTS = {"txt", "caption", "json"}


def shards(path: Path) -> list[Path]:
    """The tars of a data set: the file itself, or those in a folder or its folder `test`, by number."""
    if path.is_file():
        return [path]
    inside = [file for folder in (path, path / "test") for file in folder.glob("*.tar") if file.is_file()]
    return sorted(inside, key=_natural)


def _natural(file: Path) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", file.name)]


def read_webdataset(path: Path) -> CaptionedPictures:
    """Read the captions; the pictures are streamed later, tar after tar.

    Args:
        path: a .tar file, or a folder of them.

    Raises:
        DatasetError: a tar is broken, a picture has no caption or a caption no picture, or what
            `CaptionedPictures` refuses.
    """
    shown, files = printable(path), shards(path)
    captions: dict[str, tuple[str, ...]] = {}
    pictures: list[str] = []
    for file in files:
        for key, suffix, content in _members(file):
            if suffix in _TEXTS:
                captions[key] = _captions(content, suffix, f"{printable(file)}: sample {key!r}")
            elif f".{suffix}" in PICTURE_SUFFIXES:
                pictures.append(key)
    _check(shown, pictures, captions)
    return CaptionedPictures(
        name=path.name.removesuffix(".tar"),
        origin=shown,
        ids=tuple(pictures),
        captions=tuple(captions[key] for key in pictures),
        sources=partial(_stream, files),
    )


def _check(shown: str, pictures: list[str], captions: dict[str, tuple[str, ...]]) -> None:
    lonely = sorted(set(pictures) - set(captions))
    if lonely:
        raise DatasetError(
            f"{shown}: picture {lonely[0]!r} has no caption, nor have {len(lonely) - 1} others; put a .txt "
            "beside each"
        )
    orphans = sorted(set(captions) - set(pictures))
    if orphans:
        raise DatasetError(
            f"{shown}: caption {orphans[0]!r} has no picture, nor have {len(orphans) - 1} others; put the "
            "picture beside each or leave the text out"
        )


def _members(file: Path, *, pictures: bool = False) -> Iterator[tuple[str, str, bytes]]:
    """Key, suffix and content of the files of a tar; contents of pictures only where they are wanted."""
    with _opened(file) as tar:
        for member in tar:
            name = PurePosixPath(member.name)
            stem, _, suffix = name.name.partition(".")
            if not member.isfile() or not stem:
                continue
            suffix = suffix.lower().rpartition(".")[2]
            is_text = suffix in _TEXTS
            if is_text == pictures:
                if not pictures:
                    yield str(name.parent / stem), suffix, b""
                continue
            content = tar.extractfile(member)
            yield str(name.parent / stem), suffix, b"" if content is None else content.read()


@contextmanager
def _opened(file: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(file, "r:*") as tar:
            yield tar
    except (tarfile.TarError, OSError, EOFError) as error:
        raise DatasetError(
            f"{printable(file)}: is a broken tar ({error}); copy it again from where it came"
        ) from None


def _captions(content: bytes, suffix: str, where: str) -> tuple[str, ...]:
    """A caption a line; of JSON, its `caption` or `captions`."""
    try:
        text = content.decode("utf-8")
        if suffix != "json":
            return tuple(line.strip() for line in text.splitlines() if line.strip())
        values = json.loads(text)
        found = values.get("captions", values.get("caption", []))
        return tuple(str(one) for one in ([found] if isinstance(found, str) else found))
    except (UnicodeDecodeError, ValueError, AttributeError, TypeError) as error:
        raise DatasetError(f"{where}: its caption cannot be read ({error}); write it as UTF-8") from None


def _stream(files: list[Path]) -> Iterator[Path | bytes]:
    for file in files:
        for _, suffix, content in _members(file, pictures=True):
            if f".{suffix}" in PICTURE_SUFFIXES:
                yield content
