"""Read lexical vectors that were made elsewhere, and check them.

What is read: JSON Lines (`{"id","vector": {word: weight}}` of this program, of SPLADE and of Anserini, or
`[[word, weight], …]` as sentence-transformers' `SparseEncoder.decode` gives), Parquet (`id`, `values`, and
`indices` or `words`), and npz (`scipy.sparse.save_npz`, with `ids` and `terms` where they are there).
"""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from pyarrow import ArrowException
from scipy.sparse import csr_array, vstack

from lexiscope.errors import InvalidValue, LexiscopeError, UnreadableSource, VocabularyMismatch, printable
from lexiscope.index.vectors import check_rows
from lexiscope.quantising import Scale
from lexiscope.vector_sets import Batch, MemoryVectors
from lexiscope.vocabulary import Vocabulary

__all__ = ["read_batches", "read_vectors", "vocabulary_of"]

ROWS_AT_A_TIME = 2048
_KINDS = ("image", "chapter")


@dataclass
class _Rows:
    """Rows as they are read: names, and one list of weights behind the other."""

    vocabulary: Vocabulary
    shown: str
    kind: str
    ids: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    terms: list[int] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    bounds: list[int] = field(default_factory=lambda: [0])

    def add(self, where: str, row: Mapping[str, Any], pairs: Sequence[tuple[int, float]]) -> None:
        """Take one row, checked.

        Raises:
            InvalidValue: a weight is negative or not a number, or a kind is unknown.
        """
        for term, weight in pairs:
            if not math.isfinite(weight) or weight < 0:
                what = "is negative" if weight < 0 else "is not a finite number"
                raise InvalidValue(
                    f"{self.shown}, {where}: the weight of {self.vocabulary.terms[term]!r} {what} "
                    f"({weight}); "
                    "leave it out or mend it"
                )
        kind = str(row.get("kind") or self.kind)
        if kind not in _KINDS:
            raise InvalidValue(f"{self.shown}, {where}: kind is {kind!r}: it can be {' or '.join(_KINDS)}")
        self.ids.append(str(row["id"]))
        self.kinds.append(kind)
        self.sources.append(str(row.get("source") or self.shown))
        self.terms += [term for term, _ in pairs]
        self.weights += [weight for _, weight in pairs]
        self.bounds.append(len(self.terms))

    def batch(self) -> Batch:
        """What was taken, as vectors."""
        shape = (len(self.ids), len(self.vocabulary))
        rows = csr_array((np.array(self.weights, np.float32), self.terms, self.bounds), shape=shape)
        return Batch(tuple(self.ids), tuple(self.kinds), tuple(self.sources), check_rows(rows).to_csr())


def read_vectors(
    file: str | Path, vocabulary: Vocabulary | None = None, *, kind: str = "image"
) -> MemoryVectors:
    """Read all vectors of a file.

    Args:
        file: .jsonl, .parquet or .npz.
        vocabulary: the terms; None takes those that the file holds.
        kind: image or chapter, for rows that do not say.

    Raises:
        UnreadableSource: it cannot be read, or is no such file.
        InvalidValue: a weight is negative or no number, or an id is repeated or missing.
        VocabularyMismatch: a word or a number is not in the vocabulary.
    """
    path = Path(file).expanduser()
    terms = vocabulary or vocabulary_of(path)
    batches = list(read_batches(path, terms, kind=kind))
    empty = csr_array((0, len(terms)), dtype=np.float32)
    rows = csr_array(vstack([empty, *(batch.rows for batch in batches)], format="csr"))
    ids, kinds, sources = (
        [one for batch in batches for one in getattr(batch, name)] for name in ("ids", "kinds", "sources")
    )
    return MemoryVectors(rows, terms, ids, kinds, sources)


def vocabulary_of(file: Path) -> Vocabulary:
    """The vocabulary that a file holds.

    Raises:
        UnreadableSource: it cannot be read.
        InvalidValue: it holds none.
    """
    found: Sequence[str] | None = None
    with _readable(file):
        if file.suffix.lower() == ".npz":
            with np.load(file, allow_pickle=False) as arrays:
                found = arrays["terms"].tolist() if "terms" in arrays else None
        elif file.suffix.lower() in (".parquet", ".pq"):
            import pyarrow.parquet as pq

            metadata = pq.read_schema(file).metadata or {}
            text = metadata.get(b"vocabulary")
            found = None if text is None else text.decode().split("\n")
    if not found:
        raise InvalidValue(
            f"{printable(file)}: does not say what its columns stand for; name a --model or a --vocabulary"
        )
    return Vocabulary(found)


def read_batches(file: Path, vocabulary: Vocabulary, *, kind: str = "image") -> Iterator[Batch]:
    """Read vectors some thousand at a time; see `read_vectors`."""
    readers = {".jsonl": _read_jsonl, ".ndjson": _read_jsonl, ".npz": _read_npz, ".parquet": _read_parquet}
    reader = readers.get(file.suffix.lower())
    if reader is None:
        raise UnreadableSource(f"{printable(file)}: is no file of vectors; name a .jsonl, .parquet or .npz")
    seen: set[str] = set()
    with _readable(file):
        for batch in reader(file, vocabulary, kind):
            for name in batch.ids:
                if name in seen:
                    raise InvalidValue(
                        f"{printable(file)}: id {name!r} stands twice; give every vector an id of its own"
                    )
                seen.add(name)
            yield batch


@contextmanager
def _readable(file: Path) -> Iterator[None]:
    """Turn what libraries raise for broken files into one line."""
    try:
        yield
    except LexiscopeError:
        raise
    except (OSError, ValueError, KeyError, TypeError, EOFError, ArrowException, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise UnreadableSource(
            f"{printable(file)}: cannot be read as vectors ({reason}); docs/export.md has the layout"
        ) from None


def _read_jsonl(file: Path, vocabulary: Vocabulary, kind: str) -> Iterator[Batch]:
    shown = printable(file)
    with file.open(encoding="utf-8") as lines:
        numbered = enumerate(lines, 1)
        while chunk := list(islice(numbered, ROWS_AT_A_TIME)):
            rows = _Rows(vocabulary, shown, kind)
            for number, line in chunk:
                if line.strip():
                    _take_line(rows, line, f"line {number}")
            yield rows.batch()


def _take_line(rows: _Rows, line: str, where: str) -> None:
    try:
        row = json.loads(line)
        identity = row.get("id", row.get("_id"))
        vector = row["vector"]
        pairs = (
            list(vector.items()) if isinstance(vector, dict) else [(word, weight) for word, weight in vector]
        )
        found = [(_term(rows, str(word), where), float(weight)) for word, weight in pairs]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, InvalidValue):
            raise
        raise UnreadableSource(
            f'{rows.shown}, {where}: is no vector ({error!r}); write {{"id": …, "vector": {{word: weight}}}}'
        ) from None
    if identity is None:
        raise InvalidValue(f"{rows.shown}, {where}: has no id; give every vector one")
    rows.add(where, {**row, "id": identity}, found)


def _term(rows: _Rows, word: str, where: str) -> int:
    number = rows.vocabulary.id_of(word)
    if number is None:
        raise VocabularyMismatch(
            f"{rows.shown}, {where}: {word!r} is not in the vocabulary of {len(rows.vocabulary):,} "
            "terms; name the "
            "model or the vocabulary that the vectors were made with"
        )
    return number


def _read_parquet(file: Path, vocabulary: Vocabulary, kind: str) -> Iterator[Batch]:
    import pyarrow.parquet as pq

    shown = printable(file)
    with pq.ParquetFile(file) as parquet:
        names = parquet.schema_arrow.names
        by_number = "indices" in names
        if not {"id", "values"} <= set(names) or not (by_number or "words" in names):
            raise UnreadableSource(
                f"{shown}: has the columns {', '.join(names)}; it needs id, values, and indices or words"
            )
        about = json.loads((parquet.schema_arrow.metadata or {}).get(b"lexiscope", b"{}"))
        scale = Scale(float(about.get("scale", 1.0)))
        wanted = [name for name in ("id", "kind", "source", "indices", "words", "values") if name in names]
        first = 0
        for part in parquet.iter_batches(ROWS_AT_A_TIME, columns=wanted):
            rows = _Rows(vocabulary, shown, kind)
            for number, row in enumerate(part.to_pylist(), first):
                _take_row(rows, row, f"row {number}", by_number, scale.unit)
            first += part.num_rows
            yield rows.batch()


def _take_row(rows: _Rows, row: dict[str, Any], where: str, by_number: bool, unit: float) -> None:
    if row["id"] is None:
        raise InvalidValue(f"{rows.shown}, {where}: has no id; give every vector one")
    terms = row["indices"] if by_number else [_term(rows, word, where) for word in row["words"]]
    outside = [term for term in terms if not 0 <= term < len(rows.vocabulary)]
    if outside:
        raise VocabularyMismatch(
            f"{rows.shown}, {where}: term {outside[0]} is outside the vocabulary of "
            f"{len(rows.vocabulary):,}; name "
            "the model or the vocabulary that the vectors were made with"
        )
    weights = [math.nan if weight is None else float(weight) * unit for weight in row["values"]]
    rows.add(where, row, list(zip(terms, weights, strict=True)))


def _read_npz(file: Path, vocabulary: Vocabulary, kind: str) -> Iterator[Batch]:
    from scipy.sparse import load_npz

    shown = printable(file)
    matrix = csr_array(load_npz(file))
    if matrix.shape[1] != len(vocabulary):
        raise VocabularyMismatch(
            f"{shown}: has {matrix.shape[1]:,} columns, but the vocabulary {len(vocabulary):,} terms; "
            "name the model "
            "or the vocabulary that the vectors were made with"
        )
    with np.load(file, allow_pickle=False) as arrays:
        ids = arrays["ids"].tolist() if "ids" in arrays else [str(n) for n in range(matrix.shape[0])]
        kinds = arrays["kinds"].tolist() if "kinds" in arrays else [kind] * len(ids)
        sources = arrays["sources"].tolist() if "sources" in arrays else [shown] * len(ids)
        unit = np.float32(arrays["scale"]) if "scale" in arrays else np.float32(1)
    if len(ids) != matrix.shape[0]:
        raise InvalidValue(f"{shown}: has {matrix.shape[0]:,} rows, but {len(ids):,} ids; save it again")
    try:
        rows = csr_array(check_rows(csr_array(matrix.astype(np.float32) * unit)).to_csr())
    except InvalidValue as error:
        raise InvalidValue(f"{shown}: {error}") from None
    for start in range(0, len(ids), ROWS_AT_A_TIME):
        part = slice(start, start + ROWS_AT_A_TIME)
        yield Batch(tuple(ids[part]), tuple(kinds[part]), tuple(sources[part]), csr_array(rows[part]))
