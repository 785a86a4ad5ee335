"""`lexiscope export`: take vectors away."""

from __future__ import annotations

import os
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lexiscope.errors import UnreadableSource, printable

if TYPE_CHECKING:
    from lexiscope.export_files import ExportReport

__all__ = ["Weights", "export"]


class Weights(StrEnum):
    """How weights are written."""

    float32 = "float32"
    uint8 = "uint8"


def export(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="SOURCE",
            help="Pictures, transcripts, Parquet data sets and folders of them; or one index folder.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The file to write.")],
    format: Annotated[
        str | None,
        typer.Option(
            metavar="F",
            help="parquet, jsonl, npz, safetensors, opensearch, elasticsearch, qdrant, milvus, vespa, "
            "pgvector, seismic, anserini or ciff.",
            show_default="by the ending of FILE",
        ),
    ] = None,
    model: Annotated[
        str, typer.Option(metavar="M", help="A model folder, a hub id, or 'bundled'.")
    ] = "bundled",
    words: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Keep the N heaviest words of each vector.")
    ] = None,
    weights: Annotated[
        Weights, typer.Option(help="uint8: whole numbers from 1 to 255, in units of one scale.")
    ] = Weights.float32,
    shard_rows: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="At most N vectors a file.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if anything cannot be read.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Write lexical vectors to a file, for your own programs or a search engine.

    A run that was stopped goes on where it was. NAME.export.json says what was written and what was skipped.
    """
    from lexiscope.export_files import Options
    from lexiscope.exporting import export as run
    from lexiscope.exporting import refuse
    from lexiscope.terminal import progress_bar, write_json

    if not any(os.path.lexists(os.path.expanduser(source)) for source in sources):
        named = ", ".join(printable(source) for source in sources)
        raise UnreadableSource(f"{named}: does not exist; check the path")
    options = Options(words, weights.value, shard_rows)
    with progress_bar("exporting") as progress:
        report = run(sources, out, format=format, model=model, options=options, progress=progress)
    if as_json:
        write_json(asdict(report))
    else:
        _show(report, out)
    if strict:
        refuse(report)


def _show(report: ExportReport, out: Path) -> None:
    from lexiscope.terminal import output, show_skipped

    bytes_ = sum(int(one["bytes"]) for one in report.files)
    names = report.files[0]["name"] if len(report.files) == 1 else f"{len(report.files)} files"
    done = "is there already" if report.unchanged else f"in {report.seconds:.1f} s"
    scale = f", 1 stands for {report.scale:.6g}" if report.scale is not None else ""
    output().print(
        f"{report.rows:,} vectors, {report.weights / max(1, report.rows):.1f} words each, "
        f"{bytes_ / 1e6:,.1f} MB "
        f"as {report.format}{scale}: {printable(out.parent / str(names))} {done}"
    )
    show_skipped(report.skipped)
