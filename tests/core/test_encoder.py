"""The façade on a tiny model: shapes, promises, and files."""

import json

import numpy as np
import pytest
from PIL import Image
from scipy.sparse import csr_array

from lexiscope import LexicalEncoder
from lexiscope.errors import ModelError, UnreadableSource, VocabularyMismatch


@pytest.fixture(scope="module")
def pictures():
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 255, (40, 50, 3), dtype=np.uint8)) for _ in range(5)]


def lengths(rows):
    return np.sqrt(rows.multiply(rows).sum(axis=1))


def test_pictures_become_sparse_unit_rows(tiny_encoder, pictures):
    rows = tiny_encoder.encode_image(pictures, batch_size=2)
    assert isinstance(rows, csr_array)
    assert rows.shape == (5, len(tiny_encoder.vocabulary))
    assert rows.dtype == np.float32
    assert (rows.data > 0).all()
    assert (np.diff(rows.indptr) <= 6).all()  # top_k of the head
    np.testing.assert_allclose(lengths(rows), 1, rtol=1e-5)


def test_batching_changes_nothing(tiny_encoder, pictures):
    texts = ["a dog", "two children play with a red ball in the park", "zyx", "", "dog " * 60]
    for encode, items in ((tiny_encoder.encode_image, pictures), (tiny_encoder.encode_document, texts)):
        one, many = encode(items, batch_size=1), encode(items, batch_size=5)
        np.testing.assert_allclose(one.toarray(), many.toarray(), atol=1e-5)


def test_one_in_one_out(tiny_encoder, pictures, tmp_path):
    file = tmp_path / "picture.png"
    pictures[0].save(file)
    for given in (pictures[0], file, str(file), file.read_bytes()):
        assert tiny_encoder.encode_image(given).shape[0] == 1
    assert tiny_encoder.encode_query("a dog").shape[0] == 1
    assert tiny_encoder.encode_image([]).shape == (0, len(tiny_encoder.vocabulary))
    assert tiny_encoder.encode_query([]).shape == (0, len(tiny_encoder.vocabulary))


@pytest.mark.parametrize("inference_free", [False, True])
def test_every_word_of_a_text_survives(tiny_encoder, inference_free):
    text = "a dog and Schnorr42, 我 and 🐶, far beyond any window: " + "beach " * 50 + "Zanzibar"
    row = tiny_encoder.encode_query(text, inference_free=inference_free)
    assert set(tiny_encoder.vocabulary.literals(text)) <= set(row.indices.tolist())


def test_inference_free_says_nothing_but_the_words_of_the_text(tiny_encoder):
    row = tiny_encoder.encode_query("a dog", inference_free=True)
    assert {term for term, _ in tiny_encoder.decode(row)} == {"a", "dog"}


def test_repeated_words_weigh_more_in_documents_only(tiny_encoder):
    texts = ["schnorr on the beach", "schnorr schnorr on the beach"]
    document = tiny_encoder.encode_document(texts)
    query = tiny_encoder.encode_query(texts, inference_free=True)
    piece = tiny_encoder.vocabulary.literals("schnorr")[0]
    assert document[1, piece] > document[0, piece]
    assert query[1, piece] == pytest.approx(query[0, piece])


def test_decode_gives_the_heaviest_first(tiny_encoder):
    rows = tiny_encoder.encode_query(["a dog", "a red ball"])
    first, second = tiny_encoder.decode(rows, top_k=3)
    assert len(first) == len(second) == 3
    assert [weight for _, weight in first] == sorted((weight for _, weight in first), reverse=True)
    assert tiny_encoder.decode(rows[[0]], top_k=3) == first


def test_intersection_and_sparsity(tiny_encoder):
    query = tiny_encoder.encode_query("a dog")
    rows = tiny_encoder.encode_document(["a dog", "a red ball"])
    shared = tiny_encoder.intersection(query, rows)
    np.testing.assert_allclose(shared.sum(axis=1), (rows @ query.T).toarray().ravel(), rtol=1e-5)
    figures = tiny_encoder.sparsity(rows)
    assert figures["active_dims"] == rows.nnz / 2
    assert figures["sparsity_ratio"] == pytest.approx(1 - rows.nnz / 2 / rows.shape[1])


def test_vectors_of_another_vocabulary_are_refused(tiny_encoder):
    with pytest.raises(VocabularyMismatch, match="columns"):
        tiny_encoder.decode(csr_array((1, 3), dtype=np.float32))


def test_a_saved_model_says_the_same(tiny_encoder, pictures, tmp_path):
    tiny_encoder.save_pretrained(tmp_path / "again", card="# card\n")
    again = LexicalEncoder.from_pretrained(tmp_path / "again", device="cpu")
    assert again.vocabulary.fingerprint == tiny_encoder.vocabulary.fingerprint
    for name, items in (("encode_image", pictures), ("encode_query", ["a dog", "zyx"])):
        left, right = getattr(tiny_encoder, name)(items), getattr(again, name)(items)
        np.testing.assert_array_equal(left.toarray(), right.toarray())
    assert (tmp_path / "again" / "README.md").read_text() == "# card\n"
    assert not list((tmp_path / "again").glob("*.bin"))


def test_half_precision_is_half_the_size_and_nearly_the_same(tiny_encoder, pictures, tmp_path):
    tiny_encoder.save_pretrained(tmp_path / "whole")
    tiny_encoder.save_pretrained(tmp_path / "half", half=True)
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("half", "whole")]
    assert sizes[0] < 0.6 * sizes[1]
    half = LexicalEncoder.from_pretrained(tmp_path / "half", device="cpu")
    difference = half.encode_query("a dog") - tiny_encoder.encode_query("a dog")
    assert abs(difference).max() < 0.01


def test_a_file_that_is_no_picture_says_which(tiny_encoder, tmp_path):
    (tmp_path / "note.jpg").write_text("not a picture")
    with pytest.raises(UnreadableSource, match=r"note\.jpg"):
        tiny_encoder.encode_image(tmp_path / "note.jpg")


def damaged(folder, change):
    change(folder)
    return LexicalEncoder.from_pretrained(folder)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda f: (f / "config.json").write_text("{"), "not a lexiscope model"),
        (lambda f: (f / "config.json").write_text(json.dumps({"format_version": 99})), "newer"),
        (lambda f: (f / "model.safetensors").write_bytes(b"1234"), "cannot be read"),
        (lambda f: (f / "model.safetensors").unlink(), "cannot be read"),
        (lambda f: (f / "vocabulary.txt").unlink(), "vocabulary"),
        (lambda f: (f / "vocabulary.txt").write_text("dog\ncat\n"), "fingerprint"),
    ],
)
def test_a_damaged_model_folder_says_what_is_wrong(tiny_encoder, tmp_path, change, error):
    tiny_encoder.save_pretrained(tmp_path / "model")
    with pytest.raises((ModelError, VocabularyMismatch), match=error):
        damaged(tmp_path / "model", change)


def test_a_model_that_is_nowhere_says_what_to_name(tmp_path):
    with pytest.raises(ModelError, match="bundled"):
        LexicalEncoder.from_pretrained(tmp_path)
    with pytest.raises(ModelError, match="neither a folder nor a model"):
        LexicalEncoder.from_pretrained("nobody/no-such-model")


def test_long_texts_are_encoded_a_few_windows_at_a_time(tiny_encoder, monkeypatch):
    import torch

    from lexiscope import model

    texts = ["a dog runs on the beach " * 40, "a boat", "the brown dog catches a ball " * 25]
    whole = tiny_encoder.encode_document(texts)
    seen = []
    forward = type(tiny_encoder.model).text_weights

    def counted(self, ids, mask):
        seen.append(len(ids))
        return forward(self, ids, mask)

    monkeypatch.setattr(type(tiny_encoder.model), "text_weights", counted)
    monkeypatch.setattr(model, "WINDOWS_AT_ONCE", 3)
    cut = tiny_encoder.encode_document(texts)
    assert max(seen) == 3 and len(seen) > 2
    torch.testing.assert_close(torch.tensor(cut.toarray()), torch.tensor(whole.toarray()))
