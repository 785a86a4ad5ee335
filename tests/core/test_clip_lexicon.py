"""A CLIP becomes a lexical encoder without training."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from lexiscope import InvertedIndex, LexicalEncoder
from lexiscope.clip_lexicon import ClipLexicon
from lexiscope.decomposition import decompose
from lexiscope.errors import ModelError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tiny CLIP in open_clip's own format, taught a few made pictures."""
    from lexiscope.training.smoke_rows import scenes
    from lexiscope.training.smoke_towers import tiny_clip

    torch.manual_seed(0)
    place = tmp_path_factory.mktemp("clip")
    tiny_clip(place, scenes(None, 64, pictures=True))
    return place


@pytest.fixture(scope="module")
def encoder(folder, tiny_vocabulary):
    return LexicalEncoder(ClipLexicon.from_clip(str(folder), vocabulary=tiny_vocabulary), device="cpu")


def test_a_decomposition_is_where_no_step_lowers_the_cost():
    generator = torch.Generator().manual_seed(1)
    book = F.normalize(torch.randn(40, 12, generator=generator), dim=1)
    z = F.normalize(torch.randn(5, 12, generator=generator), dim=1)
    w = decompose(z, book, penalty=0.15, steps=3000)
    slope = (w @ book - z) @ book.T + 0.15  # the conditions of Karush, Kuhn and Tucker
    assert (w >= 0).all() and (slope > -1e-3).all()
    assert slope[w > 1e-4].abs().max() < 1e-3
    assert 0 < (w > 0).float().mean() < 0.5


def test_a_vector_that_is_one_word_is_that_word():
    book = torch.eye(4)
    torch.testing.assert_close(decompose(book[2:3], book, penalty=0.2), torch.tensor([[0, 0, 0.8, 0]]))


def test_pictures_and_texts_are_few_words_and_search(encoder):
    rng = np.random.default_rng(0)
    pictures = [Image.fromarray(rng.integers(0, 255, (40, 40, 3), np.uint8)) for _ in range(6)]
    shown = encoder.encode_image(pictures)
    assert shown.shape == (6, len(encoder.vocabulary)) and 0 < shown.nnz < 6 * 40
    asked = encoder.encode_query(["a dog on the beach", "wittgenstein"])
    assert {"dog", "beach"} <= {term for term, _ in encoder.decode(asked[[0]])}
    assert encoder.encode_query("wittgenstein", inference_free=True).nnz > 1  # spelt in pieces
    ids, _ = InvertedIndex.build(shown).search(shown, k=1)
    assert ids[:, 0].tolist() == list(range(6))


def test_it_is_saved_and_loaded(encoder, tmp_path):
    encoder.save_pretrained(tmp_path / "kept")
    again = LexicalEncoder.from_pretrained(tmp_path / "kept", device="cpu")
    texts = ["a red ball", "two children"]
    np.testing.assert_allclose(
        again.encode_document(texts).toarray(), encoder.encode_document(texts).toarray(), atol=1e-5
    )
    assert again.fingerprint == encoder.fingerprint


def test_by_name_it_takes_the_bundled_words(folder):
    found = LexicalEncoder.from_pretrained(f"clip:{folder}", device="cpu")
    assert found.vocabulary.fingerprint == LexicalEncoder.from_pretrained("bundled").vocabulary.fingerprint


def test_bad_names_are_one_line():
    with pytest.raises(ModelError, match="no such dense model"):
        LexicalEncoder.from_pretrained("clip:nowhere")
