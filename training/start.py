"""What `lexiscope train --start` begins with: an earlier run, or a trained model."""

from __future__ import annotations

from pathlib import Path

from lexiscope import storage
from lexiscope.errors import RecipeError
from lexiscope.model import LexicalModel
from lexiscope.training.recipe import Recipe


def begin_with(start: Path | str | None, recipe: Recipe) -> tuple[Path | None, LexicalModel | None]:
    """The folder of an earlier run, or a model.

    Args:
        start: a run's folder, a model's folder, or the name of a preset.
        recipe: what is going to be trained.

    Raises:
        RecipeError: the model does not fit the recipe.
        ModelError: there is no such run or model, or it cannot be read.
    """
    if start is None:
        return None, None
    is_run = any((Path(start) / stage).is_dir() for stage in ("distil", "language"))
    if is_run or recipe.dense is not None:  # a dense model cannot begin with a lexical one
        return Path(start), None
    model = LexicalModel.load(storage.resolve(start))
    if recipe.distil is not None and model.vision_head.config.neck != recipe.heads.vision.neck:
        raise RecipeError(
            f"{start}: its picture head has no neck of {recipe.heads.vision.neck} for the teacher's "
            "features; leave distil out of the recipe, or train from the beginning"
        )
    return None, model
