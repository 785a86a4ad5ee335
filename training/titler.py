"""Train the titler: `python -m lexiscope.training.titler --out titles.json --texts TALK.gz FILE.jsonl.gz…`.

Every file is a set, and all sets count the same, however many chapters they have, so that no show's habits
win. Learned from are the right chapters that have a title; of QMSum only the split `train` is used. `--texts`
is a file of talk, `{"text"}` a line, which says what words are like in general; it needs no chapters.

The weights maximise the mean ROUGE-L F1 of a phrase that is drawn in proportion to exp(score), less a ridge.

With `--held-out` every title comes from weights that have not seen the episode, and nothing is written.
"""

from __future__ import annotations

import argparse
import json
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from lexiscope.evaluation.chapter_title_floors import FirstWords, LoudestWords
from lexiscope.evaluation.episodes import Episode, read_episodes
from lexiscope.text.title_phrases import FEATURES
from lexiscope.text.title_shape import WordLists
from lexiscope.text.titles import EpisodeWords, ExtractiveTitler, TitlerWeights
from lexiscope.training.title_words import read_talk, word_lists

if TYPE_CHECKING:
    from lexiscope.text.chapters import Titler

__all__ = ["Lesson", "held_out", "lessons", "title_scores", "train_titler"]

FloatArray = NDArray[np.float64]

RIDGE = 1e-4  # beside the mean reward of a chapter
STEPS = 150
FOLDS = 5


@dataclass(frozen=True)
class Lesson:
    """The phrases of a chapter that has a title."""

    group: str  # the set; sets count the same
    episode: str
    features: NDArray[np.float32]  # (phrases, features)
    rewards: NDArray[np.float32]  # (phrases,) ROUGE-L F1 against the title


def lessons(name: str, episodes: Sequence[Episode], lists: WordLists) -> list[Lesson]:
    """Look at the right chapters of a set."""
    score = _Rouge()
    found = []
    for episode in episodes:
        words = EpisodeWords(episode.transcript, episode.cuts)
        for number, title in enumerate(episode.titles):
            phrases = words.phrases(number, lists) if title and not words.is_intro(number) else []
            if phrases:
                features = np.array([phrase.features for phrase in phrases], np.float32)
                rewards = np.array([score(title, phrase.text) for phrase in phrases], np.float32)
                found.append(Lesson(name, episode.id, features, rewards))
    return found


class _Rouge:
    """ROUGE-L F1 as `evaluate chapters` measures it, with each word stemmed once."""

    def __init__(self) -> None:
        from rouge_score.rouge_scorer import RougeScorer
        from rouge_score.tokenizers import DefaultTokenizer

        stemming = DefaultTokenizer(use_stemmer=True)
        by_word = cache(stemming.tokenize)

        class Tokenizer:
            def tokenize(self, text: str) -> list[str]:
                return [stem for word in text.split() for stem in by_word(word)]

        self._scorer = RougeScorer(["rougeL"], tokenizer=Tokenizer())

    def __call__(self, right: str, title: str) -> float:
        return float(self._scorer.score(right, title)["rougeL"].fmeasure)


def train_titler(taught: Sequence[Lesson]) -> FloatArray:
    """Learn the weights by gradient ascent on the expected reward (L-BFGS).

    Args:
        taught: chapters of one set or more.

    Returns:
        One weight a feature.
    """
    # Where all phrases are as good, or as bad, no weights do better than others.
    telling = [one for one in taught if np.ptp(one.rewards) > 0]
    if not telling:
        return np.zeros(len(FEATURES))
    counts = Counter(one.group for one in taught)
    share = np.array([1 / counts[one.group] / len(counts) for one in telling])
    rows = np.concatenate([one.features for one in telling])
    rewards = np.concatenate([one.rewards for one in telling]).astype(float)
    sizes = np.array([len(one.rewards) for one in telling])
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])

    def loss(weights: FloatArray) -> tuple[float, FloatArray]:
        scores = (rows @ weights.astype(np.float32)).astype(float)
        chances = np.exp(scores - np.repeat(np.maximum.reduceat(scores, starts), sizes))
        chances /= np.repeat(np.add.reduceat(chances, starts), sizes)
        expected = np.add.reduceat(chances * rewards, starts)
        pull = chances * (rewards - np.repeat(expected, sizes)) * np.repeat(share, sizes)
        slope = (pull.astype(np.float32) @ rows).astype(float)
        return RIDGE / 2 * float(weights @ weights) - float(share @ expected), RIDGE * weights - slope

    start = np.zeros(rows.shape[1])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": STEPS})
    return np.asarray(found.x, float)


def held_out(
    sets: Mapping[str, Sequence[Episode]],
    lists: WordLists,
    part: Callable[[str, str], str],
) -> dict[str, list[list[str]]]:
    """Name every right chapter with weights that were learned without its part.

    Args:
        sets: episodes by the name of their set.
        lists: what words are like in general.
        part: names the part of an episode, by its set and id: a fold, a show or a set.

    Returns:
        The titles of each episode, by set.
    """
    taught = [
        lesson for name, episodes in sets.items() for lesson in lessons(name, _to_learn_from(episodes), lists)
    ]
    learned = {
        left_out: TitlerWeights(
            train_titler([one for one in taught if part(one.group, one.episode) != left_out]), lists
        )
        for left_out in sorted({part(name, one.id) for name, episodes in sets.items() for one in episodes})
    }
    return {
        name: [
            ExtractiveTitler(learned[part(name, one.id)]).titles(one.transcript, one.cuts) for one in episodes
        ]
        for name, episodes in sets.items()
    }


def _to_learn_from(episodes: Sequence[Episode]) -> list[Episode]:
    return [one for one in episodes if one.split in ("", "train")]


def title_scores(episodes: Sequence[Episode], titles: Sequence[Sequence[str]]) -> FloatArray:
    """ROUGE-L F1 of each title that has a right one beside it."""
    score = _Rouge()
    pairs = (
        pair
        for one, given in zip(episodes, titles, strict=True)
        for pair in zip(one.titles, given, strict=True)
    )
    return np.array([score(right, title) for right, title in pairs if right])


def _fold(name: str, episode: str) -> str:
    return str(zlib.crc32(episode.encode()) % FOLDS)


def _show(name: str, episode: str) -> str:
    return f"{name}/{episode.partition('/')[0] if '/' in episode else ''}"


def _set(name: str, episode: str) -> str:
    return name


_PARTS: dict[str, Callable[[str, str], str]] = {"fold": _fold, "show": _show, "set": _set}
_FLOORS: dict[str, Titler] = {"first_words": FirstWords(), "loudest_words": LoudestWords()}


def _report(
    sets: Mapping[str, Sequence[Episode]], lists: WordLists, how: str
) -> dict[str, dict[str, float | int]]:
    """Mean ROUGE-L of each set with weights that have not seen the episodes, beside the floors."""
    titles = held_out(sets, lists, _PARTS[how])
    report: dict[str, dict[str, float | int]] = {}
    for name, episodes in sets.items():
        figures = {"rougeL": title_scores(episodes, titles[name])}
        for floor, titler in _FLOORS.items():
            plain = [titler.titles(one.transcript, one.cuts) for one in episodes]
            figures[floor] = title_scores(episodes, plain)
        means = {measure: round(float(scores.mean()), 3) for measure, scores in figures.items()}
        report[name] = {"titles": len(figures["rougeL"]), **means}
    return report


def _written(weights: TitlerWeights) -> str:
    """One line for each part, so that a change shows where it is."""
    parts = (
        f"{json.dumps(name)}: {json.dumps(part, ensure_ascii=False)}"
        for name, part in weights.to_json().items()
    )
    return "{\n" + ",\n".join(parts) + "\n}\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m lexiscope.training.titler", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help=".jsonl or .jsonl.gz, one a set")
    parser.add_argument("--texts", type=Path, required=True, metavar="FILE", help="talk, .jsonl.gz")
    goal = parser.add_mutually_exclusive_group(required=True)
    goal.add_argument("--out", type=Path, metavar="JSON", help="write weights and word lists here")
    goal.add_argument("--held-out", choices=list(_PARTS), help="measure, leaving out what is named in turn")
    options = parser.parse_args(arguments)
    sets = {file.name: read_episodes(file) for file in options.files}
    lists = word_lists(read_talk(options.texts))
    if options.out is None:
        json.dump(_report(sets, lists, options.held_out), sys.stdout, indent=1)
        return
    taught = [one for name, all_ in sets.items() for one in lessons(name, _to_learn_from(all_), lists)]
    options.out.write_text(_written(TitlerWeights(train_titler(taught), lists)), encoding="utf-8")


if __name__ == "__main__":
    main()
