"""`lexiscope evaluate chapter-search`: measure search over chapters."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["Titles", "chapter_search"]


class Titles(StrEnum):
    """Which titles chapters are found by."""

    none = "none"
    true = "true"
    generated = "generated"


def chapter_search(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Episodes with their chapters: .jsonl or .jsonl.gz.")
    ],
    queries: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Questions, one JSON object a line; by default the chapters' own titles."
        ),
    ] = None,
    titles: Annotated[Titles, typer.Option(help="The titles that chapters are found by, too.")] = Titles.none,
    model: Annotated[
        str, typer.Option(metavar="M", help="A model folder, a hub id, or 'bundled'.")
    ] = "bundled",
    split: Annotated[str | None, typer.Option(metavar="S", help="Take only episodes of this split.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Measure search over the creators' chapters: nDCG@10 and R@10, beside BM25 on the same chapters."""
    from lexiscope.encoder import LexicalEncoder
    from lexiscope.evaluation.chapter_search import evaluate_chapter_search
    from lexiscope.evaluation.chapter_search_report import search_table
    from lexiscope.terminal import output, write_json
    from lexiscope.text.titles import ExtractiveTitler

    encoder = LexicalEncoder.from_pretrained(model)
    report = evaluate_chapter_search(
        file, encoder, queries=queries, titles=titles.value, titler=ExtractiveTitler(), split=split
    )
    if as_json:
        write_json(report)
    else:
        output().print(search_table(report))
