"""`lexiscope evaluate`: measure a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["retrieval"]


def retrieval(
    dataset: Annotated[
        Path, typer.Argument(metavar="DATASET", help="Parquet (id, image, captions) or Karpathy JSON.")
    ],
    model: Annotated[
        str,
        typer.Option(
            metavar="M",
            help="A model folder, a hub id, or 'bundled'; clip:M for a dense model that open_clip loads.",
        ),
    ] = "bundled",
    images: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where a Karpathy file's pictures are.")
    ] = None,
    split: Annotated[str | None, typer.Option(metavar="S", help="Which part of a Karpathy file.")] = None,
    run: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write the TREC run of text → image here; the other goes beside it."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Measure image-text retrieval both ways: recall at 1, 5 and 10, in percent."""
    from lexiscope.evaluation import evaluate_retrieval, open_dataset, table
    from lexiscope.terminal import output, write_json

    captioned = open_dataset(dataset, images=images, split=split)
    from lexiscope.evaluation.models import open_encoder

    report = evaluate_retrieval(captioned, open_encoder(model), model=model, run=run)
    if as_json:
        write_json(report)
    else:
        output().print(table(report))
