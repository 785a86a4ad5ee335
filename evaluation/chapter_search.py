"""Search over chapters, through our own vectors and index, beside BM25 on the same chapters.

A file of episodes gives the chapters, as their creators cut them. Questions come from a file, or they are the
chapters' own titles, which are then hidden from everything that is searched. BM25 (bm25s, k1 .9, b .4) reads
the same chapters twice: their texts, and all the words that our vectors are made of.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, TypedDict

import numpy as np
from numpy.typing import NDArray

from lexiscope.chapter_vectors import chapter_vectors
from lexiscope.encoder import LexicalEncoder
from lexiscope.episodes import ChapterWords, chapter_words
from lexiscope.errors import DatasetError, printable
from lexiscope.evaluation.bm25 import BM25
from lexiscope.evaluation.bootstrap import Interval, Sample
from lexiscope.evaluation.episodes import Episode, read_episodes
from lexiscope.evaluation.runs import Runs, as_runs
from lexiscope.index import InvertedIndex
from lexiscope.questions import Question
from lexiscope.text.chapters import Titler
from lexiscope.vocabulary import words

__all__ = ["ChapterSearchReport", "Titles", "evaluate_chapter_search"]

Titles = Literal["none", "true", "generated"]
FloatArray = NDArray[np.float64]

DEPTH = 100

# Named as measures are, hence no class.
ChapterSearchReport = TypedDict(
    "ChapterSearchReport",
    {
        "dataset": str,
        "chapters": int,
        "queries": int,
        "titles": str,  # which titles the chapters are found by: none, true, generated
        "nDCG@10": float,
        "R@10": float,
        "bm25": dict[str, float],  # on the texts
        "bm25_all_words": dict[str, float],  # on texts, speakers' names, episode's title and description
        "gains": dict[str, dict[str, Interval]],  # over each of them: 95 %, paired over queries
        "seconds": dict[str, float],  # index: encoding and indexing the chapters; search: all queries
    },
)


@dataclass(frozen=True)
class _Asked:
    """Questions and which chapters answer each."""

    texts: list[str]
    answers: list[frozenset[int]]


def evaluate_chapter_search(
    file: str | Path,
    encoder: LexicalEncoder,
    *,
    queries: str | Path | None = None,
    titles: Titles = "none",
    titler: Titler | None = None,
    split: str | None = None,
) -> ChapterSearchReport:
    """Measure search over the chapters of all episodes of a file.

    Args:
        file: episodes, see `lexiscope.evaluation.episodes`.
        encoder: the model.
        queries: one JSON object a line: `{"query", "episode", "chapters": [index, …], "split"?}`. None asks
            with the chapters' titles, each for its own chapter.
        titles: those that chapters are found by; must be "none" where titles are asked.
        titler: names the chapters where titles are "generated".
        split: take only episodes and queries of this split.

    Raises:
        DatasetError: a file is missing or broken, or titles would find themselves.
    """
    if queries is None and titles == "true":
        raise DatasetError(
            "titles are the questions, so they cannot be indexed: name --queries, or hide them"
        )
    episodes = read_episodes(file, split=split)
    chapters = _chapters(episodes, titles, titler)
    asked = _titles(episodes) if queries is None else _read_queries(Path(queries), episodes, split)
    began = time.perf_counter()
    index = InvertedIndex.build(chapter_vectors(encoder, chapters))
    indexed = time.perf_counter()
    ours = _search(encoder, index, asked.texts)
    searched = time.perf_counter()
    others = {
        "bm25": _bm25([f"{chapter.title} {chapter.text}" for chapter in chapters], asked.texts),
        "bm25_all_words": _bm25([_all_words(chapter) for chapter in chapters], asked.texts),
    }
    measured = _measure(ours, asked)
    floors = {name: _measure(run, asked) for name, run in others.items()}
    return {
        "dataset": Path(file).name.partition(".")[0],
        "chapters": len(chapters),
        "queries": len(asked.texts),
        "titles": titles,
        "nDCG@10": float(measured["nDCG@10"].mean()),
        "R@10": float(measured["R@10"].mean()),
        "bm25": {name: float(values.mean()) for name, values in floors["bm25"].items()},
        "bm25_all_words": {name: float(values.mean()) for name, values in floors["bm25_all_words"].items()},
        "gains": {name: _gains(measured, floor) for name, floor in floors.items()},
        "seconds": {"index": round(indexed - began, 3), "search": round(searched - indexed, 3)},
    }


def _chapters(episodes: Sequence[Episode], titles: Titles, titler: Titler | None) -> list[ChapterWords]:
    """The creators' chapters of all episodes, in order, with the titles that may be used."""
    found = []
    for episode in episodes:
        transcript = episode.transcript
        named: Sequence[str] = [""] * len(episode.cuts)
        if titles == "true":
            named = episode.titles
        elif titles == "generated" and titler is not None:
            named = titler.titles(transcript, episode.cuts)
        for title, (first, end) in zip(named, pairwise([*episode.cuts, len(transcript.units)]), strict=True):
            generated = titles == "generated"
            found.append(chapter_words(transcript, transcript.units[first:end], title, generated=generated))
    return found


def _titles(episodes: Sequence[Episode]) -> _Asked:
    every = [title for episode in episodes for title in episode.titles]
    places = [number for number, title in enumerate(every) if words(title)]
    return _Asked([every[number] for number in places], [frozenset({number}) for number in places])


def _read_queries(file: Path, episodes: Sequence[Episode], split: str | None) -> _Asked:
    """Read questions; those about other episodes are left out."""
    places: dict[tuple[str, int], int] = {}
    for episode in episodes:
        for number in range(len(episode.cuts)):
            places[episode.id, number] = len(places)
    shown = printable(file)
    texts, answers = [], []
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{shown}: cannot be read ({error}); name a .jsonl file of questions") from None
    known = {episode.id for episode in episodes}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            query: dict[str, Any] = json.loads(line)
            if query["episode"] not in known or split not in (None, query.get("split", split)):
                continue
            right = frozenset(places[query["episode"], int(place)] for place in query["chapters"])
            texts.append(str(query["query"]))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DatasetError(f"{shown}, line {number}: is no question ({error!r}); see README.md") from None
        answers.append(right)
    if not texts:
        raise DatasetError(f"{shown}: has no question about these episodes; name the queries of this file")
    return _Asked(texts, answers)


def _all_words(chapter: ChapterWords) -> str:
    return " ".join([chapter.title, chapter.text, *chapter.turns, chapter.episode, chapter.description])


def _search(encoder: LexicalEncoder, index: InvertedIndex, texts: Sequence[str]) -> Runs:
    """Ask every question as `Retriever.search` does."""
    everything = index.select(index.ids)
    understood = encoder.encode_query(list(texts), show_progress_bar=False)
    literal = encoder.encode_query(list(texts), inference_free=True, show_progress_bar=False)
    runs: Runs = {}
    for number in range(len(texts)):
        question = Question(None, understood[[number]], literal[[number]])
        runs[str(number)] = as_runs(*index.search(question.for_chapters(index, everything), DEPTH))["0"]
    return runs


def _bm25(documents: Sequence[str], texts: Sequence[str]) -> Runs:
    return as_runs(*BM25(documents).search(texts, DEPTH))


def _measure(runs: Runs, asked: _Asked) -> dict[str, FloatArray]:
    """nDCG@10 and R@10 of every question, by ir-measures; what finds nothing counts 0."""
    import ir_measures
    from ir_measures import R, nDCG

    right = {
        str(number): {str(chapter): 1 for chapter in answers} for number, answers in enumerate(asked.answers)
    }
    values = {str(measure): np.zeros(len(asked.texts)) for measure in (nDCG @ 10, R @ 10)}
    for found in ir_measures.iter_calc([nDCG @ 10, R @ 10], right, runs):
        values[str(found.measure)][int(found.query_id)] = found.value
    return values


def _gains(ours: Mapping[str, FloatArray], theirs: Mapping[str, FloatArray]) -> dict[str, Interval]:
    """95 % intervals of the mean differences, by a paired bootstrap over questions."""
    gains = {name: values - theirs[name] for name, values in ours.items()}
    return Sample.of(len(next(iter(gains.values())))).intervals(gains)
