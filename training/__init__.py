"""Training: data, losses, regularisers, the loop and the recipes.

    recipe     what a TOML file may say
    corpus     Parquet files decoded once; teacher: its feature maps; augment: crops and colours
    distil     stage 1: the picture tower copies the teacher
    language   stage 2: the small language model learns to say the next token
    lexical    stage 3: both towers learn to say the same words
    losses     InfoNCE, overuse, FLOPS
    loop       the one training loop
    pipeline   all stages of a recipe in one command

Public names load on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lexiscope.lazy import lazy

if TYPE_CHECKING:
    from lexiscope.training.pipeline import run
    from lexiscope.training.recipe import load_recipe, recipes

__all__ = ["load_recipe", "recipes", "run"]

_HOME = {
    "load_recipe": "lexiscope.training.recipe",
    "recipes": "lexiscope.training.recipe",
    "run": "lexiscope.training.pipeline",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy(__name__, _HOME)
