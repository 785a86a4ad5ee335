"""What `lexiscope train --start` begins with: an earlier run, or a trained model."""

from __future__ import annotations

from pathlib import Path

from lexiscope import storage
from lexiscope.errors import RecipeError
from lexiscope.family import FamilyModel
from lexiscope.family_storage import fill
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
    if recipe.vision.image_size is not None:
        model.vision.see(recipe.vision.image_size)
    return None, model


def begin_family(model: FamilyModel, start: Path | str) -> None:
    """Give a method the weights of a trained one: towers, heads and document frequencies.

    Rules without weights (prompt, activation, cut) stay the recipe's; a dense model (D2S), which is never
    trained, too.

    Args:
        model: as the recipe builds it.
        start: a family model's folder or hub id, or the folder of the run that trained it.

    Raises:
        RecipeError: it is of another kind or vocabulary, or its weights are of another shape.
        ModelError: there is no such model, or it cannot be read.
    """
    run = Path(start).expanduser() / "model"
    folder = storage.resolve(run if (run / storage.CONFIG).is_file() else start)
    config = storage.read_config(folder)
    if "family" not in config:
        raise RecipeError(
            f"{start}: is no model of the family; name one that a recipe with [document] trained"
        )
    if config.get("vocabulary") != model.vocabulary.fingerprint:
        raise RecipeError(
            f"{start}: its vocabulary has the fingerprint {config.get('vocabulary')}, the recipe's "
            f"{model.vocabulary.fingerprint}; name the text tower and [vocabulary] of its own recipe"
        )
    try:
        fill(model, storage.read_weights(folder))
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise RecipeError(
            f"{start}: was trained with other towers or heads than the recipe's ({reason})"
        ) from error
