"""Write vectors as Parquet, npz and safetensors, with some thousand of them in memory."""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from lexiscope.quantising import Scale
from lexiscope.vector_sets import Batch, VectorSet, count_weights

__all__ = ["write_npz", "write_parquet", "write_safetensors"]

Array = npt.NDArray[Any]
_TEXTS: dict[str, Callable[[Batch], tuple[str, ...]]] = {
    "ids": lambda batch: batch.ids,
    "kinds": lambda batch: batch.kinds,
    "sources": lambda batch: batch.sources,
}


def write_parquet(vectors: VectorSet, file: Path, scale: Scale | None) -> None:
    """Columns `id`, `kind`, `source`, `indices`, `values` and `words`, a row group a few thousand rows.

    The file's metadata hold `lexiscope` (JSON: what made the vectors, scale) and `vocabulary` (a term a
    line).
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    kind = pa.float32() if scale is None else pa.uint8()
    terms = pa.array(vectors.vocabulary.terms, pa.string())
    schema = pa.schema(
        [
            ("id", pa.string()),
            ("kind", pa.string()),
            ("source", pa.string()),
            ("indices", pa.list_(pa.int32())),
            ("values", pa.list_(kind)),
            ("words", pa.list_(pa.string())),
        ],
        metadata={
            "lexiscope": json.dumps(_about(vectors, scale)),
            "vocabulary": "\n".join(vectors.vocabulary.terms),
        },
    )
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for batch in vectors.batches():
            pointers = pa.array(batch.rows.indptr, pa.int32())
            indices = pa.array(batch.rows.indices, pa.int32())
            columns = [
                pa.array(batch.ids, pa.string()),
                pa.array(batch.kinds, pa.string()),
                pa.array(batch.sources, pa.string()),
                pa.ListArray.from_arrays(pointers, indices),
                pa.ListArray.from_arrays(pointers, pa.array(_values(batch, scale), kind)),
                pa.ListArray.from_arrays(pointers, terms.take(indices)),
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))


def write_npz(vectors: VectorSet, file: Path, scale: Scale | None) -> None:
    """What `scipy.sparse.load_npz` reads, and `ids`, `kinds`, `sources`, `terms`, and the codes' `scale`."""
    rows, weights = len(vectors), count_weights(vectors)
    wide = np.int64 if weights > np.iinfo(np.int32).max else np.int32
    value = np.dtype(np.float32 if scale is None else np.uint8)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as archive:
        small = {
            "format": np.array(b"csr"),
            "_is_array": np.array(True),
            "shape": np.array([rows, len(vectors.vocabulary)], np.int64),
            "terms": np.array(vectors.vocabulary.terms),
            "about": np.array(json.dumps(_about(vectors, scale))),
            **({} if scale is None else {"scale": np.array(scale.unit)}),
        }
        for name, array in small.items():
            _member(archive, name, array.dtype, array.shape, [array])
        _member(archive, "data", value, (weights,), (_values(b, scale) for b in vectors.batches()))
        indices = (batch.rows.indices for batch in vectors.batches())
        _member(archive, "indices", np.dtype(wide), (weights,), indices)
        _member(archive, "indptr", np.dtype(wide), (rows + 1,), _pointers(vectors))
        for name, texts_of in _TEXTS.items():
            longest = max((len(text) for batch in vectors.batches() for text in texts_of(batch)), default=0)
            kind = np.dtype(f"<U{max(1, longest)}")
            parts = (np.array(texts_of(batch), kind) for batch in vectors.batches())
            _member(archive, name, kind, (rows,), parts)


def _member(
    archive: zipfile.ZipFile,
    name: str,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
    parts: Any,  # noqa: ANN401
) -> None:
    """One array of a .npz, written part by part."""
    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(member, header)
        for part in parts:
            member.write(np.ascontiguousarray(part, dtype).tobytes())


def write_safetensors(vectors: VectorSet, file: Path, scale: Scale | None) -> None:
    """Tensors `data`, `indices`, `indptr`, `shape`; `ids`, `kinds`, `sources`, `terms` in UTF-8 lines."""
    rows, weights = len(vectors), count_weights(vectors)
    value = "F32" if scale is None else "U8"
    terms = "\n".join(vectors.vocabulary.terms).encode()
    parts: list[_Tensor] = [
        ("indptr", "I64", rows + 1, (part.astype("<i8").tobytes() for part in _pointers(vectors))),
        ("shape", "I64", 2, iter([np.array([rows, len(vectors.vocabulary)], "<i8").tobytes()])),
        ("indices", "I32", weights, (b.rows.indices.astype("<i4").tobytes() for b in vectors.batches())),
        ("data", value, weights, (_values(batch, scale).tobytes() for batch in vectors.batches())),
        ("terms", "U8", len(terms), iter([terms])),
    ]
    parts += [_text_tensor(name, texts_of, vectors) for name, texts_of in _TEXTS.items()]
    metadata = {"lexiscope": json.dumps(_about(vectors, scale))}
    with file.open("wb") as output:
        _write_tensors(output, parts, metadata)


_Tensor: TypeAlias = "tuple[str, str, int, Iterator[bytes]]"
"""Name, kind, number of values, and their bytes in pieces."""


def _text_tensor(name: str, texts_of: Callable[[Batch], tuple[str, ...]], vectors: VectorSet) -> _Tensor:
    """Texts in UTF-8, a line each."""
    length = sum(len(text.encode()) + 1 for batch in vectors.batches() for text in texts_of(batch))
    lines = ("".join(f"{text}\n" for text in texts_of(batch)).encode() for batch in vectors.batches())
    return name, "U8", length, lines


_BYTES = {"I64": 8, "I32": 4, "F32": 4, "U8": 1}


def _write_tensors(output: IO[bytes], parts: list[_Tensor], metadata: dict[str, str]) -> None:
    """The safetensors layout: the header's length, the header, and the tensors end to end."""
    header: dict[str, Any] = {"__metadata__": metadata}
    end = 0
    for name, kind, number, _ in parts:
        start, end = end, end + number * _BYTES[kind]
        header[name] = {"dtype": kind, "shape": [number], "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    output.write(struct.pack("<Q", len(text)) + text)
    for _, _, _, content in parts:
        output.writelines(content)


def _pointers(vectors: VectorSet) -> Iterator[Array]:
    """Where rows begin and end among all weights."""
    yield np.zeros(1, np.int64)
    total = 0
    for batch in vectors.batches():
        yield batch.rows.indptr[1:].astype(np.int64) + total
        total += int(batch.rows.nnz)


def _values(batch: Batch, scale: Scale | None) -> Array:
    data = batch.rows.data.astype("<f4", copy=False)
    return data if scale is None else scale.codes(data)


def _about(vectors: VectorSet, scale: Scale | None) -> dict[str, Any]:
    about = {**vectors.meta, "vocabulary": vectors.vocabulary.fingerprint}
    return about if scale is None else {**about, "scale": scale.unit}
