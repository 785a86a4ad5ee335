"""`pytest -m recipes`: every recipe that ships runs whole, scaled down: it learns, is saved, and is searched.

With LEXISCOPE_DATA naming the folder of real data, rows of it; else rows made by the command itself.
"""

import os
from pathlib import Path

import pytest
import torch

from lexiscope.training import load_recipe, recipes
from lexiscope.training.family_recipe import FamilyRecipe
from lexiscope.training.smoke import smoke

DATA = Path(os.environ["LEXISCOPE_DATA"]) if "LEXISCOPE_DATA" in os.environ else None


@pytest.mark.recipes
@pytest.mark.parametrize("name", sorted(recipes()))
def test_a_recipe_learns_and_its_vectors_search(name, tmp_path):
    torch.set_num_threads(1)
    found = smoke(name, data=DATA, out=tmp_path)
    assert found.last < found.first, found
    assert found.recall > 2 * found.chance, found


def test_every_method_says_where_it_comes_from():
    methods = {name: load_recipe(name) for name in recipes()}
    for name, recipe in methods.items():
        if isinstance(recipe, FamilyRecipe):
            assert recipe.name == name and recipe.paper and recipe.differs and recipe.published
