"""`lexiscope evaluate chapters`: measure cuts and titles against the creators'."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["chapters"]


def chapters(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Episodes with their chapters: .jsonl or .jsonl.gz.")
    ],
    split: Annotated[str | None, typer.Option(metavar="S", help="Take only episodes of this split.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Measure generated chapters: Pk, WindowDiff, F1 of cuts, and titles, beside the usual floors."""
    from lexiscope.evaluation.chapters import evaluate_chapters
    from lexiscope.evaluation.chapters_report import chapters_table
    from lexiscope.terminal import output, write_json
    from lexiscope.text.segmentation import Segmenter
    from lexiscope.text.titles import ExtractiveTitler

    report = evaluate_chapters(file, Segmenter.bundled(), ExtractiveTitler(), split=split)
    if as_json:
        write_json(report)
    else:
        output().print(chapters_table(report))
