"""Impossible recipes of the family are one clear line."""

import tomllib
from pathlib import Path

import pytest

from lexiscope.errors import RecipeError
from lexiscope.training.recipe import _folder, load_recipe


def changed(tmp_path: Path, name: str, old: str, new: str) -> Path:
    text = (_folder() / f"{name}.toml").read_text()
    assert old in text
    file = tmp_path / "mine.toml"
    file.write_text(text.replace(old, new, 1))
    tomllib.loads(file.read_text())
    return file


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        (
            "lexvla",
            '[picture]\nencoder = "head"',
            '[picture]\nencoder = "binary"',
            "none stands in a picture",
        ),
        ("splade-max", "[data]", "[data]\nsurprise = 1", "surprise"),
        (
            "deepimpact",
            'encoder = "mlp"\nactivation = "relu"\npooling = "max"\nhidden = 768',
            'encoder = "binary"',
            "neither has a weight",
        ),
        ("distilsplade", "negatives = 1", "negatives = 0", "a margin needs"),
        ("splade-max", "contrastive = 1.0", "contrastive = 0.0", "nothing to learn from"),
        ("splade-max", "contrastive = 1.0", "dense = 1.0", r"\[dense\] teacher"),
        ("splade-max", "contrastive = 1.0", "bottleneck = 1.0", "picture"),
        ("sparta", "contrastive = 1.0", "term_recall = 1.0", 'document.encoder = "mlp"'),
        ("lexlip-momentum", "queue = 11520", "queue = 1000", "a multiple of train.batch"),
        (
            "laptop-lexvla",
            'codebook = "own"\nadapter = "none"\nfreeze_codebook = true',
            'codebook = "tower"',
            'codebook = "own"',
        ),
        ("splade-max", "[query]", '[vision]\npretrained = "x"\n[query]', "no side looks at pictures"),
    ],
)
def test_an_impossible_pair_says_what_to_change(tmp_path, name, old, new, expected):
    with pytest.raises(RecipeError, match=expected) as caught:
        load_recipe(changed(tmp_path, name, old, new))
    assert "\n" not in str(caught.value)
