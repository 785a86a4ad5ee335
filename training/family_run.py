"""One command for every recipe of the family: build → train → model folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from lexiscope.clip_tower import ClipTower
from lexiscope.errors import RecipeError
from lexiscope.family import FamilyModel
from lexiscope.training.development import lexical_encoder, on_development, on_rows
from lexiscope.training.distributed import leave, rank, wait
from lexiscope.training.distributed import start as join
from lexiscope.training.family_assemble import make_family
from lexiscope.training.family_card import family_card
from lexiscope.training.family_draw import PictureDraw, TextDraw
from lexiscope.training.family_recipe import FamilyRecipe
from lexiscope.training.family_stage import FamilyBatch, FamilyModule, FamilyStage
from lexiscope.training.loop import fit
from lexiscope.training.lora import add_lora, merge
from lexiscope.training.rows import Rows, open_rows
from lexiscope.training.schedules import schedule
from lexiscope.training.start import begin_family
from lexiscope.training.webdataset import open_captioned

STAGE = "family"
_START = "start.txt"  # beside the checkpoint
_COUNTED = 200_000  # documents that document frequencies are counted in


def run_family(
    recipe: FamilyRecipe, *, data: Path, out: Path, resume: bool, start: Path | str | None = None
) -> Path:
    """Train a method.

    Args:
        recipe: the method.
        data: folder that file names are relative to.
        out: folder for checkpoints, logs and the model.
        resume: go on where an earlier run into `out` stopped.
        start: a trained model to begin with (`lexiscope.training.start.begin_family`); None begins with the
            recipe's towers. A resumed run remembers it.

    Returns:
        The folder of the trained model.

    Raises:
        RecipeError: `out` holds another run, or the loss is no longer a number.
        DatasetError: a data file is missing or does not fit.
        ModelError: a tower cannot be loaded.
    """
    if (out / STAGE / "checkpoint").exists() and not resume:
        raise RecipeError(f"{out}: holds an earlier run; go on with it (--resume), or name another --out")
    start = _remembered(out / STAGE / _START, start, resume)
    device = join()
    try:
        torch.manual_seed(recipe.seed)
        return _trained(recipe, data, out, resume, device, start)
    finally:
        leave()


def _remembered(note: Path, start: Path | str | None, resume: bool) -> Path | str | None:
    """What a run began with; checkpoints do not hold what is not trained, which came from there."""
    if resume and start is None and note.is_file():
        return note.read_text(encoding="utf-8")
    return start


def _trained(
    recipe: FamilyRecipe,
    data: Path,
    out: Path,
    resume: bool,
    device: torch.device,
    start: Path | str | None,
) -> Path:
    files = [data / name for name in recipe.data.train]
    source: Any
    if recipe.picture is None:
        source = open_rows(files)
        model = make_family(recipe, _documents(source))
    else:
        model = make_family(recipe, ())
        source = open_captioned(files, side=model.picture_side)
    if start is not None:
        begin_family(model, start)
        _remember(out / STAGE / _START, start)
    model.to(device)
    adapted = None
    if recipe.text.lora is not None:
        adapted = [add_lora(tower, recipe.text.lora) for tower in (model.text, model.query_text) if tower]
        model.to(device)
    draw: Callable[[int], FamilyBatch] = (
        TextDraw(source, recipe, model, device)
        if recipe.picture is None
        else PictureDraw(source, recipe, model, device)
    )
    stage = FamilyStage(
        FamilyModule(model, recipe).to(device),
        recipe,
        draw,
        teacher=_teacher(recipe, device),
        evaluate=_evaluation(recipe, data),
    )
    # The momentum copy has no gradients, but moves: a checkpoint has to hold it.
    times = schedule(recipe.train, save_frozen=recipe.supervision.queue > 0)
    fit(stage, times, out / STAGE, device=device, resume=resume)
    for adapter in adapted or ():
        merge(adapter)
    folder = out / "model"
    if rank() == 0:
        model.save(folder, card=family_card(recipe, out / STAGE))
    wait()
    return folder


def _remember(note: Path, start: Path | str) -> None:
    if rank() == 0:
        note.parent.mkdir(parents=True, exist_ok=True)
        place = Path(start).expanduser()
        note.write_text(str(place.absolute() if place.exists() else start), encoding="utf-8")


def _documents(rows: Rows) -> Iterator[str]:
    step = max(1, len(rows) // _COUNTED)
    for number in range(0, len(rows), step):
        yield rows[number].documents[0]


def _teacher(recipe: FamilyRecipe, device: torch.device) -> ClipTower | None:
    section = recipe.dense
    if section is None or section.as_tower:
        return None
    return ClipTower.from_pretrained(section.pretrained).to(device)


def _evaluation(recipe: FamilyRecipe, data: Path) -> Callable[[FamilyModel], dict[str, float]] | None:
    if recipe.data.dev is None:
        return None
    file = data / recipe.data.dev
    if recipe.picture is not None:
        return on_development(file, lexical_encoder)
    return on_rows(file)


def figures(out: Path) -> list[dict[str, float]]:
    """What a run logged, step by step."""
    lines = (out / STAGE / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]
