"""Texts to train on: a question, a text that answers it, texts that do not, and teachers' scores of them.

    .tsv             question ⇥ answer ⇥ other …                          (MS MARCO's triples)
                     score ⇥ score ⇥ question ⇥ answer ⇥ other            (the same with a teacher's scores)
    .jsonl(.gz)      {"query", "positive", "negatives": [...], "scores": [[answer's, others' …], …],
    "expansion"}
                     `scores` has one list a teacher; `expansion` is text that is put behind the answer
    .parquet         `captions`: two captions of one picture are a question and its answer

Plain files are read row by row where they lie, however large; compressed ones and Parquet are held in memory.
"""

from __future__ import annotations

import gzip
import json
import mmap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from lexiscope.errors import DatasetError

__all__ = ["Row", "Rows", "open_rows"]


@dataclass(frozen=True)
class Row:
    """One question.

    Attributes:
        query: the question.
        documents: the answer first, then the others.
        scores: a list a teacher, one score a document; empty where there is no teacher.
        expansion: of the answer; "" where there is none.
    """

    query: str
    documents: tuple[str, ...]
    scores: tuple[tuple[float, ...], ...] = ()
    expansion: str = ""


class Rows(Protocol):
    """Rows by number."""

    def __len__(self) -> int: ...

    def __getitem__(self, number: int) -> Row: ...


def open_rows(files: Sequence[Path]) -> Rows:
    """Open training files, one after another.

    Raises:
        DatasetError: a file is missing, of another kind, or empty.
    """
    parts = [_open(file) for file in files]
    rows = _Chain(parts)
    if not len(rows):
        raise DatasetError(f"{files[0]}: no row; see lexiscope.training.rows for what a row is")
    return rows


def _open(file: Path) -> Rows:
    if not file.is_file():
        raise DatasetError(f"{file}: no such file; name the folder that holds it with --data")
    if file.suffix == ".parquet":
        return _CaptionPairs(file)
    if file.suffix in (".tsv", ".jsonl"):
        return _Lines(file, _Mapped(file))
    if file.name.endswith((".tsv.gz", ".jsonl.gz")):
        with gzip.open(file, "rb") as stream:
            return _Lines(file, stream.read().splitlines())
    raise DatasetError(f"{file}: rows are read from .tsv, .jsonl, both also .gz, and .parquet files only")


class _Chain:
    def __init__(self, parts: Sequence[Rows]) -> None:
        self._parts = parts
        self._starts = np.cumsum([0, *(len(part) for part in parts)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, number: int) -> Row:
        part = int(np.searchsorted(self._starts, number, side="right")) - 1
        return self._parts[part][number - int(self._starts[part])]


class _Mapped:
    """Lines of a file that stays on disk: only where they begin is kept, eight bytes a line."""

    def __init__(self, file: Path) -> None:
        with file.open("rb") as stream:  # the map outlives it
            empty = file.stat().st_size == 0
            self._bytes = b"" if empty else mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        breaks = _line_breaks(file)
        size = len(self._bytes)
        ends = breaks if len(breaks) and breaks[-1] == size - 1 else np.append(breaks, size)
        self._ends: npt.NDArray[np.int64] = ends if size else np.zeros(0, np.int64)

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, number: int) -> bytes:
        start = 0 if number == 0 else int(self._ends[number - 1]) + 1
        return self._bytes[start : int(self._ends[number])]


def _line_breaks(file: Path, block: int = 1 << 24) -> npt.NDArray[np.int64]:
    found, start = [np.zeros(0, np.int64)], 0
    with file.open("rb") as stream:
        while chunk := stream.read(block):
            found.append(np.flatnonzero(np.frombuffer(chunk, np.uint8) == ord("\n")) + start)
            start += len(chunk)
    return np.concatenate(found)


class _Lines:
    def __init__(self, file: Path, lines: Any) -> None:  # noqa: ANN401
        self._file, self._lines = file, lines
        self._tabs = ".tsv" in file.suffixes

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, number: int) -> Row:
        try:
            line = self._lines[number].decode("utf-8")
            return _of_tabs(line) if self._tabs else _of_json(line)
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise DatasetError(
                f"{self._file}: line {number + 1}: not a row ({_first_line(error)}); "
                "mend it, or see lexiscope.training.rows for what a row is"
            ) from error


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return f"no {text}" if isinstance(error, KeyError) else text.splitlines()[0]


def _of_tabs(line: str) -> Row:
    parts = line.rstrip("\r\n").split("\t")
    if len(parts) < 2:
        raise ValueError("a question and an answer with a tab between them are wanted")
    if len(parts) >= 5 and _is_number(parts[0]) and _is_number(parts[1]):
        return Row(parts[2], tuple(parts[3:5]), ((float(parts[0]), float(parts[1])),))
    return Row(parts[0], tuple(parts[1:]))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _of_json(line: str) -> Row:
    found = json.loads(line)
    documents = (str(found["positive"]), *(str(text) for text in found.get("negatives", ())))
    scores = tuple(tuple(float(score) for score in teacher) for teacher in found.get("scores", ()))
    if any(len(teacher) != len(documents) for teacher in scores):
        raise ValueError(f"a teacher's scores are not {len(documents)}, one a document")
    return Row(str(found["query"]), documents, scores, str(found.get("expansion", "")))


class _CaptionPairs:
    """Two captions of one picture, the first the question."""

    def __init__(self, file: Path) -> None:
        import pyarrow.parquet as pq

        if "captions" not in pq.ParquetFile(file).schema_arrow.names:
            raise DatasetError(f"{file}: no column captions")
        listed = pq.read_table(file, columns=["captions"]).column("captions").to_pylist()
        self._captions = [captions for captions in listed if captions and len(captions) > 1]

    def __len__(self) -> int:
        return len(self._captions)

    def __getitem__(self, number: int) -> Row:
        captions = self._captions[number]
        return Row(captions[0], (captions[1],), expansion=" ".join(captions[2:]))
