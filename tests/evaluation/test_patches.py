"""PatchDis by hand: masks and patches of a few pixels, and the whole command on a tiny model."""

import io
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from rich.console import Console

from lexiscope.errors import DatasetError, UnreadableSource
from lexiscope.evaluation import evaluate_patches, open_dataset, patches_table
from lexiscope.evaluation.patch_classes import CLASS_WORDS, ByText, ByWord, class_words
from lexiscope.evaluation.patch_measures import (
    auc,
    confusion,
    intersection_over_union,
    pixels_of_patches,
    without_specks,
)
from lexiscope.evaluation.patches import lexical_classifiers
from lexiscope.evaluation.segmentation_teacher import (
    PASCAL_CLASSES,
    DeepLab,
    KeptMasks,
    fit,
    read_labels,
)

from .conftest import picture_bytes

LABELS = ["background", "cat", "dog"]
HALVES = np.array([[1, 1, 2, 2]] * 4, np.uint8)  # a cat on the left, a dog on the right


class Sides:
    """Says cat on the left and dog on the right, of two patches."""

    grid, resize = (1, 2), "squash"

    def __init__(self, right=True):
        self.answer = np.eye(2, dtype=np.float32)[:: 1 if right else -1]

    def scores(self, pictures):
        return iter([self.answer] * len(pictures))


def test_pixels_are_counted_by_hand():
    counts = pixels_of_patches(HALVES.astype(np.int64), (2, 2), "squash", 3)
    assert counts.tolist() == [[0, 4, 0], [0, 0, 4], [0, 4, 0], [0, 0, 4]]
    wide = np.array([[1, 0, 0, 2]] * 2)
    assert pixels_of_patches(wide, (1, 1), "crop", 3).tolist() == [[4, 0, 0]]


@settings(deadline=None)
@given(arrays.arrays(np.int64, (7, 9), elements=st.integers(0, 4)), st.integers(1, 5), st.integers(1, 5))
def test_no_pixel_is_lost(mask, rows, columns):
    counts = pixels_of_patches(mask, (rows, columns), "squash", 5)
    assert counts.sum(axis=0).tolist() == np.bincount(mask.ravel(), minlength=5).tolist()
    clean = without_specks(counts, 0.25)
    assert clean.sum(axis=1).tolist() == counts.sum(axis=1).tolist()
    shares = clean.sum(axis=0)[1:] / mask.size
    assert ((shares == 0) | (shares >= 0.25)).all()


def test_union_by_hand():
    scores = np.array([[1, 0], [1, 0], [0, 1]], np.float32)  # cat, cat, dog
    counts = np.array([[2, 2, 0], [0, 1, 3], [1, 0, 3]])  # background, cat, dog
    table = confusion(scores, counts, np.array([True, True]))
    assert table.tolist() == [[2, 3, 3], [1, 0, 3]]
    assert intersection_over_union(table, background=False).tolist() == [3 / 6, 3 / 6]
    assert intersection_over_union(table, background=True).tolist() == [3 / 8, 3 / 7]
    told = confusion(scores, counts, np.array([False, True]))
    assert told.tolist() == [[0, 0, 0], [3, 3, 6]]
    nothing = intersection_over_union(np.array([[5, 0], [0, 0]])[:1], background=False)
    assert math.isnan(nothing[0])


@settings(deadline=None)
@given(
    arrays.arrays(np.float32, 6, elements=st.sampled_from([0.0, 0.5, 1.0, 2.0])),
    arrays.arrays(np.int64, 6, elements=st.integers(0, 4)),
    arrays.arrays(np.int64, 6, elements=st.integers(0, 4)),
)
def test_auc_is_the_share_of_pairs_of_pixels(scores, inside, outside):
    positive, negative = np.repeat(scores, inside), np.repeat(scores, outside)
    value = auc(scores, inside, outside)
    if not len(positive) or not len(negative):
        assert math.isnan(value)
        return
    higher = positive[:, None] > negative
    even = positive[:, None] == negative
    assert value == pytest.approx((higher + even / 2).mean())


def test_right_and_wrong_patches(colours):
    dataset = open_dataset(colours)
    report = evaluate_patches(
        dataset, {"right": Sides(), "wrong": Sides(right=False)}, lambda source: HALVES, LABELS, model="m"
    )
    assert report["images_by_class"] == {"cat": 3, "dog": 3}
    assert report["grid"] == [1, 2]
    figures = report["figures"]
    assert list(figures) == ["right", "wrong", "random", "always_commonest", "ceiling"]
    for name, expected in {"right": 100, "wrong": 0, "ceiling": 100}.items():
        assert figures[name]["mIoU"] == figures[name]["mIoU_strict"] == expected
        assert figures[name]["AUC"] == expected
    assert figures["always_commonest"]["IoU_by_class"] == {"cat": 50, "dog": 0}
    assert figures["always_commonest"]["AUC"] == 50
    json.dumps(report, allow_nan=False)
    console = Console(file=io.StringIO(), width=120)
    console.print(patches_table(report))
    assert "1 × 2 patches" in console.file.getvalue()


def test_background_is_void_or_counts_against(colours):
    mask = np.array([[1, 1, 0, 0]] * 4, np.uint8)
    report = evaluate_patches(open_dataset(colours), {"x": Sides()}, lambda source: mask, LABELS)
    figures = report["figures"]["x"]
    assert figures["mIoU"] == figures["mIoU_strict"] == 100  # the patch of background was said to be a dog
    assert figures["mIoU_classes_given"] == 100
    assert figures["mIoU_strict_classes_given"] == 50  # with only the cat to choose, it is half background
    filled = evaluate_patches(
        open_dataset(colours), {"x": Sides()}, lambda source: np.ones((4, 4), int), LABELS
    )
    assert filled["figures"]["x"]["AUC"] is None
    assert "–" in _printed(patches_table(filled))


def _printed(renderable):
    console = Console(file=io.StringIO(), width=120)
    console.print(renderable)
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("mask", "message"),
    [(np.zeros((4, 4), int), "no picture has any"), (np.full((4, 4), 3), "'r': its mask")],
)
def test_masks_that_do_not_fit(colours, mask, message):
    with pytest.raises(DatasetError, match=message):
        evaluate_patches(open_dataset(colours), {"x": Sides()}, lambda source: mask, LABELS)


def test_a_damaged_picture_is_named(tmp_path, colours):
    def broken(source):
        raise UnreadableSource("the picture given as bytes: damaged")

    with pytest.raises(UnreadableSource):
        evaluate_patches(open_dataset(colours), {"x": Sides()}, broken, LABELS)


def test_every_pascal_class_has_words():
    assert set(CLASS_WORDS) == set(PASCAL_CLASSES[1:])
    every = [word for words in CLASS_WORDS.values() for word in words.split()]
    assert len(every) == len(set(every))
    assert class_words("zebra") == ["zebra"]


def test_a_class_is_as_loud_as_its_loudest_word(tiny_encoder):
    picture = picture_bytes("red")
    (patches,) = tiny_encoder.encode_patches([picture])
    terms = tiny_encoder.vocabulary.terms
    sayable = [
        terms[number] for number in patches.term_ids if not tiny_encoder.vocabulary.is_piece(terms[number])
    ]
    CLASS = {"both": " ".join(sayable[:2]), "one": sayable[2]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lexiscope.evaluation.patch_classes.CLASS_WORDS", CLASS)
        by_word = ByWord(tiny_encoder, ["both", "one", "unheard-of"], patches)
    assert by_word.unsayable == ["unheard-of"]
    (scores,) = by_word.scores([picture])
    places = [patches.term_ids.tolist().index(terms.index(word)) for word in sayable[:3]]
    rows = patches.weights.reshape(16, -1)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    expected = np.stack([unit[:, places[:2]].max(axis=1), unit[:, places[2]], np.zeros(16)], axis=1)
    np.testing.assert_allclose(scores, expected, rtol=1e-4)


def test_the_text_towers_classes_are_products_of_vectors(tiny_encoder):
    picture = picture_bytes("blue")
    (patches,) = tiny_encoder.encode_patches([picture])
    (scores,) = ByText(tiny_encoder, ["dog", "diningtable"], patches).scores([picture])
    queries = tiny_encoder.encode_query(["dog", "dining table"]).toarray()[:, patches.term_ids]
    rows = patches.weights.reshape(16, -1)
    expected = rows @ queries.T / np.linalg.norm(rows, axis=1, keepdims=True)
    np.testing.assert_allclose(scores, expected, rtol=1e-4)


def test_a_tiny_model_goes_through(tiny_encoder, colours):
    dataset = open_dataset(colours)
    by_word, by_text = lexical_classifiers(tiny_encoder, dataset, LABELS[1:])
    assert by_word.grid == by_text.grid == (4, 4)
    report = evaluate_patches(
        dataset,
        {"words": by_word, "text_tower": by_text},
        lambda source: HALVES,
        LABELS,
        unsayable=by_word.unsayable,
    )
    assert report["figures"]["ceiling"]["mIoU"] == 100
    assert 0 <= report["figures"]["words"]["mIoU"] <= 100


class Counting:
    def __init__(self):
        self.asked = 0

    def __call__(self, source):
        self.asked += 1
        return HALVES


def test_masks_are_kept_by_content(tmp_path):
    model, other, picture = tmp_path / "model", tmp_path / "other", tmp_path / "picture.png"
    model.write_bytes(b"weights")
    other.write_bytes(b"others")
    picture.write_bytes(picture_bytes("red"))
    source = Counting()
    kept = KeptMasks(tmp_path / "kept", model, source)
    for same in (picture, picture_bytes("red"), picture):
        assert kept(same).tolist() == HALVES.tolist()
    assert source.asked == 1
    kept(picture_bytes("blue"))
    KeptMasks(tmp_path / "kept", other, source)(picture)
    assert source.asked == 3
    again = Counting()
    assert KeptMasks(tmp_path / "kept", model, again)(picture).tolist() == HALVES.tolist()
    assert again.asked == 0
    for file in (tmp_path / "kept").rglob("*.png"):
        file.write_bytes(file.read_bytes()[:40])  # cut off
    assert KeptMasks(tmp_path / "kept", model, again)(picture).tolist() == HALVES.tolist()
    assert again.asked == 1
    assert not list((tmp_path / "kept").rglob("*.part"))


def test_a_model_that_is_missing(tmp_path):
    with pytest.raises(DatasetError, match="no such segmentation model"):
        DeepLab(tmp_path / "none.tflite")
    with pytest.raises(DatasetError, match="cannot be read"):
        KeptMasks(tmp_path, tmp_path / "none.tflite", Counting())


def test_a_model_that_is_none(tmp_path):
    pytest.importorskip("ai_edge_litert")
    (tmp_path / "x.tflite").write_bytes(b"no model" * 20)
    with pytest.raises(DatasetError, match="is no TFLite model"):
        DeepLab(tmp_path / "x.tflite")


def test_a_picture_fits_into_the_upper_left_of_the_square():
    square, size = fit(Image.new("RGB", (30, 15), "red"), 20)
    assert size == (20, 10)
    assert (square[:10] == (255, 0, 0)).all()
    assert (square[10:] == 128).all()


def test_labels(tmp_path):
    assert read_labels(None) == PASCAL_CLASSES
    file = tmp_path / "labels.txt"
    file.write_text("background\ncat\n\n", encoding="utf-8")
    assert read_labels(file) == ["background", "cat"]
    file.write_text("background\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="has 1 names"):
        read_labels(file)
    with pytest.raises(DatasetError, match="cannot be read"):
        read_labels(tmp_path / "none.txt")
