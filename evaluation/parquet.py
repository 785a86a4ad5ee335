"""Captioned pictures in Parquet, the layout of the Hugging Face `datasets` Image feature."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lexiscope.errors import DatasetError, printable
from lexiscope.evaluation.captioned import CaptionedPictures

_COLUMNS = ("id", "image", "captions")
_PICTURES_AT_A_TIME = 64


def read_parquet(file: Path, images: Path | None = None) -> CaptionedPictures:
    """Read ids and captions; the pictures are streamed later, a few at a time.

    Args:
        file: columns `id` (strings or whole numbers), `image` (a struct of `bytes` and `path`, or bytes)
            and `captions` (lists of strings).
        images: where the `path` of a picture without bytes starts; by default the folder of the file.

    Raises:
        DatasetError: it is no Parquet, a column is missing or of another type, a caption or an id is null, or
            what `CaptionedPictures` refuses.
    """
    shown = printable(file)
    with _opened(file) as parquet:
        _check_schema(shown, parquet.schema_arrow)
        rows = parquet.read(columns=["id", "captions"]).to_pylist()
    return CaptionedPictures(
        name=file.stem,
        origin=shown,
        ids=tuple(_id(shown, number, row["id"]) for number, row in enumerate(rows)),
        captions=tuple(_captions(shown, row) for row in rows),
        sources=partial(_stream, file, images or file.parent),
    )


@contextmanager
def _opened(file: Path) -> Iterator[pq.ParquetFile]:
    try:
        with pq.ParquetFile(file) as parquet:
            yield parquet
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(
            f"{printable(file)}: cannot be read as Parquet ({_first_line(error)}); "
            "check its rights, or copy it again from where it came"
        ) from None


def _check_schema(shown: str, schema: pa.Schema) -> None:
    missing = [name for name in _COLUMNS if name not in schema.names]
    if missing:
        raise DatasetError(
            f"{shown}: has no column {', '.join(missing)} (it has {', '.join(schema.names)}); "
            f"the columns must be {', '.join(_COLUMNS)}"
        )
    fits = {
        "id": (
            "strings or whole numbers",
            _is_text(schema.field("id").type) or pa.types.is_integer(schema.field("id").type),
        ),
        "image": ("a struct with bytes, or bytes", _is_picture(schema.field("image").type)),
        "captions": ("lists of strings", _is_texts(schema.field("captions").type)),
    }
    for name, (expected, fit) in fits.items():
        if not fit:
            raise DatasetError(f"{shown}: column {name} is {schema.field(name).type}; it must be {expected}")


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_texts(kind: pa.DataType) -> bool:
    return (pa.types.is_list(kind) or pa.types.is_large_list(kind)) and _is_text(kind.value_type)


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _is_picture(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0 and _is_bytes(kind.field("bytes").type)
    return _is_bytes(kind)


def _id(shown: str, number: int, value: str | int | None) -> str:
    if value is None:
        raise DatasetError(f"{shown}: row {number} has no id; give every picture an id of its own")
    return str(value)


def _captions(shown: str, row: dict[str, Any]) -> tuple[str, ...]:
    captions = row["captions"] or []
    if None in captions:
        raise DatasetError(
            f"{shown}: a caption of picture {str(row['id'])!r} is null; write it or leave it out"
        )
    return tuple(captions)


def _stream(file: Path, folder: Path) -> Iterator[Path | bytes]:
    """The bytes of one picture after another, or the file it lies in."""
    with _opened(file) as parquet:
        row = 0
        for batch in parquet.iter_batches(batch_size=_PICTURES_AT_A_TIME, columns=["image"]):
            for image in batch.column("image").to_pylist():
                yield _source(image, folder, f"{printable(file)}: row {row}")
                row += 1


def _source(image: bytes | dict[str, Any] | None, folder: Path, where: str) -> Path | bytes:
    content, path = (image.get("bytes"), image.get("path")) if isinstance(image, dict) else (image, None)
    if content is not None:
        return bytes(content)
    if not path:
        raise DatasetError(f"{where} has no picture, neither bytes nor path; add it or leave the row out")
    if not (folder / path).is_file():
        raise DatasetError(
            f"{where}: the picture {printable(folder / path)} is missing; "
            "say with --images where the pictures are"
        )
    return folder / str(path)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(".")
