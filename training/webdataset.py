"""Pictures with captions for training: Parquet files, and the tars of WebDataset as img2dataset writes them.

A tar holds `000012.jpg` and `000012.txt` (or a caption in `000012.json`) side by side. Tars are not
unpacked: one
walk over their headers notes where each member lies, and from then on any sample is read by its number, so
that a
run that was killed goes on with the batches that it would have seen.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL.Image import Image

from lexiscope.errors import DatasetError, UnreadableSource
from lexiscope.vision.pictures import open_picture

__all__ = ["Captioned", "open_captioned"]

_PICTURES = (".jpg", ".jpeg", ".png", ".webp")


class Captioned(Protocol):
    """Captioned pictures by number."""

    def __len__(self) -> int: ...

    def picture(self, number: int) -> Image:
        """The picture, upright RGB."""

    def captions(self, number: int) -> list[str]:
        """Its captions, one or more."""


def open_captioned(files: Sequence[Path], *, side: int) -> Captioned:
    """Open Parquet files and tars, one after another.

    Args:
        files: `.parquet` (columns image, captions) or `.tar`.
        side: pixels that pictures will be scaled to; larger ones are decoded smaller.

    Raises:
        DatasetError: a file is missing, of another kind, or has no captioned picture.
    """
    parts: list[Captioned] = []
    for file in files:
        if not file.is_file():
            raise DatasetError(f"{file}: no such file; name the folder that holds it with --data")
        if file.suffix == ".parquet":
            parts.append(_Parquet(file, side))
        elif file.suffix == ".tar":
            parts.append(_Tar(file, side))
        else:
            raise DatasetError(f"{file}: pictures are read from .parquet and .tar files only")
    found = _Chain(parts)
    if not len(found):
        raise DatasetError(f"{files[0]}: no captioned picture in it")
    return found


class _Chain:
    def __init__(self, parts: Sequence[Captioned]) -> None:
        self._parts = parts
        self._starts = np.cumsum([0, *(len(part) for part in parts)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def _at(self, number: int) -> tuple[Captioned, int]:
        part = int(np.searchsorted(self._starts, number, side="right")) - 1
        return self._parts[part], number - int(self._starts[part])

    def picture(self, number: int) -> Image:
        part, place = self._at(number)
        return part.picture(place)

    def captions(self, number: int) -> list[str]:
        part, place = self._at(number)
        return part.captions(place)


class _Parquet:
    """A file in memory; its pictures stay compressed."""

    def __init__(self, file: Path, side: int) -> None:
        import pyarrow.parquet as pq

        missing = {"image", "captions"} - set(pq.ParquetFile(file).schema_arrow.names)
        if missing:
            raise DatasetError(
                f"{file}: no column {', '.join(sorted(missing))}; expected id, image, captions"
            )
        self._file, self._side = file, side
        self._table = pq.read_table(file, columns=["image", "captions"])

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def picture(self, number: int) -> Image:
        data = self._table.column("image")[number].as_py()["bytes"]
        return open_picture(data, size_hint=self._side, name=f"{self._file}: picture {number}")

    def captions(self, number: int) -> list[str]:
        found: list[str] = self._table.column("captions")[number].as_py()
        return found


class _Tar:
    """A tar on disk, and where its members lie."""

    def __init__(self, file: Path, side: int) -> None:
        self._file, self._side = file, side
        self._places = _index(file)

    def __len__(self) -> int:
        return len(self._places)

    def picture(self, number: int) -> Image:
        return open_picture(
            self._read(number, 0), size_hint=self._side, name=f"{self._file}: picture {number}"
        )

    def captions(self, number: int) -> list[str]:
        text = self._read(number, 2).decode("utf-8", "replace").strip()
        if self._places[number, 4]:
            text = str(json.loads(text).get("caption") or "")
        return [text]

    def _read(self, number: int, place: int) -> bytes:
        offset, size = (int(n) for n in self._places[number, place : place + 2])
        with self._file.open("rb") as stream:
            stream.seek(offset)
            data = stream.read(size)
        if len(data) != size:
            raise UnreadableSource(f"{self._file}: ends inside sample {number}; download that tar again")
        return data


def _index(file: Path) -> npt.NDArray[np.int64]:
    """(n, 5): offset and size of picture and of caption, and whether that is JSON; kept beside the tar."""
    kept = file.with_name(file.name + ".places.npy")
    if kept.is_file() and kept.stat().st_mtime >= file.stat().st_mtime:
        found: npt.NDArray[np.int64] = np.load(kept)
        return found
    rows = np.array(list(_samples(file)), dtype=np.int64).reshape(-1, 5)
    try:
        np.save(kept, rows)
    except OSError:
        pass  # a folder that cannot be written to is walked over again next time
    return rows


def _samples(file: Path) -> Iterator[tuple[int, int, int, int, int]]:
    members: dict[str, dict[str, tuple[int, int]]] = {}
    try:
        with tarfile.open(file) as tar:
            for member in tar:
                stem, _, ending = member.name.rpartition(".")
                if member.isfile():
                    members.setdefault(stem, {})[f".{ending.lower()}"] = (member.offset_data, member.size)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise DatasetError(f"{file}: not a whole tar ({error}); download it again") from error
    for parts in members.values():
        picture = next((parts[ending] for ending in _PICTURES if ending in parts), None)
        caption = parts.get(".txt") or parts.get(".json")
        if picture is not None and caption is not None:
            yield (*picture, *caption, int(".txt" not in parts))


def to_jpeg(picture: Image) -> bytes:
    """A picture as the bytes of a JPEG file."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()
