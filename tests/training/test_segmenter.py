import json
import random

import numpy as np
import pytest

from lexiscope.evaluation.episodes import read_episodes
from lexiscope.text.segment_features import FEATURES
from lexiscope.text.segmentation import Segmenter, SegmenterWeights
from lexiscope.training.segmenter import as_captions, held_out, lessons, main, train_segmenter

WORDS = [
    f"{first}{second}" for first in ("bo", "ka", "li", "mu", "te") for second in ("rax", "nop", "vim", "sul")
]


def episode(number):
    """Chapters begin with "okay next", and each has words of its own."""
    chance = random.Random(number)
    units, chapters = [], []
    for _ in range(5):
        own = chance.sample(WORDS, 4)
        chapters.append({"unit": len(units), "title": own[0]})
        for place in range(chance.randint(8, 16)):
            text = ("okay next " if place == 0 else "") + " ".join(chance.choices(own, k=10))
            units.append({"speaker": "A", "start": None, "text": text + "."})
    return {"id": f"show/{number}", "title": "", "units": units, "chapters": chapters, "split": "train"}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "shows.jsonl"
    path.write_text("".join(json.dumps(episode(number)) + "\n" for number in range(12)), encoding="utf-8")
    return path


def test_what_is_learned_holds_for_other_episodes(file):
    episodes = read_episodes(file)
    weights = train_segmenter(lessons("shows", episodes[:9]))
    right = {FEATURES[number] for number in np.argsort(-weights.weights)[:12]}
    assert right & {"opening: order", "first: order", "opening: assent", "first: assent"}
    for unseen in episodes[9:]:
        cuts = Segmenter(weights).cuts(unseen.transcript)
        near = [min(abs(cut - place) for cut in cuts) <= 1 for place in unseen.cuts]
        assert sum(near) >= 4
        assert len(cuts) <= 8


def test_captions_keep_words_and_chapters(file):
    plain = read_episodes(file)[0]
    captions = as_captions(plain)
    said = " ".join(unit.text for unit in plain.transcript.units).replace(".", "").split()
    assert " ".join(unit.text for unit in captions.transcript.units).split() == said
    assert captions.cuts[0] == 0
    assert len(captions.cuts) == len(plain.cuts)
    assert all(unit.speaker is None for unit in captions.transcript.units)


def test_held_out_cuts_come_from_other_parts(file):
    taught = lessons("shows", read_episodes(file)[:6])
    seen = []

    def part(one):
        seen.append(one.id)
        return one.id[-1]

    cuts = held_out(taught, part)
    assert set(cuts) == {("shows", captions, f"show/{n}") for n in range(6) for captions in (False, True)}
    expected = train_segmenter([one for one in taught if one.id != "show/3"])
    mine = next(one for one in taught if one.id == "show/3")
    assert cuts["shows", False, "show/3"] == Segmenter(expected).cut_places(mine.places)


def test_the_command_writes_weights(file, tmp_path):
    out = tmp_path / "weights.json"
    main([str(file), "--out", str(out)])
    weights = SegmenterWeights.from_json(json.loads(out.read_text(encoding="utf-8")))
    assert len(weights.weights) == len(FEATURES)


def test_the_command_measures(file, capsys):
    main([str(file), "--held-out", "fold"])
    report = json.loads(capsys.readouterr().out)
    assert set(report) == {"shows.jsonl", "shows.jsonl as captions"}
    assert report["shows.jsonl"]["F1@3"] > 0.5
