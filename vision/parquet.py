"""Pictures out of Parquet data sets, in the layout of the Hugging Face `datasets` Image feature."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from lexiscope.errors import UnreadableSource, printable
from lexiscope.vision.pictures import open_picture

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

__all__ = ["PictureRow", "picture_rows"]

# Rows read at a time: some megabytes of photographs.
_ROWS = 32


@dataclass(frozen=True)
class PictureRow:
    """One row of a data set."""

    id: str  # unique in the file: column `id`, or `row-n` (from 0) where that is missing, empty or repeated
    name: str  # for messages: the file and the id
    picture: bytes | Path | None  # the bytes of a picture file, or where it lies; None if the row has none
    captions: tuple[str, ...]

    def open(self, *, size_hint: int | None = None) -> Image.Image:
        """Open the picture as `open_picture` does.

        Raises:
            UnreadableSource: the row has no picture, or a broken one.
        """
        if self.picture is None:
            raise UnreadableSource(f"{self.name}: the row has no picture; leave it out")
        return open_picture(self.picture, size_hint=size_hint, name=self.name)


def picture_rows(path: str | Path) -> Iterator[PictureRow]:
    """Read the rows of a Parquet file one by one; memory does not grow with their number (but for the ids).

    Columns: `image`, a struct of `bytes` and `path` (relative to the file) or plain bytes; optionally `id`
    and `captions` (strings, or one string).

    Raises:
        UnreadableSource: it is no Parquet file, damaged, or has no pictures.
    """
    import pyarrow as pa

    name = printable(path)
    try:
        yield from _rows(Path(path), name)
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())[:120]
        raise UnreadableSource(
            f"{name}: no Parquet file, or a damaged one ({reason}); copy it again"
        ) from None


def _rows(path: Path, name: str) -> Iterator[PictureRow]:
    import pyarrow.parquet as pq

    with open(path, "rb") as handle, pq.ParquetFile(handle) as file:
        columns = _columns(file, name)
        seen: set[str] = set()
        number = 0
        for batch in file.iter_batches(batch_size=_ROWS, columns=columns):
            for row in batch.to_pylist():
                identity = str(row.get("id") if row.get("id") is not None else "").strip()
                if not identity or identity in seen:
                    identity = f"row-{number}"
                seen.add(identity)
                number += 1
                picture = _picture(row["image"], path.parent)
                yield PictureRow(identity, f"{name}#{identity}", picture, _captions(row.get("captions")))


def _columns(file: pq.ParquetFile, name: str) -> list[str]:
    """Check that the file has pictures, and name the columns to read."""
    schema = file.schema_arrow
    if "image" not in schema.names or not _holds_pictures(schema.field("image").type):
        found = ", ".join(schema.names[:8])
        raise UnreadableSource(f"{name}: has no column `image` with pictures, only {found}; leave it out")
    return [column for column in ("id", "image", "captions") if column in schema.names]


def _holds_pictures(kind: pa.DataType) -> bool:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return any(field.name in {"bytes", "path"} for field in kind)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _picture(value: object, folder: Path) -> bytes | Path | None:
    if isinstance(value, dict):
        return _picture(value.get("bytes"), folder) or (folder / value["path"] if value.get("path") else None)
    return value if isinstance(value, bytes) and value else None


def _captions(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(text for text in value if isinstance(text, str)) if isinstance(value, list) else ()
