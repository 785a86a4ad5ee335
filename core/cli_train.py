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
    small: Annotated[
        bool,
        typer.Option("--smoke", help="Try the recipe in seconds: tiny random towers, 200 steps, few rows."),
    ] = False,
    list_: Annotated[bool, typer.Option("--list", help="Name the recipes that come with lexiscope.")] = False,
) -> None:
    """Train a model; stopped at any time, it goes on with --resume."""
    from lexiscope.terminal import output

    if list_:
        from lexiscope.training import recipes

        listed = recipes()
        longest = max(map(len, listed))
        for name, description in listed.items():
            output().print(f"{name:<{longest}}  {description}")
        return
    if recipe is None:
        raise typer.BadParameter(
            "name a recipe; `lexiscope train --list` lists those that come with lexiscope"
        )
    if small:
        _smoke(recipe, data, out)
        return
    from lexiscope.training import run

    output().print(f"model: {run(recipe, data=data, out=out, resume=resume, start=start)}")


def _smoke(recipe: str, data: Path | None, out: Path | None) -> None:
    """Run a recipe small and say what came of it."""
    import tempfile

    from lexiscope.terminal import output
    from lexiscope.training.smoke import smoke

    folder = out or Path(tempfile.mkdtemp(prefix="lexiscope-smoke-"))
    found = smoke(recipe, data=data, out=folder)
    output().print(f"model: {found.model}")
    output().print(f"loss: {found.first:.3f} in the first tenth of the steps, {found.last:.3f} in the last")
    output().print(
        f"search: {100 * found.recall:.0f} % of the questions found their own among the first ten of "
        f"{found.searched} (a guess: {100 * found.chance:.0f} %); {found.words[0]:.0f} words a question, "
        f"{found.words[1]:.0f} a document"
    )
