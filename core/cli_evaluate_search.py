"""`lexiscope evaluate search` and `chapter-search`: measure search over texts and chapters."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["Titles", "chapter_search", "search"]


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


def search(
    corpus: Annotated[
        Path,
        typer.Argument(metavar="CORPUS", help="A BEIR folder: corpus.jsonl, queries.jsonl and qrels/."),
    ],
    model: Annotated[
        str, typer.Option(metavar="M", help="A model folder, a hub id, or 'bundled'.")
    ] = "bundled",
    split: Annotated[
        str | None, typer.Option(metavar="S", help="Which judgements.", show_default="test, dev or train")
    ] = None,
    qrels: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Judgements in TREC's format, instead of qrels/.")
    ] = None,
    feedback: Annotated[
        int, typer.Option(min=0, metavar="K", help="Ask twice, too, with the K first answers; 0: do not.")
    ] = 3,
    alpha: Annotated[
        float, typer.Option(min=0, max=1, metavar="A", help="What our vectors count beside BM25.")
    ] = 0.5,
    run: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write our TREC run here; the others and the qrels go beside it."),
    ] = None,
    beside: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="A TREC run of another system, measured, too.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Measure text search: nDCG@10, R@10, R@100 and MRR@10, beside BM25 on the same texts."""
    from lexiscope.evaluation.beir import read_beir
    from lexiscope.evaluation.runs import read_run
    from lexiscope.terminal import output, write_json

    others = {file.stem: read_run(file) for file in beside or []}
    collection = read_beir(corpus, split, qrels)
    from lexiscope.encoder import LexicalEncoder
    from lexiscope.evaluation.chapter_search_report import text_search_table
    from lexiscope.evaluation.text_search import evaluate_search

    report = evaluate_search(
        collection,
        LexicalEncoder.from_pretrained(model),
        model=model,
        feedback=feedback,
        alpha=alpha,
        others=others,
        run=run,
    )
    if as_json:
        write_json(report)
    else:
        output().print(text_search_table(report))
