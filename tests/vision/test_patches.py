"""Patch words: the same numbers as the picture's own words, and where they lie in the picture."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.sparse import csr_array

from lexiscope.vision.patches import PatchWords, patch_of_pixel, relevance, seen_box
from lexiscope.vision.tower import Preprocessor


def pictures():
    random = np.random.default_rng(1)
    return [Image.fromarray(random.integers(0, 256, (40, 60, 3), np.uint8)) for _ in range(3)]


def test_a_pictures_weights_are_the_most_of_its_patches(tiny_encoder):
    patches = list(tiny_encoder.encode_patches(pictures(), batch_size=2))
    assert [one.grid for one in patches] == [(4, 4)] * 3
    model = tiny_encoder.model
    with torch.inference_mode():
        whole = model.vision_head.weights(model.picture_states(pictures())).numpy()
    pooled = np.stack([one.weights.max(axis=(0, 1)) for one in patches])
    np.testing.assert_allclose(pooled, whole, rtol=1e-4, atol=1e-6)
    assert patches[0].term_ids.tolist() == tiny_encoder.model.vision_head.term_ids.tolist()
    assert patches[0].resize == tiny_encoder.model.vision.config.resize


def test_one_picture_need_not_be_in_a_list(tiny_encoder):
    (alone,) = tiny_encoder.encode_patches(pictures()[0])
    first = next(tiny_encoder.encode_patches(pictures()))
    np.testing.assert_allclose(alone.weights, first.weights, rtol=1e-4, atol=1e-6)


def test_relevance_by_hand():
    weights = np.array([[[3, 4], [0, 2]]], np.float32)  # one row, two columns, terms 1 and 3
    patches = PatchWords(weights, np.array([1, 3]), "squash")
    query = csr_array(np.array([[9, 0.6, 0, 0.8]], np.float32))  # term 0 is one that pictures cannot say
    np.testing.assert_allclose(relevance(patches, query), [[0.6 * 0.6 + 0.8 * 0.8, 0.8]], rtol=1e-6)


def test_relevance_of_patches_that_say_nothing_is_nothing():
    patches = PatchWords(np.zeros((2, 2, 1), np.float32), np.array([0]), "squash")
    assert not relevance(patches, csr_array(np.ones((1, 1), np.float32))).any()


def test_what_is_seen():
    assert seen_box(60, 40, "squash") == (0, 0, 60, 40)
    assert seen_box(60, 40, "crop") == (10, 0, 50, 40)


def test_patches_of_pixels_by_hand():
    assert patch_of_pixel(4, 2, (2, 2), "squash").tolist() == [[0, 0, 1, 1], [2, 2, 3, 3]]
    assert patch_of_pixel(4, 2, (2, 2), "crop").tolist() == [[-1, 0, 1, -1], [-1, 2, 3, -1]]


@settings(deadline=None)
@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(1, 6),
    st.integers(1, 6),
    st.sampled_from(["squash", "crop"]),
)
def test_every_pixel_that_is_seen_has_a_patch(width, height, rows, columns, resize):
    patches = patch_of_pixel(width, height, (rows, columns), resize)
    left, top, right, bottom = seen_box(width, height, resize)
    x, y = np.arange(width) + 0.5, np.arange(height) + 0.5
    seen = ((y >= top) & (y < bottom))[:, None] & ((x >= left) & (x < right))
    assert ((patches >= 0) == seen).all()
    assert patches.max() < rows * columns


def test_the_patch_is_where_the_tower_looks(tiny_encoder):
    """A change inside one patch's pixels changes that patch of the input, and no other."""
    white = Image.new("RGB", (96, 64), "white")
    black = white.copy()
    box = patch_of_pixel(96, 64, (4, 4), tiny_encoder.model.vision.config.resize)
    for y, x in np.argwhere(box == 6)[::1]:
        black.putpixel((int(x), int(y)), (0, 0, 0))
    first, second = (
        Preprocessor(tiny_encoder.model.vision.config)([picture])[0, 0].numpy() for picture in (white, black)
    )
    change = np.abs(first - second).reshape(4, 8, 4, 8).mean(axis=(1, 3))
    assert change.argmax() == 6
    assert change.ravel()[6] > 5 * np.partition(change.ravel(), -2)[-2]


@pytest.mark.parametrize("name", ["PatchWords", "relevance"])
def test_public_names(name):
    import lexiscope.vision

    assert name in lexiscope.vision.__all__
    assert getattr(lexiscope.vision, name)
