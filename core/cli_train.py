"""`lexiscope train`: train or distil a model from a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["train"]


def train(
    recipe: Annotated[
        str | None, typer.Argument(metavar="RECIPE", help="A recipe's name, or a TOML file.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the recipe's data files are.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Where the model goes.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint.")] = False,
    start: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL|DIR",
            help="Begin with a model (a folder, or bundled), or with the first stages of an earlier run.",
        ),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="Name the recipes that come with lexiscope.")] = False,
) -> None:
    """Train a model; stopped at any time, it goes on with --resume."""
    from lexiscope.terminal import output

    if list_:
        from lexiscope.training import recipes

        for name, description in recipes().items():
            output().print(f"{name:<16} {description}")
        return
    if recipe is None:
        raise typer.BadParameter(
            "name a recipe; `lexiscope train --list` lists those that come with lexiscope"
        )
    from lexiscope.training import run

    output().print(f"model: {run(recipe, data=data, out=out, resume=resume, start=start)}")
