import gzip
import json

import numpy as np
import pytest

from lexiscope.evaluation.episodes import read_episodes
from lexiscope.text.title_phrases import FEATURES
from lexiscope.text.title_shape import WordLists
from lexiscope.text.titles import ExtractiveTitler, TitlerWeights
from lexiscope.training.title_words import word_lists
from lexiscope.training.titler import held_out, lessons, main, title_scores, train_titler

SUBJECTS = ["harrow lighthouse", "sourdough starter", "paper kite", "copper kettle", "brass compass"]
FILLER = "so we all went there and it was late and then we saw an old grey house."


def episode(number):
    """What a chapter is called stands in quotation marks, once."""
    units, chapters = [], []
    for subject in SUBJECTS:
        title = f"{subject} {'ab'[number % 2]}{number}"
        chapters.append({"unit": len(units), "title": title})
        for text in (FILLER, f'We call it "{title}" here.', FILLER):
            units.append({"speaker": None, "start": None, "text": text})
    return {"id": f"show/{number}", "title": "", "units": units, "chapters": chapters, "split": "train"}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "shows.jsonl"
    path.write_text("".join(json.dumps(episode(number)) + "\n" for number in range(6)), encoding="utf-8")
    return path


@pytest.fixture
def talk(tmp_path):
    path = tmp_path / "talk.jsonl.gz"
    text = "**Ada:** We deploy it. I deploy the kite, and they deploy a kite.\n\n**Bo:** The kite is here."
    with gzip.open(path, "wt", encoding="utf-8") as lines:
        lines.writelines(json.dumps({"text": text}) + "\n" for _ in range(5))
    return path


def test_what_is_learned_holds_for_other_episodes(file):
    episodes = read_episodes(file)
    weights = train_titler(lessons("shows", episodes[:4], WordLists()))
    assert weights[FEATURES.index("quoted")] > 1
    titler = ExtractiveTitler(TitlerWeights(weights, WordLists()))
    for unseen in episodes[4:]:
        assert [one.lower() for one in titler.titles(unseen.transcript, unseen.cuts)] == list(unseen.titles)


def test_rewards_are_those_of_the_evaluation(file):
    episodes = read_episodes(file)
    found = lessons("shows", episodes, WordLists())
    assert len(found) == sum(len(one.cuts) for one in episodes)
    assert all(one.rewards.max() == 1 and one.rewards.min() == 0 for one in found)
    assert title_scores(episodes, [one.titles for one in episodes]).tolist() == [1.0] * len(found)


def test_without_titles_there_is_nothing_to_learn(file):
    untitled = [{**episode(0), "chapters": [{"unit": 0, "title": ""}]}]
    file.write_text(json.dumps(untitled[0]), encoding="utf-8")
    assert lessons("shows", read_episodes(file), WordLists()) == []
    assert not train_titler([]).any()


def test_held_out_titles_come_from_other_parts(file):
    sets = {"shows": read_episodes(file)}
    titles = held_out(sets, WordLists(), lambda name, id_: id_)
    others = [one for one in sets["shows"] if one.id != "show/3"]
    weights = TitlerWeights(train_titler(lessons("shows", others, WordLists())), WordLists())
    mine = sets["shows"][3]
    assert titles["shows"][3] == ExtractiveTitler(weights).titles(mine.transcript, mine.cuts)


def test_word_lists_tell_common_words_and_verbs():
    lists = word_lists(["We deploy the kite, and they deploy a kite. Let Ada fly 12 kites."] * 6)
    assert lists.commonness["deploy"] == lists.commonness["kite"] == 1
    assert lists.commonness["kites"] == pytest.approx(0.1)
    assert not {"ada", "12"} & set(lists.commonness)
    assert lists.verbs == {"deploy"}
    assert word_lists([]) == WordLists({}, frozenset())


def test_the_command_writes_weights_that_can_be_read(file, talk, tmp_path):
    out = tmp_path / "titles.json"
    main([str(file), "--texts", str(talk), "--out", str(out)])
    data = json.loads(out.read_text(encoding="utf-8"))
    weights = TitlerWeights.from_json(data)
    assert weights.lists.verbs == {"deploy"} and "ada" not in weights.lists.commonness
    assert np.isfinite(weights.weights).all()
    data["weights"].pop("quoted")
    with pytest.raises(ValueError, match="learn them again"):
        TitlerWeights.from_json(data)


def test_the_command_measures_beside_floors(file, talk, capsys):
    main([str(file), "--texts", str(talk), "--held-out", "fold"])
    report = json.loads(capsys.readouterr().out)["shows.jsonl"]
    assert report["titles"] == 30
    assert report["rougeL"] > report["first_words"] and "loudest_words" in report
