"""Files to index, and a tiny library of them."""

import numpy as np
import pytest
from PIL import Image

EPISODE = """WEBVTT

NOTE title: Dogs and boats

00:00:01.000 --> 00:00:09.000
<v Ann>A brown dog catches a ball on the beach.

00:01:05.000 --> 00:01:09.500
<v Ben>Nobody but Wittgenstein would sit in that boat.
"""


def make_picture(file, seed):
    """A picture of noise, another one for each seed."""
    noise = np.random.default_rng(seed).integers(0, 255, (24, 24, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((48, 48)).save(file)
    return file


@pytest.fixture
def files(tmp_path):
    """A folder of three pictures and a short episode."""
    folder = tmp_path / "files"
    folder.mkdir()
    for seed, name in enumerate(("beach.png", "cat.jpg", "horse.webp")):
        make_picture(folder / name, seed)
    (folder / "episode.vtt").write_text(EPISODE, encoding="utf-8")
    return folder


@pytest.fixture
def library(tmp_path, files, tiny_encoder, model_folder):
    """The files, indexed with the tiny model."""
    from lexiscope.index import Collection
    from lexiscope.retriever import Retriever

    collection = Collection.create(
        tmp_path / "index",
        vocabulary_size=len(tiny_encoder.vocabulary),
        fingerprint=tiny_encoder.vocabulary.fingerprint,
        model={"name": str(model_folder), "weights": tiny_encoder.fingerprint},
    )
    with Retriever(collection, str(model_folder), tiny_encoder) as made:
        made.add([files])
        yield made
