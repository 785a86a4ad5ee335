"""TREC runs and judgements, so that other tools can measure what was found.

`--run FILE` writes text → image to FILE and image → text to a sibling, `run.trec` and
`run.image-to-text.trec`, each with its judgements beside it (`.qrels`). Names of pictures start with `img:`,
those of captions with `txt:`, because tools that follow BEIR drop documents named like the query.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TypeAlias
from urllib.parse import quote, unquote

import numpy as np

from lexiscope.errors import LexiscopeError, printable
from lexiscope.evaluation.measures import Float32, Int64

TAG = "lexiscope"
Runs: TypeAlias = dict[str, dict[str, float]]
"""Query → document → score: what ir-measures takes."""
_UNFIT = re.compile(r"[\s%]")


def run_files(run: Path) -> dict[str, Path]:
    """The file of each direction."""
    return {"text_to_image": run, "image_to_text": run.with_name(f"{run.stem}.image-to-text{run.suffix}")}


def as_runs(
    ids: Int64, scores: Float32, queries: Sequence[str] | None = None, documents: Sequence[str] | None = None
) -> Runs:
    """Ranked lists by name, ties taken apart in their order.

    Args:
        ids: (n, k) document rows, best first; -1 ends a list.
        scores: (n, k), falling.
        queries: names; by default numbers from 0.
        documents: names, by row; by default the rows.
    """
    runs: Runs = {}
    for number, (row, values) in enumerate(zip(ids, scores, strict=True)):
        found = row[row >= 0]
        names = map(str, found.tolist()) if documents is None else (documents[place] for place in found)
        name = str(number) if queries is None else queries[number]
        runs[name] = dict(zip(names, strictly_falling(values[: len(found)]).tolist(), strict=True))
    return runs


def judgements_file(run: Path) -> Path:
    """The file of judgements beside a run."""
    return run.with_name(f"{run.name}.qrels")


def check_writable(run: Path) -> None:
    """Find out before the long work whether a file can be written.

    Raises:
        LexiscopeError: the folder is missing or has no rights, or the name is that of a folder.
    """
    folder = run.parent
    if not folder.is_dir():
        raise LexiscopeError(
            f"{printable(folder)}: there is no such folder to write into; make it or name another"
        )
    if run.is_dir():
        raise LexiscopeError(f"{printable(run)}: is a folder; name a file to write")
    if not os.access(folder, os.W_OK):
        raise LexiscopeError(f"{printable(folder)}: no permission to write there; name another folder")


def trec_names(prefix: str, names: Sequence[str]) -> list[str]:
    """Names as TREC files need them: with a prefix, and white space as in addresses (`%20`)."""
    return [f"{prefix}:{_UNFIT.sub(_quoted, name)}" for name in names]


def _quoted(found: re.Match[str]) -> str:
    return quote(found[0])


class RunWriter:
    """Writes ranked lists as lines `query Q0 document rank score tag`.

    Args:
        file: an open text file.
        queries: TREC names of the queries.
        documents: TREC names of the documents, by row.
    """

    def __init__(self, file: IO[str], queries: Sequence[str], documents: Sequence[str]) -> None:
        self._file, self._queries, self._documents = file, queries, documents

    def write(self, first: int, ids: Int64, scores: Float32) -> None:
        """Append the lists of some queries that follow one another.

        Args:
            first: number of the first query.
            ids: (n, k) document rows, best first; -1 ends a list.
            scores: (n, k), falling.
        """
        for query, (row, values) in enumerate(zip(ids, scores, strict=True), start=first):
            found = int((row >= 0).sum())
            for rank, (document, score) in enumerate(
                zip(row[:found], strictly_falling(values[:found]), strict=True), start=1
            ):
                self._file.write(
                    f"{self._queries[query]} Q0 {self._documents[document]} {rank} {score:.9g} {TAG}\n"
                )


def strictly_falling(scores: Float32) -> Float32:
    """Scores with ties taken apart by the smallest step of a float.

    trec_eval orders by score alone and ties by name, whatever the rank says: without this, its figures would
    differ from ours wherever two documents weigh the same.
    """
    result = np.array(scores, dtype=np.float32)
    for place in range(1, len(result)):
        if result[place] >= result[place - 1]:
            result[place] = np.nextafter(result[place - 1], np.float32(-np.inf))
    return result


def write_judgements(
    file: Path, queries: Sequence[str], documents: Sequence[str], right: Sequence[Int64]
) -> None:
    """Write lines `query 0 document 1`.

    Args:
        file: where to.
        queries: TREC names of the queries.
        documents: TREC names of the documents, by row.
        right: rows of the right documents of each query.

    Raises:
        LexiscopeError: it cannot be written.
    """
    with written(file) as output:
        for query, rows in zip(queries, right, strict=True):
            output.writelines(f"{query} 0 {documents[row]} 1\n" for row in rows)


def write_run(file: Path, run: Runs, tag: str) -> None:
    """Write a run as TREC files have it.

    Raises:
        LexiscopeError: it cannot be written.
    """
    with written(file) as output:
        for query, scores in run.items():
            ranked = sorted(scores.items(), key=lambda pair: -pair[1])
            for rank, (document, score) in enumerate(ranked, start=1):
                output.write(f"{_name(query)} Q0 {_name(document)} {rank} {score:.9g} {tag}\n")


def write_graded(file: Path, judgements: Mapping[str, Mapping[str, int]]) -> None:
    """Write judgements with grades, `query 0 document grade`.

    Raises:
        LexiscopeError: it cannot be written.
    """
    with written(file) as output:
        for query, grades in judgements.items():
            output.writelines(f"{_name(query)} 0 {_name(name)} {grade}\n" for name, grade in grades.items())


def _name(name: str) -> str:
    return _UNFIT.sub(_quoted, name)


def read_run(file: Path) -> Runs:
    """Read a TREC run: `query Q0 document rank score tag`.

    Raises:
        LexiscopeError: it cannot be read, or a line is no such line.
    """
    run: Runs = {}
    try:
        with file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                parts = line.split()
                if not parts:
                    continue
                if len(parts) != 6:
                    raise ValueError(f"line {number} has {len(parts)} columns")
                run.setdefault(unquote(parts[0]), {})[unquote(parts[2])] = float(parts[4])
    except (OSError, ValueError) as error:
        raise LexiscopeError(
            f"{printable(file)}: is no TREC run ({error}); a line is `query Q0 document rank score tag`"
        ) from None
    return run


@contextmanager
def written(file: Path) -> Iterator[IO[str]]:
    """Open a text file that appears under its name only when it is whole.

    Raises:
        LexiscopeError: it cannot be written (full disk, no rights); a file of that name stays as it was.
    """
    part = file.with_name(f"{file.name}.part")
    try:
        with part.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as output:
            yield output
        part.replace(file)
    except OSError as error:
        raise LexiscopeError(
            f"{printable(file)}: cannot be written ({error.strerror}); free some space or name another file"
        ) from None
    finally:
        part.unlink(missing_ok=True)
