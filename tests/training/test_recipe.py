"""Recipes are validated, and every message says where."""

import pytest

from lexiscope.errors import RecipeError
from lexiscope.training.recipe import load_recipe, recipes


def test_every_recipe_that_ships_is_valid():
    found = recipes()
    assert "bundled" in found
    assert all(found.values())


def test_a_recipe_is_found_by_name_and_by_file_name():
    assert load_recipe("bundled") == load_recipe("bundled.toml")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("not toml [", "not TOML"),
        ('name = "x"', "Field required"),
        ("COMPLETE surprise = 1", "surprise"),
        ("COMPLETE [lexical]\nsteps = 0\nbatch = 4", r"lexical\.steps"),
        ("COMPLETE [lexical]\nsteps = 1\nbatch = 4\nloss = { regulariser = 'l7' }", "regulariser"),
        ("COMPLETE [vision]\npretrained = 'x'\narchitecture = 'y'", "either pretrained or architecture"),
    ],
)
def test_a_wrong_recipe_says_where(tmp_path, text, expected):
    head = 'name = "x"\ndescription = "y"\n'
    sections = {
        "data": "pictures = ['a.parquet']",
        "vision": "architecture = 'y'",
        "text": "pretrained = 'z'",
        "lexical": "steps = 1\nbatch = 2",
    }
    if text.startswith("COMPLETE"):
        text = text.removeprefix("COMPLETE ")
        if not text.startswith("["):
            head, text = head + text + "\n", ""
        rest = "\n".join(f"[{name}]\n{body}" for name, body in sections.items() if f"[{name}]" not in text)
        text = f"{head}{text}\n{rest}"
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(RecipeError, match=expected) as caught:
        load_recipe(file)
    assert "mine.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_recipe_names_the_known_ones():
    with pytest.raises(RecipeError, match="bundled"):
        load_recipe("no-such-recipe")
