"""Measure generated chapters against the creators', beside the usual floors.

Measures are means over episodes; intervals come from a paired bootstrap over episodes. The baselines are told
how many chapters to make, namely the length of the episode by the mean chapter length of the *other* episodes
of the file; the system decides for itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from lexiscope.evaluation.bayesseg import bayesseg
from lexiscope.evaluation.episodes import Episode, read_episodes
from lexiscope.evaluation.segmentation_measures import boundary_similarity, f1_near, pk, window_diff
from lexiscope.text.chapters import Segmenter, Titler

__all__ = ["MEASURES", "ChapterReport", "Figures", "evaluate_chapters", "measured"]

FloatArray = NDArray[np.float64]

MEASURES = ("Pk", "WindowDiff", "F1@3", "F1@15s", "boundary_similarity", "chapters")
NEAR_UNITS = 3
NEAR_SECONDS = 15.0
SAMPLES = 2000  # of the bootstrap
SEED = 0

Figures = dict[str, float | None]
Interval = tuple[float, float]


# Named as the command line's contract has it. Lower Pk and WindowDiff are better; all else, higher.
ChapterReport = TypedDict(
    "ChapterReport",
    {
        "dataset": str,
        "episodes": int,
        "Pk": float,
        "WindowDiff": float,
        "F1@3": float,  # of cuts, right within 3 units
        "F1@15s": float | None,  # of cuts, right within 15 seconds; None without times
        "boundary_similarity": float,
        "chapters": float,  # mean number found
        "true_chapters": float,
        "title_rougeL": float | None,  # of titles for the *right* chapters; None where these have none
        "baselines": dict[str, Figures],  # no_cuts, even, bayesseg: the measures of each
        "intervals": dict[str, Interval],  # by measure: 95 %, of the system itself
        "gains": dict[str, dict[str, Interval]],  # over each baseline, 95 %, paired; above 0 is better
        "seconds": float,  # that cutting took, for all episodes
    },
)


def evaluate_chapters(
    file: str | Path, segmenter: Segmenter, titler: Titler | None = None, *, split: str | None = None
) -> ChapterReport:
    """Cut every episode of a file, and compare with its right chapters.

    Args:
        file: of episodes (`lexiscope.evaluation.episodes`).
        segmenter: the system; it sees titles, descriptions and units, never chapters.
        titler: names the *right* chapters, so that titles are measured apart from cuts; None leaves titles
            out.
        split: take only episodes of this split.

    Returns:
        The figures.

    Raises:
        DatasetError: the file cannot be read.
    """
    episodes = read_episodes(file, split=split)
    begun = time.perf_counter()
    found = [segmenter.cuts(episode.transcript) for episode in episodes]
    took = time.perf_counter() - begun
    own = measured(episodes, found)
    figures = _means(own)
    counts = _expected_chapters(episodes)
    floors = {
        name: measured(episodes, [cut(*pair) for pair in zip(episodes, counts, strict=True)])
        for name, cut in _BASELINES.items()
    }
    return {
        "dataset": Path(file).name,
        "episodes": len(episodes),
        "Pk": figures["Pk"] or 0.0,
        "WindowDiff": figures["WindowDiff"] or 0.0,
        "F1@3": figures["F1@3"] or 0.0,
        "F1@15s": figures["F1@15s"],
        "boundary_similarity": figures["boundary_similarity"] or 0.0,
        "chapters": figures["chapters"] or 0.0,
        "true_chapters": float(np.mean([len(episode.cuts) for episode in episodes])),
        "title_rougeL": None if titler is None else _title_score(episodes, titler),
        "baselines": {name: _means(floor) for name, floor in floors.items()},
        "intervals": {
            name: _interval(values)
            for name, values in own.items()
            if name != "chapters" and not np.isnan(values).all()
        },
        "gains": {name: _gains(own, floor) for name, floor in floors.items()},
        "seconds": took,
    }


def _even(episode: Episode, segments: int) -> list[int]:
    units = len(episode.transcript.units)
    segments = min(segments, units)
    return [round(number * units / segments) for number in range(segments)]


_BASELINES: Mapping[str, Callable[[Episode, int], list[int]]] = {
    "no_cuts": lambda episode, segments: [0],
    "even": _even,
    "bayesseg": lambda episode, segments: bayesseg(
        [unit.text for unit in episode.transcript.units], segments
    ),
}


def _expected_chapters(episodes: Sequence[Episode]) -> list[int]:
    """Chapters of each episode if they were as long as those of all others are on average, in units."""
    units = np.array([len(episode.transcript.units) for episode in episodes])
    chapters = np.array([len(episode.cuts) for episode in episodes])
    others = np.maximum(chapters.sum() - chapters, 1) / np.maximum(units.sum() - units, 1)
    if len(episodes) == 1:  # nothing to go by but itself
        others = chapters / units
    return [max(1, round(count)) for count in (units * others).tolist()]


def measured(episodes: Sequence[Episode], cuts: Sequence[Sequence[int]]) -> dict[str, FloatArray]:
    """All measures, one value an episode; NaN where an episode has no times."""
    rows = [_measure(episode, found) for episode, found in zip(episodes, cuts, strict=True)]
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def _measure(episode: Episode, found: Sequence[int]) -> dict[str, float]:
    units, right = len(episode.transcript.units), episode.cuts
    return {
        "Pk": pk(right, found, units),
        "WindowDiff": window_diff(right, found, units),
        "F1@3": f1_near(right[1:], found[1:], NEAR_UNITS),
        "F1@15s": _f1_in_time(episode, found),
        "boundary_similarity": boundary_similarity(right, found, units),
        "chapters": float(len(found)),
    }


def _f1_in_time(episode: Episode, found: Sequence[int]) -> float:
    """F1 of cuts by the times of their units; a unit without one has that of the last unit before it."""
    times, last = [], np.nan
    for unit in episode.transcript.units:
        last = last if unit.start is None else unit.start
        times.append(last)
    if np.isnan(times).any():
        return np.nan
    right, guess = (sorted(times[cut] for cut in cuts[1:]) for cuts in (episode.cuts, found))
    return f1_near(right, guess, NEAR_SECONDS)


def _means(measured: Mapping[str, FloatArray]) -> Figures:
    return {
        name: float(np.nanmean(values)) if not np.isnan(values).all() else None
        for name, values in measured.items()
    }


def _interval(values: FloatArray) -> Interval:
    """95 % of the means that other draws of as many episodes would have."""
    values = values[~np.isnan(values)]
    draws = np.random.default_rng(SEED).integers(len(values), size=(SAMPLES, len(values)))
    low, high = np.quantile(values[draws].mean(axis=1), [0.025, 0.975])
    return float(low), float(high)


def _gains(own: Mapping[str, FloatArray], floor: Mapping[str, FloatArray]) -> dict[str, Interval]:
    """By how much each measure is better than a baseline's, episode by episode."""
    lower_is_better = {"Pk", "WindowDiff"}
    return {
        name: _interval((floor[name] - values) if name in lower_is_better else (values - floor[name]))
        for name, values in own.items()
        if name != "chapters" and not np.isnan(values).all()
    }


def _title_score(episodes: Sequence[Episode], titler: Titler) -> float | None:
    """Mean ROUGE-L F1 (Lin 2004, stemmed) of titles given to the right chapters."""
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rougeL"], use_stemmer=True)
    scores = [
        scorer.score(right, title)["rougeL"].fmeasure
        for episode in episodes
        for right, title in zip(episode.titles, titler.titles(episode.transcript, episode.cuts), strict=True)
        if right
    ]
    return float(np.mean(scores)) if scores else None
