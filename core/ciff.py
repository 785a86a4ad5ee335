"""The Common Index File Format: an inverted index as length-delimited protocol buffers.

Lin, Mackenzie, Kamphuis, Macdonald, Mallia, Siedlaczek, Trotman and de Vries, "Supporting Interoperability
Between Open-Source Search Engines with the Common Index File Format", SIGIR 2020. One Header, a PostingsList
a term (document numbers as gaps), a DocRecord a document. PISA, Lucene, Terrier and others read it. The four
messages have varints, strings and one double, so that an encoder is shorter than a generated module would be.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import IO, Any

import numpy as np
from scipy.sparse import csc_array, csr_array, vstack

from lexiscope.quantising import Scale
from lexiscope.vector_sets import VectorSet

__all__ = ["write_ciff"]

_VERSION = 1
_DESCRIPTION = "lexiscope: quantised lexical vectors, tf is the impact"


def write_ciff(vectors: VectorSet, file: Path, scale: Scale | None) -> None:
    """Write an inverted index whose term frequencies are weights in units of the scale.

    All postings are in memory, 8 bytes each: cut large sets into shards.
    """
    unit = scale or Scale(1.0)
    lengths, postings = _by_term(vectors, unit)
    used = np.flatnonzero(np.diff(postings.indptr))
    terms = sorted((vectors.vocabulary.terms[term].encode(), int(term)) for term in used)
    with file.open("wb") as output:
        _delimited(output, _header(len(terms), lengths))
        for name, term in terms:
            bounds = slice(postings.indptr[term], postings.indptr[term + 1])
            _delimited(output, _postings(name, postings.indices[bounds], postings.data[bounds]))
        number = 0
        for batch in vectors.batches():
            for key in batch.ids:
                record = _number(1, number) + _text(2, key.encode()) + _number(3, int(lengths[number]))
                _delimited(output, record)
                number += 1


def _by_term(vectors: VectorSet, scale: Scale) -> tuple[np.ndarray, csc_array]:
    """How long every document is, and the whole numbers by term."""
    shape = (0, len(vectors.vocabulary))
    parts: list[Any] = [csr_array(shape, dtype=np.int32)]
    for batch in vectors.batches():
        codes = scale.codes(batch.rows.data).astype(np.int32)
        parts.append(csr_array((codes, batch.rows.indices, batch.rows.indptr), shape=batch.rows.shape))
    rows = csr_array(vstack(parts, format="csr"))
    return np.asarray(rows.sum(axis=1)).ravel(), rows.tocsc()


def _header(terms: int, lengths: np.ndarray) -> bytes:
    total = int(lengths.sum())
    mean = total / max(1, len(lengths))
    counts = ((1, _VERSION), (2, terms), (3, len(lengths)), (4, terms), (5, len(lengths)), (6, total))
    numbers = b"".join(_number(field, value) for field, value in counts)
    return numbers + b"\x39" + struct.pack("<d", mean) + _text(8, _DESCRIPTION.encode())


def _postings(term: bytes, documents: np.ndarray, impacts: np.ndarray) -> bytes:
    order = np.argsort(documents, kind="stable")
    gaps = np.diff(documents[order], prepend=0).tolist()
    parts = [_text(1, term), _number(2, len(gaps)), _number(3, int(impacts.sum()))]
    for gap, impact in zip(gaps, impacts[order].tolist(), strict=True):
        parts.append(_text(4, _number(1, gap) + _number(2, impact)))
    return b"".join(parts)


def _delimited(output: IO[bytes], message: bytes) -> None:
    output.write(_varint(len(message)) + message)


def _number(field: int, value: int) -> bytes:
    """A varint field; 0 is what a reader takes for a missing one."""
    return _varint(field << 3) + _varint(value) if value else b""


def _text(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    """Seven bits a byte, lowest first; the top bit says that more follow."""
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)
