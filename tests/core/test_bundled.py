"""The model that every newcomer meets first: small, whole, honest about its sources, and not blind."""

from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import pytest

from lexiscope import LexicalEncoder

MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def folder():
    return Path(str(files("lexiscope") / "bundled"))


@pytest.fixture(scope="module")
def encoder():
    return LexicalEncoder.from_pretrained("bundled", device="cpu")


def test_it_is_small_and_holds_no_pickle(folder):
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 40 * MEGABYTE
    assert {file.suffix for file in folder.iterdir()} <= {".json", ".md", ".safetensors", ".txt"}


def test_the_card_names_data_and_licence(folder):
    card = (folder / "README.md").read_text(encoding="utf-8")
    for name in ("flickr8k-train", "coco-train", "cc-train", "changelog-transcripts", "research"):
        assert name in card


def test_a_question_says_its_own_words_first(encoder):
    said = [term for term, _ in encoder.decode(encoder.encode_query("a dog on the beach"), top_k=2)]
    assert sorted(said) == ["beach", "dog"]


def test_words_find_real_photographs_better_than_chance(encoder):
    found = find_spec("skimage")
    assert found is not None and found.origin is not None
    photographs = Path(found.origin).parent / "data"
    asked = {
        "motorcycle_left.png": "a motorcycle parked in front of a building",
        "coffee.png": "a cup of coffee on a table",
        "rocket.jpg": "a rocket stands at a tower under the sky",
        "camera.png": "a man with a camera in black and white",
        "chelsea.png": "a close up of a cat",
        "brick.png": "a brick wall",
        "astronaut.png": "a smiling woman in an orange suit",
        "moon.png": "the surface of the moon",
    }
    pictures = encoder.encode_image([photographs / name for name in asked])
    scores = (encoder.encode_query(list(asked.values())) @ pictures.T).toarray()
    ranks = [(scores[row] > scores[row, row]).sum() for row in range(len(asked))]
    assert sum(ranks) / len(ranks) < 2.5  # a guess has 3.5
