"""The words themselves, by hand: precision, shortcuts, overlap, and the page."""

import io
import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from scipy.sparse import csr_array
from typer.testing import CliRunner

from lexiscope.cli import app
from lexiscope.evaluation import evaluate_words, open_dataset, say_words, words_table, write_page
from lexiscope.evaluation.captioned import CaptionedPictures
from lexiscope.evaluation.lemmas import lemmas, said
from lexiscope.evaluation.words import WordsSaid, heaviest, precision
from lexiscope.evaluation.words_page import marked

from .conftest import ColourEncoder, picture_bytes

TERMS = ["dog", "run", "cat", "the", "~og", "beach"]


def by_hand():
    """Two pictures with three captions, and what a made-up model says."""
    dataset = CaptionedPictures(
        "two",
        "two.parquet",
        ("a", "b"),
        (("Two dogs running .", "dogs"), ("the <b>cat</b>",)),
        lambda: iter([picture_bytes("red"), picture_bytes("blue")]),
    )
    pictures = csr_array(np.array([[0.8, 0.6, 0, 0, 0, 0], [0, 0, 3, 4, 0, 0]], np.float32))
    captions = csr_array(np.array([[1, 0, 0, 0, 0, 0]] * 2 + [[0, 0, 1, 0, 0, 0]], np.float32))
    return WordsSaid(dataset, TERMS, pictures, captions)


@pytest.mark.parametrize(
    ("word", "lemma"),
    [
        ("dogs", "dog"),
        ("children", "child"),
        ("ridden", "ride"),
        ("sitting", "sit"),
        ("playing", "play"),
        ("qzx", "qzx"),
    ],
)
def test_lemmas(word, lemma):
    assert lemma in lemmas(word)


def test_what_is_said():
    right = said([["Two dogs ran on beaches"], ["an arcade"], []], TERMS)
    assert right.toarray().tolist() == [
        [True, True, False, False, False, True],
        [False] * 6,
        [False] * 6,
    ]


def test_pieces_are_said_nowhere():
    assert said([["og ~og"]], ["~og", "og"]).toarray().tolist() == [[False, True]]


def test_heaviest_by_hand():
    rows = csr_array(np.array([[1, 3, 2, 3], [0, 0, 0, 1], [0, 0, 0, 0]], np.float32))
    assert heaviest(rows, 2).toarray().tolist() == [[0, 1, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]]
    assert heaviest(csr_array(np.array([[2, 2, 2]], np.float32)), 2).toarray().tolist() == [[1, 1, 0]]


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 5), min_size=7, max_size=7), min_size=1, max_size=4))
def test_precision_is_between_none_and_all(values):
    rows = csr_array(np.array(values, np.float32))
    everything = csr_array(np.ones(rows.shape, bool))
    kept = np.minimum((np.array(values) > 0).sum(axis=1), 5)
    assert precision(rows, everything) == pytest.approx(100 * kept.mean() / 5)
    assert precision(rows, csr_array(rows.shape, dtype=bool)) == 0


def test_precision_by_hand():
    report = evaluate_words(by_hand(), model="m")
    # dog and run of the first picture, cat and the of the second; three of five are missing.
    assert report["precision"]["model"] == {"all": pytest.approx(40), "content": pytest.approx(30)}
    # Words of captions: two dogs running dogs | the b cat b; every word is of one picture only.
    common = report["precision"]["always_commonest"]
    assert common["all"] == pytest.approx(50)  # b cat dogs running the: three of the second, two of the first
    assert common["content"] == pytest.approx(50)  # b cat dogs running two
    # Tokens: two 1, dogs 2, running 1 of the first; the 1, b 2, cat 1 of the second.
    assert report["precision"]["random"] == {"all": pytest.approx(50), "content": pytest.approx(50)}


def test_shortcuts_by_hand():
    report = evaluate_words(by_hand())
    image = report["shortcuts"]["image"]
    assert image["count"] == 4  # with two pictures, whatever fires at all fires for more than a tenth
    assert image["share"] == pytest.approx(100)
    assert image["unsaid"] == 0
    assert [entry["word"] for entry in image["heaviest"]] == ["dog", "the", "run", "cat"]
    assert image["heaviest"][0] == {
        "word": "dog",
        "weight": pytest.approx(100 * 0.8 / 2.8),  # at unit length each picture weighs 1.4
        "fires": 50,
        "said": 50,
    }


def test_a_word_of_every_eleventh_picture_is_no_shortcut():
    dataset = CaptionedPictures(
        "many", "x", tuple("abcdefghijk"), (("dog",),) * 11, lambda: iter([picture_bytes("red")] * 11)
    )
    rows = np.zeros((11, 2), np.float32)
    rows[:, 0], rows[0, 1] = 1, 1
    report = evaluate_words(WordsSaid(dataset, ["dog", "cat"], csr_array(rows), csr_array(rows)))
    shortcuts = report["shortcuts"]["image"]
    assert [entry["word"] for entry in shortcuts["heaviest"]] == ["dog"]
    assert shortcuts["share"] == pytest.approx(100 * (10 + 0.5**0.5) / (10 + 2 * 0.5**0.5))
    assert report["shortcuts"]["people"]["share"] == 100  # everyone says dog
    wrong = evaluate_words(WordsSaid(dataset, ["bird", "cat"], csr_array(rows), csr_array(rows)))
    assert wrong["shortcuts"]["image"]["unsaid"] == pytest.approx(shortcuts["share"])
    assert wrong["shortcuts"]["people"]["share"] == 0


def test_counts_and_overlap_by_hand():
    report = evaluate_words(by_hand())
    assert report["active_words"]["image"] == {"mean": 2, "median": 2, "max": 2}
    assert report["active_words"]["text"] == {"mean": 1, "median": 1, "max": 1}
    assert report["distinct_words"] == {"image": 4, "text": 2}
    result = by_hand()
    shared = (
        (result.captions.toarray() > 0).astype(int) @ (result.pictures.toarray() > 0).astype(int).T
    ).mean()
    assert report["overlap"] == pytest.approx(shared)


def test_a_model_that_says_what_captions_say(colours):
    report = evaluate_words(say_words(open_dataset(colours), ColourEncoder()))
    assert report["precision"]["model"]["all"] == pytest.approx(20)  # one word, and it is right
    assert report["precision"]["random"]["all"] < 60
    json.dumps(report, allow_nan=False)


def test_pictures_without_words():
    result = by_hand()
    empty = WordsSaid(result.dataset, TERMS, csr_array((2, 6), dtype=np.float32), result.captions)
    report = evaluate_words(empty)
    assert report["precision"]["model"] == {"all": 0, "content": 0}
    assert report["shortcuts"]["image"] == {"share": 0, "unsaid": 0, "count": 0, "heaviest": []}
    assert report["active_words"]["image"]["max"] == 0


def test_the_table():
    console = Console(file=io.StringIO(), width=120)
    console.print(words_table(evaluate_words(by_hand(), model="m")))
    assert "40.0 %" in console.file.getvalue()
    assert "fires 50 %" in console.file.getvalue()


def test_the_page_needs_nothing_beside_it_and_escapes_what_it_shows(tmp_path):
    file = tmp_path / "page.html"
    write_page(file, by_hand(), evaluate_words(by_hand(), model="<script>"))
    page = file.read_text(encoding="utf-8")
    assert page.count("<article>") == 2
    assert page.count('src="data:image/jpeg;base64,') == 2
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert "<script>" not in page
    assert "&lt;b&gt;cat&lt;/b&gt;" in page
    assert "<mark>dogs</mark>" in page
    assert page.count('class="said top"') == 4


@settings(deadline=None)
@given(st.text(max_size=40))
def test_a_marked_caption_is_the_caption(caption):
    assert "".join(part for part, _ in marked(caption, ["dog"])) == caption


def test_marks():
    assert marked("Two dogs, one cat", ["dog", "~at"]) == [
        ("Two", False),
        (" ", False),
        ("dogs,", True),
        (" ", False),
        ("one", False),
        (" ", False),
        ("cat", False),
    ]


def test_the_page_shows_so_many_pictures_spread_evenly(tmp_path, colours):
    result = say_words(open_dataset(colours), ColourEncoder())
    file = tmp_path / "page.html"
    write_page(file, result, evaluate_words(result), number=2)
    page = file.read_text(encoding="utf-8")
    assert "red wall" in re.sub("<.?mark>", "", page)
    assert "grass" not in page


def test_the_commands(tmp_path, colours, model_folder):
    page = tmp_path / "page.html"
    arguments = ["evaluate", "words", str(colours), "--model", str(model_folder)]
    done = CliRunner().invoke(app, [*arguments, "--page", str(page), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["images"] == 3
    assert page.exists()
    assert "the commonest five" in CliRunner().invoke(app, arguments).stdout
    missing = CliRunner().invoke(app, [*arguments, "--page", str(tmp_path / "none" / "page.html")])
    assert missing.exit_code == 1
    assert "there is no such folder" in missing.stderr


def test_patches_need_masks(tmp_path, colours):
    done = CliRunner().invoke(
        app, ["evaluate", "patches", str(colours), "--masks", str(tmp_path / "none.tflite")]
    )
    assert done.exit_code == 1
    assert "no such segmentation model" in done.stderr
