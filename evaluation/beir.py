"""Text collections in the layout of BEIR: `corpus.jsonl`, `queries.jsonl` and `qrels/SPLIT.tsv`.

Thakur, Reimers, Rücklé, Srivastava and Gurevych, "BEIR", NeurIPS 2021. Judgements may also be in TREC's own
format (`query 0 document grade`).
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lexiscope.errors import DatasetError, printable

__all__ = ["Judgements", "TextCollection", "read_beir", "read_qrels"]

Judgements = dict[str, dict[str, int]]
"""Query → document → grade; above 0 is right."""

_USUAL = ("test", "dev", "train")


@dataclass(frozen=True)
class TextCollection:
    """Documents, questions, and which documents answer which.

    Attributes:
        name: what the report calls it.
        split: of the judgements.
        documents: title and text by id, in the order of the file.
        queries: text by id; only those that are judged.
        judgements: of the queries.
    """

    name: str
    split: str
    documents: dict[str, tuple[str, str]]
    queries: dict[str, str]
    judgements: Judgements


def read_beir(folder: Path, split: str | None = None, qrels: Path | None = None) -> TextCollection:
    """Read a folder.

    Args:
        folder: holds `corpus.jsonl` and `queries.jsonl` (or both with `.gz`), and `qrels/`.
        split: names the file in `qrels/`; None takes test, dev or train, whichever is there first.
        qrels: judgements to read instead, tab-separated or in TREC's format.

    Raises:
        DatasetError: a file is missing or broken, an id stands twice, or no judged query is among the
        queries.
    """
    shown = printable(folder)
    if not folder.is_dir():
        raise DatasetError(
            f"{shown}: there is no such folder; name one with corpus.jsonl, queries.jsonl and qrels/"
        )
    file = qrels or _choose_split(folder, split)
    judgements = read_qrels(file)
    documents = {
        name: (str(row.get("title") or ""), str(row["text"]))
        for name, row in _rows(folder / "corpus.jsonl", ("text",))
    }
    texts = {name: str(row["text"]) for name, row in _rows(folder / "queries.jsonl", ("text",))}
    queries = {
        name: text for name, text in texts.items() if any(g > 0 for g in judgements.get(name, {}).values())
    }
    if not queries or not documents:
        what = "no document" if not documents else f"no query that {printable(file)} judges"
        raise DatasetError(f"{shown}: has {what}; check the files")
    judged = {name: judgements[name] for name in queries}
    return TextCollection(folder.name or shown, file.stem, documents, queries, judged)


def _choose_split(folder: Path, split: str | None) -> Path:
    known = sorted(file.stem for file in (folder / "qrels").glob("*.tsv"))
    if split is None:
        split = next((name for name in _USUAL if name in known), known[0] if known else None)
    if split is None or split not in known:
        named = ", ".join(known) or "none"
        asked = "has no judgements" if split is None else f"has no split {split!r}"
        raise DatasetError(
            f"{printable(folder)}: {asked}; qrels/ has {named}: choose one with --split or --qrels"
        )
    return folder / "qrels" / f"{split}.tsv"


def _rows(file: Path, needed: tuple[str, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Id and object of every line; ids are not repeated."""
    zipped = file.with_name(f"{file.name}.gz")
    seen: set[str] = set()
    shown = printable(file)
    try:
        opened = (
            gzip.open(zipped, "rt", encoding="utf-8") if zipped.is_file() else file.open(encoding="utf-8")
        )
        with opened as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                row = json.loads(line)
                name = str(row["_id"])
                if name in seen:
                    raise DatasetError(f"{shown}, line {number}: id {name!r} stands twice; keep one")
                seen.add(name)
                if missing := [key for key in needed if key not in row]:
                    raise DatasetError(f"{shown}, line {number}: has no {missing[0]!r}; add it")
                yield name, row
    except FileNotFoundError:
        raise DatasetError(f"{shown}: there is no such file; a BEIR folder holds it") from None
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"{shown}: is broken ({error!r}); it must have an object with _id a line"
        ) from None


def read_qrels(file: Path) -> Judgements:
    """Read judgements: BEIR's three columns with a head line, or TREC's four without.

    Raises:
        DatasetError: it cannot be read, or a line is of neither kind.
    """
    judgements: Judgements = {}
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            for number, line in enumerate(lines, 1):
                parts = next(csv.reader([line], delimiter="\t")) if "\t" in line else line.split()
                if not parts or (number == 1 and parts[-1].strip() in ("score", "rel", "relevance")):
                    continue
                if len(parts) not in (3, 4):
                    raise ValueError(f"line {number} has {len(parts)} columns")
                judgements.setdefault(parts[0], {})[parts[-2]] = int(float(parts[-1]))
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"{printable(file)}: no judgements ({error}); a line is query, document, grade, or TREC's "
            "four columns"
        ) from None
    return judgements
