import gzip
import json
import random

import numpy as np
import pytest
import segeval
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from lexiscope.cli import app
from lexiscope.errors import DatasetError
from lexiscope.evaluation.bayesseg import bayesseg
from lexiscope.evaluation.chapters import evaluate_chapters
from lexiscope.evaluation.chapters_report import chapters_table
from lexiscope.evaluation.episodes import read_episodes
from lexiscope.evaluation.segmentation_measures import boundary_similarity, f1_near, pk, window_diff

TOPICS = ["dough yeast oven loaf crust", "mast keel tide anchor hull", "pawn rook bishop gambit queen"]


@st.composite
def segmentations(draw):
    units = draw(st.integers(4, 60))
    places = st.sets(st.integers(1, units - 1), max_size=8)
    return units, [0, *sorted(draw(places))], [0, *sorted(draw(places))]


@settings(max_examples=80, deadline=None)
@given(segmentations())
def test_measures_are_those_of_segeval(drawn):
    units, right, found = drawn
    masses = [tuple(np.diff([*cuts, units]).tolist()) for cuts in (found, right)]
    if units > max(2, round(units / 2 / len(right))):
        assert pk(right, found, units) == pytest.approx(float(segeval.pk(*masses)))
        assert window_diff(right, found, units) == pytest.approx(float(segeval.window_diff(*masses)))
    if right != found or len(right) > 1:  # segeval fails where neither has a cut
        value = float(segeval.boundary_similarity(*masses))
        assert boundary_similarity(right, found, units) == pytest.approx(value)


def test_two_without_cuts_are_alike():
    assert boundary_similarity([0], [0], 9) == 1
    assert f1_near([], [], 3) == 1


@settings(max_examples=80, deadline=None)
@given(st.sets(st.integers(0, 30), max_size=6), st.sets(st.integers(0, 30), max_size=6), st.integers(0, 4))
def test_f1_pairs_as_many_as_can_be(right, found, tolerance):
    right, found = sorted(right), sorted(found)

    def most(left, rest):
        if not left:
            return 0
        near = [place for place in rest if abs(place - left[0]) <= tolerance]
        options = [1 + most(left[1:], [other for other in rest if other != place]) for place in near]
        return max([most(left[1:], rest), *options])

    total = len(right) + len(found)
    expected = 2 * most(right, found) / total if total else 1.0
    assert f1_near(right, found, tolerance) == pytest.approx(expected)


def subjects(lengths, seed=0):
    chance = random.Random(seed)
    return [
        " ".join(chance.choices(TOPICS[number % 3].split(), k=6))
        for number, length in enumerate(lengths)
        for _ in range(length)
    ]


def test_bayesseg_finds_what_is_plain():
    assert bayesseg(subjects([12, 7, 15]), 3) == [0, 12, 19]
    assert bayesseg(subjects([12, 7, 15]), 2) in ([0, 12], [0, 19])


@pytest.mark.parametrize("texts", [[], [""], ["", "the and of"], ["one word", "and another", "tree"]])
@pytest.mark.parametrize("segments", [1, 2, 9])
def test_bayesseg_takes_anything(texts, segments):
    cuts = bayesseg(texts, segments)
    assert len(cuts) == min(segments, len(texts))
    assert cuts == sorted(set(cuts))


def episode(number, *, timed=True):
    lengths = [20 + number, 25, 18]
    units = [
        {"speaker": None, "start": 4.0 * place if timed else None, "text": text}
        for place, text in enumerate(subjects(lengths, number))
    ]
    begins = [0, lengths[0], lengths[0] + lengths[1]]
    chapters = [
        {"unit": unit, "title": title}
        for unit, title in zip(begins, ["Baking", "Boats", "Chess"], strict=True)
    ]
    return {"id": f"e{number}", "title": "Talk", "description": "", "units": units, "chapters": chapters}


def write(file, episodes):
    lines = "".join(json.dumps(one) + "\n" for one in episodes).encode()
    file.write_bytes(gzip.compress(lines) if file.suffix == ".gz" else lines)
    return file


class Oracle:
    def __init__(self, episodes):
        self.cuts_of = {len(one["units"]): [c["unit"] for c in one["chapters"]] for one in episodes}

    def cuts(self, transcript):
        return self.cuts_of[len(transcript.units)]


class Namer:
    def titles(self, transcript, cuts):
        return ["Baking", "Something else", "chess!"]


@pytest.mark.parametrize("name", ["talks.jsonl", "talks.jsonl.gz"])
def test_the_right_chapters_are_perfect(tmp_path, name):
    episodes = [episode(number) for number in range(4)]
    report = evaluate_chapters(write(tmp_path / name, episodes), Oracle(episodes), Namer())
    assert (report["Pk"], report["WindowDiff"], report["F1@3"], report["F1@15s"]) == (0, 0, 1, 1)
    assert report["boundary_similarity"] == 1
    assert report["chapters"] == report["true_chapters"] == 3
    assert report["title_rougeL"] == pytest.approx(2 / 3)
    assert report["baselines"]["no_cuts"]["F1@3"] == 0
    assert report["baselines"]["bayesseg"]["F1@3"] == 1
    assert report["gains"]["no_cuts"]["Pk"][0] > 0
    assert report["intervals"]["Pk"] == (0, 0)
    json.dumps(report, allow_nan=False)
    assert chapters_table(report).row_count == 4


def test_without_times_there_is_no_f1_in_time(tmp_path):
    episodes = [episode(0, timed=False)]
    report = evaluate_chapters(write(tmp_path / "a.jsonl", episodes), Oracle(episodes))
    assert report["F1@15s"] is None
    assert report["title_rougeL"] is None
    assert "F1@15s" not in report["gains"]["even"]
    assert "F1@15s" not in report["intervals"]
    json.dumps(report, allow_nan=False)


def test_the_command_prints_one_object(tmp_path):
    file = write(tmp_path / "a.jsonl", [episode(0), episode(1)])
    result = CliRunner().invoke(app, ["evaluate", "chapters", str(file), "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert set(report["baselines"]) == {"no_cuts", "even", "bayesseg"}
    assert {"episodes", "Pk", "WindowDiff", "F1@3", "boundary_similarity", "title_rougeL"} <= set(report)
    shown = CliRunner().invoke(app, ["evaluate", "chapters", str(file)])
    assert "BayesSeg" in shown.stdout


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no episodes"),
        (b"{\n", "line 1: is no episode"),
        (b'{"units": []}\n', "line 1: is no episode"),
        (b"[1]\n", "line 1"),
        (b'{"units": [{"text": "a"}], "chapters": [{"unit": 7}]}\n', "begins at unit 7 of 1"),
        (b'{"units": [{"text": "a"}]}\n', "no 'chapters' in it"),
        (b"\x1f\x8bgarbage", "archive is damaged"),
        (b'{"units": "\xff"}\n', "not UTF-8"),
    ],
)
def test_files_that_are_no_episodes(tmp_path, content, message):
    file = tmp_path / "a.jsonl"
    file.write_bytes(content)
    with pytest.raises(DatasetError, match=message) as raised:
        read_episodes(file)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(DatasetError, match="no such file"):
        read_episodes(tmp_path / "none.jsonl")


def test_splits_are_kept_apart(tmp_path):
    file = write(tmp_path / "a.jsonl", [{**episode(n), "split": "train" if n else "val"} for n in range(3)])
    assert [one.id for one in read_episodes(file, split="train")] == ["e1", "e2"]
    with pytest.raises(DatasetError, match="of the split 'test'"):
        read_episodes(file, split="test")
