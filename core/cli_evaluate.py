"""`lexiscope evaluate retrieval`: measure models on pictures with captions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lexiscope.evaluation.comparison import Comparison

__all__ = ["retrieval"]

_WIDTH_OF_FILES = 120  # columns, where there is no terminal that says how wide it is

Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        metavar="M",
        help="A model folder, a hub id, or 'bundled'; clip:M for a dense model that open_clip loads; bm25 "
        "for BM25 over the pictures' other captions. Again for each further model.",
        show_default="bundled",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        metavar="DIR",
        help="Write report.json, tables and plots here, and keep the vectors for the next run.",
    ),
]


def retrieval(
    dataset: Annotated[
        Path,
        typer.Argument(
            metavar="DATASET",
            help="Parquet (id, image, captions), Karpathy JSON, CSV (file, caption), or WebDataset tars.",
        ),
    ],
    model: Models = None,
    images: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the pictures of a JSON or CSV file are.")
    ] = None,
    split: Annotated[str | None, typer.Option(metavar="S", help="Which part of a Karpathy file.")] = None,
    out: Out = None,
    folds: Annotated[
        int, typer.Option(min=1, metavar="N", help="Means over N parts; 5 on COCO's test split is COCO 1K.")
    ] = 1,
    hnsw: Annotated[bool, typer.Option("--hnsw", help="Ask dense models through HNSW, too.")] = False,
    prune: Annotated[
        bool | None,
        typer.Option(
            "--prune/--no-prune", help="Measure with 8 to 256 words, too.", show_default="with --out"
        ),
    ] = None,
    feedback: Annotated[
        int, typer.Option(min=0, metavar="K", help="Ask twice, too, with the K first answers.")
    ] = 0,
    fuse: Annotated[
        bool, typer.Option("--fuse", help="Interpolate the first model with each other one, too.")
    ] = False,
    alpha: Annotated[
        float, typer.Option(min=0, max=1, metavar="A", help="What the first model counts then.")
    ] = 0.5,
    run: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write the TREC run of text → image here; the other goes beside it."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Measure image-text retrieval both ways: recall at 1, 5 and 10, in percent, with 95 % intervals."""
    from lexiscope.evaluation.comparison import Settings, compare_models
    from lexiscope.evaluation.datasets import open_dataset
    from lexiscope.evaluation.runs import check_writable

    captioned = open_dataset(dataset, images=images, split=split)
    if run is not None:
        check_writable(run)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    settings = Settings(folds, hnsw, feedback, fuse, alpha, out is not None if prune is None else prune)
    keep = None if out is None else out / "vectors"
    found = compare_models(captioned, model or ["bundled"], settings, keep=keep, run=run)
    _show(found, out, as_json=as_json)


def _show(found: Comparison, out: Path | None, *, as_json: bool) -> None:
    """Print one model's figures or several models' table, and write the folder."""
    from lexiscope.errors import printable
    from lexiscope.evaluation.report import comparison_table, gains_table, table
    from lexiscope.evaluation.report_files import write_report
    from lexiscope.terminal import output, say, write_json

    plain = len(found.measured) == 1 and not found.not_measured
    tables = [table(found.measured[0].report)] if plain else [comparison_table(found), gains_table(found)]
    if as_json:
        write_json(found.measured[0].report if plain and out is None else found.as_json())
    else:
        console = output()
        if not console.is_terminal:
            console.width = max(console.width, _WIDTH_OF_FILES)
        for one in tables:
            if one is not None:
                console.print(one)
    for missing in found.not_measured:
        say(f"{missing['model']}: {missing['reason']}", "yellow")
    if out is not None:
        files = write_report(found, out)
        say(f"wrote {', '.join(file.name for file in files)} to {printable(out)}", "dim")
        if not any(file.suffix == ".png" for file in files):
            say("no plot: matplotlib is not installed; pip install 'lexiscope[plots]'", "yellow")
