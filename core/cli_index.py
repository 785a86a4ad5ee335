"""`lexiscope index`: put pictures and transcripts into an index."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lexiscope.errors import UnreadableSource, printable

if TYPE_CHECKING:
    from lexiscope.indexing import AddReport

__all__ = ["index"]

Sources = Annotated[
    list[Path],
    typer.Argument(
        metavar="SOURCE",
        help="Pictures, transcripts (vtt, srt, json, txt), Parquet data sets, and folders of them.",
        show_default=False,
    ),
]


def index(
    sources: Sources,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="DIR", help="The index; made if it is not there.")
    ],
    model: Annotated[
        str | None,
        typer.Option(
            metavar="M",
            help="A model folder, a hub id, or 'bundled'. By default the one the index was made with.",
        ),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if anything cannot be read.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Index pictures and transcripts, found recursively.

    Run it again to add what is new and update what changed; files that are gone from a folder named here
    leave the index, too. A run that was stopped goes on where it was.
    """
    _must_exist(sources)
    from lexiscope.retriever import Retriever
    from lexiscope.terminal import output, progress_bar, show_report, write_json

    with Retriever.open(out, model=model, create=True) as library, progress_bar("indexing") as progress:
        report = library.add(sources, progress=progress)
    if as_json:
        write_json(_as_dict(report))
    else:
        show_report(report)
        if report.pictures + report.chapters:
            output().print(
                f'ask it: lexiscope search {shlex.quote(printable(out))} "what you are looking for"'
            )
    nothing_read = not report.added + report.updated + report.unchanged
    if report.errors and (strict or nothing_read):
        raise UnreadableSource(_complaint(report, strict=strict))


def _must_exist(sources: list[Path]) -> None:
    """Stop before anything is made where every path is mistyped; else the report lists those that are."""
    if not any(os.path.lexists(os.path.expanduser(source)) for source in sources):
        named = ", ".join(printable(source) for source in sources)
        raise UnreadableSource(f"{named}: does not exist; check the path")


def _complaint(report: AddReport, *, strict: bool) -> str:
    first = report.errors[0]
    rest = "all the rest is indexed" if strict else "nothing was indexed"
    more = f" (and {len(report.errors) - 1} more)" if len(report.errors) > 1 else ""
    return f"{first.path}: {first.reason}{more}; {rest}"


def _as_dict(report: AddReport) -> dict[str, Any]:
    return {
        "added": report.added,
        "updated": report.updated,
        "unchanged": report.unchanged,
        "removed": report.removed,
        "skipped": [{"path": entry.path, "reason": entry.reason} for entry in report.skipped],
        "pictures": report.pictures,
        "chapters": report.chapters,
        "seconds": round(report.seconds, 3),
    }
