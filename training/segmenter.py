"""Train the segmenter: `python -m lexiscope.training.segmenter --out segmenter.json FILE.jsonl.gz…`.

Every file is a set, and all sets count the same, however many episodes they have, so that no show's habits
win. Each episode is learned from twice: as it is, and as a speech recogniser would have written it (captions
of some eight words, no punctuation, no speakers). Of QMSum only the split `train` is used.

With `--held-out` every figure comes from weights that have not seen the episode, and nothing is written.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from lexiscope.evaluation.chapters import measured
from lexiscope.evaluation.episodes import Episode, read_episodes
from lexiscope.text.segment_features import Places, look_at
from lexiscope.text.segmentation import Segmenter, SegmenterWeights, chapter_clues, growth
from lexiscope.text.transcript import Transcript, Unit

__all__ = ["Lesson", "as_captions", "held_out", "lessons", "train_segmenter"]

FloatArray = NDArray[np.float64]

RIDGE = 3e-3  # of the log-odds' weights, beside the mean loss of a place
CLUE_RIDGE = 0.1
SHARE, SPREAD, LENGTH_WEIGHT = 0.9, 0.8, 0.2  # chosen by leaving out folds, flat around these values
FOLDS = 5
EVERY = 8  # of the places where nothing begins, one in as many is learned from


@dataclass(frozen=True)
class Lesson:
    """An episode to learn from."""

    group: tuple[str, bool]  # the set, and whether it was made into captions; groups count the same
    id: str
    places: Places
    begins: NDArray[np.bool_]  # (units,) whether a chapter begins there; the first is left out
    chapters: int


def lessons(name: str, episodes: Sequence[Episode]) -> list[Lesson]:
    """Look at the episodes of a set, as they are and as captions."""
    found = []
    for captions in (False, True):
        for episode in episodes:
            shown = as_captions(episode) if captions else episode
            begins = np.zeros(len(shown.transcript.units), bool)
            begins[list(shown.cuts[1:])] = True
            places = look_at(shown.transcript)
            found.append(Lesson((name, captions), episode.id, places, begins, len(shown.cuts)))
    return found


def as_captions(episode: Episode) -> Episode:
    """Write an episode as a plain speech recogniser would: six to ten words a unit, and nothing else.

    A chapter begins with the caption whose beginning is nearest.
    """
    chance = random.Random(episode.id)
    units = [re.sub(r"[^\w\s'’-]+", " ", unit.text.lower()).split() for unit in episode.transcript.units]
    offsets = np.concatenate([[0], np.cumsum([len(words) for words in units])])
    words = [word for unit in units for word in unit] or [""]
    begins = [0]
    while begins[-1] + 10 < len(words):
        begins.append(begins[-1] + chance.randint(6, 10))
    captions = tuple(
        Unit(" ".join(words[begin:end])) for begin, end in zip(begins, [*begins[1:], len(words)], strict=True)
    )
    cuts = sorted({int(np.argmin(np.abs(np.array(begins) - offsets[cut]))) for cut in episode.cuts} | {0})
    transcript = Transcript(episode.transcript.title, captions, episode.transcript.description)
    return replace(episode, transcript=transcript, cuts=tuple(cuts), titles=("",) * len(cuts))


def train_segmenter(taught: Sequence[Lesson]) -> SegmenterWeights:
    """Learn the log-odds by logistic regression, then the number of chapters by ridge regression on them.

    Args:
        taught: of one set or more.
    """
    learned = _log_odds(taught)
    segmenter = Segmenter(learned)
    clues = np.array([chapter_clues(one.places, segmenter.log_odds(one.places)) for one in taught])
    numbers = np.log([one.chapters / growth(one.places) for one in taught])
    return replace(learned, clues=_ridge(clues, numbers, _shares(taught)))


def _shares(taught: Sequence[Lesson]) -> FloatArray:
    """Weight of each episode, so that all groups weigh the same; they add up to 1."""
    counts = Counter(one.group for one in taught)
    return np.array([1 / counts[one.group] / len(counts) for one in taught])


def _log_odds(taught: Sequence[Lesson]) -> SegmenterWeights:
    chance = np.random.default_rng(0)
    chapters = Counter[tuple[str, bool]]()
    for one in taught:
        chapters[one.group] += max(1, int(one.begins.sum()))
    features, begins, weights, offsets = [], [], [], []
    for one in taught:
        kept = one.begins | (chance.random(len(one.begins)) < 1 / EVERY)
        kept[0] = False
        features.append(one.places.features[kept])
        begins.append(one.begins[kept])
        weights.append(np.where(one.begins[kept], 1.0, EVERY) / chapters[one.group])
        per_unit = max(1, int(one.places.begins[-1])) / len(one.begins)
        offsets.append(np.full(int(kept.sum()), np.log(per_unit / 15.0)))
    rows, right = np.concatenate(features), np.concatenate(begins).astype(float)
    share, offset = np.concatenate(weights), np.concatenate(offsets)
    share /= share.sum()
    means = share @ rows
    scales = np.sqrt(share @ (rows - means) ** 2) + 1e-6
    deviations = np.clip((rows - means) / scales, -4, 4)

    def loss(point: FloatArray) -> tuple[float, FloatArray]:
        odds = deviations @ point[:-1] + point[-1] + offset
        slope = share * (expit(odds) - right)
        value = share @ (np.logaddexp(0, odds) - right * odds) + RIDGE * np.sum(point[:-1] ** 2) / 2
        return float(value), np.append(deviations.T @ slope + RIDGE * point[:-1], slope.sum())

    start = np.append(np.zeros(rows.shape[1]), -3.0)
    point = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 100}).x
    clues = np.zeros(0)
    return SegmenterWeights(means, scales, point[:-1], float(point[-1]), clues, SHARE, SPREAD, LENGTH_WEIGHT)


def _ridge(rows: FloatArray, values: FloatArray, share: FloatArray) -> FloatArray:
    """Weighted ridge regression in deviations; the first column is one, and free."""
    means = share @ rows
    scales = np.sqrt(share @ (rows - means) ** 2) + 1e-6
    means[0], scales[0] = 0.0, 1.0
    deviations = (rows - means) / scales
    penalty = np.diag(np.append(0.0, np.full(rows.shape[1] - 1, CLUE_RIDGE)))
    weighted = deviations.T * share
    found = np.linalg.solve(weighted @ deviations + penalty, weighted @ values) / scales
    found[0] -= float(means[1:] @ found[1:])
    return np.asarray(found)


def held_out(
    taught: Sequence[Lesson], part: Callable[[Lesson], str]
) -> dict[tuple[str, bool, str], list[int]]:
    """Cut every episode with weights that were learned without its part.

    Args:
        taught: all episodes.
        part: names the part of an episode: a fold, a show or a set.

    Returns:
        The cuts, by set, captions or not, and id.
    """
    cuts = {}
    for left_out in sorted({part(one) for one in taught}):
        segmenter = Segmenter(train_segmenter([one for one in taught if part(one) != left_out]))
        for one in taught:
            if part(one) == left_out:
                cuts[*one.group, one.id] = segmenter.cut_places(one.places)
    return cuts


def _fold(one: Lesson) -> str:
    return str(zlib.crc32(one.id.encode()) % FOLDS)


_PARTS: dict[str, Callable[[Lesson], str]] = {
    "fold": _fold,
    "show": lambda one: f"{one.group[0]}/{one.id.partition('/')[0] if '/' in one.id else ''}",
    "set": lambda one: one.group[0],
}


def _report(sets: Mapping[str, Sequence[Episode]], taught: Sequence[Lesson], how: str) -> dict[str, object]:
    """Mean measures of each set, as it is and as captions, with weights that have not seen the episodes."""
    cuts = held_out(taught, _PARTS[how])
    report: dict[str, object] = {}
    for name, episodes in sets.items():
        for captions in (False, True):
            shown = [as_captions(episode) if captions else episode for episode in episodes]
            figures = measured(shown, [cuts[name, captions, episode.id] for episode in shown])
            means = {
                measure: round(float(values.mean()), 3)
                for measure, values in figures.items()
                if not np.isnan(values).any()
            }
            right = round(float(np.mean([len(episode.cuts) for episode in shown])), 1)
            report[name + (" as captions" if captions else "")] = {**means, "true_chapters": right}
    return report


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m lexiscope.training.segmenter", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help=".jsonl or .jsonl.gz, one a set")
    goal = parser.add_mutually_exclusive_group(required=True)
    goal.add_argument("--out", type=Path, metavar="JSON", help="write the weights here")
    goal.add_argument("--held-out", choices=list(_PARTS), help="measure, leaving out what is named in turn")
    options = parser.parse_args(arguments)
    sets = {file.name: read_episodes(file) for file in options.files}
    if options.out is not None:
        sets = {name: [one for one in all_ if one.split in ("", "train")] for name, all_ in sets.items()}
    taught = [lesson for name, episodes in sets.items() for lesson in lessons(name, episodes)]
    if options.out is not None:
        weights = json.dumps(train_segmenter(taught).to_json(), indent=1)
        options.out.write_text(weights + "\n", encoding="utf-8")
        return
    json.dump(_report(sets, taught, options.held_out), sys.stdout, indent=1)


if __name__ == "__main__":
    main()
