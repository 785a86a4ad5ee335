"""`lexiscope quickstart`: a first look, in under a minute."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["quickstart"]


def quickstart(
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="DIR", help="Where to put it; by default a temporary folder."),
    ] = None,
) -> None:
    """Index a few photographs and an episode, and ask three questions."""
    from lexiscope.quickstart import run

    run(out)
