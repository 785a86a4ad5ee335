"""Search over chapters is measured through our index, beside BM25 on the same chapters."""

from __future__ import annotations

import json

import pytest

from lexiscope.errors import DatasetError
from lexiscope.evaluation.chapter_search import evaluate_chapter_search
from lexiscope.text.titles import ExtractiveTitler

SAID = [
    ("The dog", ["a brown dog catches a ball", "the dog runs on the beach"]),
    ("The boat", ["people sit in a boat", "the boat is on the blue water"]),
    ("The cat", ["a black cat sleeps", "the cat is on a chair"]),
]


@pytest.fixture
def files(tmp_path):
    episode = {
        "id": "e",
        "title": "Animals",
        "units": [{"speaker": "Ann", "start": None, "text": text} for _, texts in SAID for text in texts],
        "chapters": [{"unit": 2 * number, "title": title} for number, (title, _) in enumerate(SAID)],
    }
    queries = [
        {"query": "which dog catches the ball", "episode": "e", "chapters": [0]},
        {"query": "who sits in the boat", "episode": "e", "chapters": [1]},
        {"query": "somewhere else", "episode": "other", "chapters": [0]},
    ]
    (tmp_path / "talk.jsonl").write_text(json.dumps(episode) + "\n", encoding="utf-8")
    (tmp_path / "q.jsonl").write_text("\n".join(map(json.dumps, queries)) + "\n", encoding="utf-8")
    return tmp_path


def test_questions_find_their_chapters(files, tiny_encoder):
    report = evaluate_chapter_search(files / "talk.jsonl", tiny_encoder, queries=files / "q.jsonl")
    assert (report["queries"], report["chapters"], report["titles"]) == (2, 3, "none")
    assert report["R@10"] == report["bm25"]["R@10"] == 1.0
    assert report["nDCG@10"] == pytest.approx(1.0) and report["gains"]["bm25"]["R@10"] == [0.0, 0.0]
    json.dumps(report)


def test_titles_ask_for_their_chapters_and_are_hidden(files, tiny_encoder):
    report = evaluate_chapter_search(files / "talk.jsonl", tiny_encoder)
    assert report["queries"] == 3 and 0 < report["nDCG@10"] <= 1
    with pytest.raises(DatasetError, match="titles are the questions"):
        evaluate_chapter_search(files / "talk.jsonl", tiny_encoder, titles="true")


def test_titles_may_help(files, tiny_encoder):
    for titles in ("true", "generated"):
        report = evaluate_chapter_search(
            files / "talk.jsonl",
            tiny_encoder,
            queries=files / "q.jsonl",
            titles=titles,
            titler=ExtractiveTitler(),
        )
        assert report["titles"] == titles and report["R@10"] == 1.0


@pytest.mark.parametrize(
    ("line", "what"),
    [("no json", "line 1: is no question"), ('{"query": "q", "episode": "e", "chapters": [9]}', "line 1")],
)
def test_broken_questions_are_named(files, tiny_encoder, line, what):
    (files / "q.jsonl").write_text(line + "\n", encoding="utf-8")
    with pytest.raises(DatasetError, match=what):
        evaluate_chapter_search(files / "talk.jsonl", tiny_encoder, queries=files / "q.jsonl")
