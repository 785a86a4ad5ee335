"""Measure how hard a search has to try for a recall, on questions made of a segment's own rows.

A question is a row's heaviest words after noise on their weights, or those of twenty rows together, which no
row answers as well. These rows themselves do not count as answers, since finding them is too easy. For every
recall, number of hits and length of question the cheapest effort is kept that reaches the recall for both
kinds with a reserve, so that it holds for other questions, too; of efforts that cost about the same the one
that finds most.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from lexiscope.index.arrays import Efforts, as_queries, no_hits, windows_of
from lexiscope.index.effort import COLUMNS, EXACT, HITS, TERMS, Effort
from lexiscope.index.executor import Plan, count
from lexiscope.index.native import lend
from lexiscope.index.segment import Segment
from lexiscope.index.vectors import Float32, Rows, concatenate, frozen

__all__ = ["FEWEST_ROWS", "calibrated"]

FEWEST_ROWS = 10_000  # fewer are searched exactly in less time than a question takes to make
RECALLS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.97, 0.98, 0.99, 0.995)
CUTOFFS = (0.025, 0.02, 0.017, 0.014, 0.012, 0.01, 0.0085, 0.007, 0.006, 0.005, 0.004, 0.003, 0.0015)
EXACT_CUTOFFS = (0.0, 0.0005, 0.001, 0.0015, 0.002)
EXACT_HITS = 10  # what is quickest for so many is so for one and for a hundred, too
MOSTS = (2, 4, 6, 10, 16)
RESERVE = 0.25  # of what may be missed is kept back
ANSWERS = 400  # hits that are looked at for each kind and class: 40 questions for the best ten
FEWEST_QUESTIONS, MOST_QUESTIONS = 12, 48
LENGTHS = ((3, 15), (15, 51), (51, 151))  # terms of each class, from and below
KINDS = (1, 20)  # rows that make a question: what finds itself, and what no row answers well
_NOISE = 0.8  # standard deviation of the logarithm of a weight's factor
_SAME = 1 - 1e-6  # scores as good as equal
# In postings that are read in the same time: to ask at all, to begin a window, to begin rescoring a row.
_ASK, _WINDOW, _ROW = 10_000, 5_000, 150
_HARDLY = 0.1  # more cost: nobody feels it, so that the recall that it buys is taken


def calibrated(segment: Segment, queries: Rows | None = None) -> Segment:
    """Return the segment with its efforts measured; a small one as it is.

    Args:
        segment: Where to search.
        queries: Questions that are like those to come; by default they are made of the segment's rows.
    """
    if len(segment) < FEWEST_ROWS:
        return segment
    entries = []
    for number, most in enumerate(TERMS):
        groups = {hits: _kinds(segment, number, hits, queries) for hits in HITS}
        exact = min(_measure(groups[EXACT_HITS], Effort(cutoff, np.inf)) for cutoff in EXACT_CUTOFFS)
        for hits in HITS:
            entries += [(recall, hits, most, *effort) for recall, effort in _entries(groups[hits], exact)]
    efforts = np.array(entries, np.float32).reshape(-1, COLUMNS)
    return replace(segment, efforts=frozen(efforts.ravel(), np.float32))


def _kinds(segment: Segment, number: int, hits: int, queries: Rows | None) -> list[_Group]:
    """Questions of a class of length: those given, where there are enough, or some of each kind."""
    least, below = LENGTHS[number]
    count = min(max(ANSWERS // hits, FEWEST_QUESTIONS), MOST_QUESTIONS)
    if queries is not None and len(queries):
        lengths = np.diff(queries.pointers)
        kept = np.flatnonzero((lengths < below) & (lengths >= least))[: 4 * count]
        if len(kept) >= FEWEST_QUESTIONS:
            return [_Group(segment, queries.take(kept), hits, 0)]
    chance = np.random.default_rng(number)
    groups = []
    for parts in KINDS:
        made = [_made(segment, int(chance.integers(least, below)), parts, chance) for _ in range(count)]
        groups.append(_Group(segment, concatenate(made, segment.columns), hits, parts))
    return groups


def _made(segment: Segment, most: int, parts: int, chance: np.random.Generator) -> Rows:
    """A question: the heaviest terms, after noise on their weights, of some rows together."""
    rows = segment.take(chance.integers(0, len(segment), parts))
    terms, places = np.unique(rows.terms, return_inverse=True)
    weights = np.bincount(places, rows.weights, minlength=len(terms)).astype(np.float64)  # int64 where empty
    weights *= np.exp(_NOISE * chance.normal(size=len(weights)))
    kept = np.sort(np.argsort(-weights, kind="stable")[:most])
    return Rows(np.array([0, len(kept)]), terms[kept], weights[kept].astype(np.float32), segment.columns)


class _Group:
    """Questions with the scores that their true hits have."""

    def __init__(self, segment: Segment, questions: Rows, hits: int, skip: int) -> None:
        self.segment, self.hits, self.skip = segment, hits, skip
        self.queries = as_queries(questions)
        true = self._ask(EXACT)[0]
        counted = np.where(true[:, skip:] > 0, true[:, skip:], np.inf)
        self.wanted = np.isfinite(counted).sum(axis=1)
        self.least = counted.min(axis=1, keepdims=True) * _SAME  # what the last true hit has

    def measure(self, effort: Effort) -> tuple[float, float]:
        """The recall of an effort, and what a question costs, in postings read."""
        scores, cost = self._ask(effort)
        found = np.clip((scores >= self.least).sum(axis=1) - self.skip, 0, self.wanted)
        return float(found.sum() / max(1, self.wanted.sum())), cost

    def _ask(self, effort: Effort) -> tuple[Float32, float]:
        segment, n, k = self.segment, len(self.queries.pointers) - 1, self.hits + self.skip
        best, everything = no_hits(n, k), Plan(segment, None, lend(np.empty(0, np.uint8)))
        efforts = Efforts(*(np.full(n, value) for value in effort))
        read, rescored, _ = count(everything, self.queries, efforts, best)
        a_row = _ROW + 3 * segment.nnz / len(segment)
        fixed = _ASK + _WINDOW * windows_of(len(segment))
        return best.scores, fixed + float(read + a_row * rescored) / max(1, n)


def _entries(groups: Sequence[_Group], exact: tuple[float, float, Effort]) -> Iterator[tuple[float, Effort]]:
    """The cheapest effort for every recall, but where none that is enough is cheaper than exact search."""
    cost_of_all = exact[0]
    yield 1.0, exact[2]
    measured = list(_measured(groups, cost_of_all))
    for asked in RECALLS:
        enough = [one for one in measured if one[1] >= _reserved(asked)]
        if enough and min(enough)[0] < cost_of_all:
            close = [one for one in enough if one[0] <= (1 + _HARDLY) * min(enough)[0]]
            yield asked, max(close, key=lambda one: (one[1], -one[0]))[2]


def _measured(groups: Sequence[_Group], cost_of_all: float) -> Iterator[tuple[float, float, Effort]]:
    """Measure efforts from little to much, up to what is enough or costs as much as exact search."""
    for cutoff in CUTOFFS:
        for most in MOSTS:
            one = _measure(groups, Effort(cutoff, most))
            yield one
            if one[0] >= cost_of_all or one[1] >= _reserved(max(RECALLS)):
                break


def _measure(groups: Sequence[_Group], effort: Effort) -> tuple[float, float, Effort]:
    """The mean cost of an effort, the recall of the kind of question that has the least, and the effort."""
    figures = [group.measure(effort) for group in groups]
    return sum(cost for _, cost in figures) / len(figures), min(recall for recall, _ in figures), effort


def _reserved(recall: float) -> float:
    return recall + RESERVE * (1 - recall)
