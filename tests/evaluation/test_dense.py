"""Dense models beside lexical ones: the same report, exact search, and one line where there is no model."""

import io
import json
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rich.console import Console

from lexiscope.errors import ModelError
from lexiscope.evaluation import evaluate_retrieval, open_dataset, table
from lexiscope.evaluation.dense import DenseEncoder, load_open_clip
from lexiscope.evaluation.dense_patches import ByDenseText
from lexiscope.evaluation.models import open_encoder
from lexiscope.evaluation.vectors import DenseIndex, saved_bytes

from .conftest import ColourEncoder, picture_bytes


class DenseColours:
    """The colours of `ColourEncoder` as dense vectors."""

    vocabulary = None

    def __init__(self):
        self._lexical = ColourEncoder()

    def encode_image(self, pictures, **options):
        return self._lexical.encode_image(pictures).toarray()

    def encode_query(self, texts, **options):
        return self._lexical.encode_query(texts).toarray()

    encode_document = encode_query


def test_a_dense_model_is_reported_like_a_lexical_one(colours):
    dense = evaluate_retrieval(open_dataset(colours), DenseColours(), model="dense")
    lexical = evaluate_retrieval(open_dataset(colours), ColourEncoder(), model="lexical")
    assert set(lexical) - set(dense) == {"vocabulary"}
    assert dense["dimensions"] == lexical["dimensions"] == 4
    for name in ("text_to_image", "image_to_text", "median_rank", "mean_recall"):
        assert dense[name] == lexical[name]
    assert dense["index_bytes"] == {"text_to_image": 3 * 4 * 4 + 128, "image_to_text": 6 * 4 * 4 + 128}
    assert lexical["index_bytes"]["text_to_image"] > 0
    assert json.loads(json.dumps(dense)) == dense
    out = io.StringIO()
    Console(file=out, width=120).print(table(dense))
    assert "4 dimensions" in out.getvalue() and "words" not in out.getvalue()


values = st.sampled_from([-2.5, -1.0, -0.0, 0.0, 1e-30, 0.5, 1.0, 3e38])


@settings(deadline=None)
@given(
    arrays(np.float32, st.tuples(st.integers(1, 5), st.integers(1, 12)), elements=values), st.integers(1, 15)
)
def test_exact_search_with_ties_to_the_first(scores, k):
    documents = np.eye(scores.shape[1], dtype=np.float32)
    ids, found = DenseIndex(documents).search(scores, k=k)
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    assert ids.tolist() == expected.tolist()
    assert found.tolist() == np.take_along_axis(scores, expected, axis=1).tolist()


def test_the_size_on_disk():
    assert saved_bytes(DenseIndex(np.zeros((10, 8), np.float32))) == 128 + 10 * 8 * 4


@pytest.fixture(scope="module")
def clip():
    """A random CLIP of open_clip's own kind, whose texts have a fixed length."""
    open_clip = load_open_clip()
    vision = {"layers": 1, "width": 32, "head_width": 16, "patch_size": 8, "image_size": 16}
    text = {"width": 16, "heads": 2, "layers": 1}
    model = open_clip.model.CLIP(embed_dim=8, vision_cfg=vision, text_cfg=text)
    open_clip.set_model_preprocess_cfg(model, {"size": 16, "mean": (0.5,) * 3, "std": (0.5,) * 3})
    return DenseEncoder(model, open_clip.SimpleTokenizer())


def test_any_open_clip_model_is_an_encoder(clip):
    texts = ["a dog", "a much longer text about a cat on a chair", ""]
    vectors = clip.encode_text(texts, batch_size=2)
    assert vectors.shape == (3, 8) and vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(vectors[1:2], clip.encode_text(texts[1:2]), atol=1e-6)
    assert clip.encode_image([picture_bytes("red")] * 3, batch_size=2).shape == (3, 8)


def test_patches_of_other_towers_are_refused(clip):
    with pytest.raises(ModelError, match="timm vision transformer"):
        ByDenseText(clip, ["cat"])


@pytest.mark.parametrize("name", ["clip:", "clip:nowhere", "clip:ViT-B-32/nothing", "clip:ViT-B-32"])
def test_bad_names_are_one_line(name):
    with pytest.raises(ModelError, match=r"no such dense model|not a dense model") as caught:
        open_encoder(name)
    assert "\n" not in str(caught.value)


def test_a_folder_that_holds_no_dense_model(tmp_path):
    with pytest.raises(ModelError, match=r"open_clip_config\.json is missing or damaged"):
        open_encoder(f"clip:{tmp_path}")


def test_without_open_clip_the_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(ModelError, match=r"pip install 'lexiscope\[dense\]'"):
        open_encoder("clip:anything")
