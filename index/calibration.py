"""Measure how hard a search has to try for a recall, on questions made of a segment's own rows.

For every recall, number of hits and length of question the cheapest effort is kept that reaches the recall
for each kind of question with a reserve, so that it holds for other questions, too; of efforts that cost
about the same the one that finds most. Easy questions take less: where that is cheaper, and the recall is
still reached, a greater cut-off is tried first, and kept for what rows of the first window answer well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lexiscope.index.arrays import WINDOW, Efforts, Work, as_queries, no_hits, windows_of
from lexiscope.index.effort import COLUMNS, EXACT, HITS, TERMS, Effort, wanted
from lexiscope.index.executor import Plan, answer
from lexiscope.index.native import lend
from lexiscope.index.questions import Questions, among, made
from lexiscope.index.segment import Segment
from lexiscope.index.vectors import Float32, Float64, Int64, Rows, frozen

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
_SHARES = np.linspace(0.05, 0.95, 19)  # of the questions, that are tried as hard ones
_SPARE = 2  # such steps are kept in reserve: the recall is reached with a tenth of all fewer hard ones, too
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
        groups = {hits: _groups(segment, number, hits, queries) for hits in HITS}
        exact = min(
            (_trial(groups[EXACT_HITS], Effort(cutoff, np.inf)) for cutoff in EXACT_CUTOFFS),
            key=lambda trial: trial.cost,
        )
        for hits in HITS:
            entries += [(recall, hits, most, *effort) for recall, effort in _entries(groups[hits], exact)]
    efforts = np.array(entries, np.float32).reshape(-1, COLUMNS)
    return replace(segment, effort_table=frozen(efforts.ravel(), np.float32))


def _groups(segment: Segment, number: int, hits: int, queries: Rows | None) -> list[_Group]:
    """Questions of a class of length: those given, where there are enough, or some of each kind."""
    count = min(max(ANSWERS // hits, FEWEST_QUESTIONS), MOST_QUESTIONS)
    given = [] if queries is None else [among(queries, number, 4 * count)]
    enough = [one for one in given if len(one.rows) >= FEWEST_QUESTIONS]
    return [_Group(segment, one, hits) for one in enough or made(segment, number, count)]


class _Tried(NamedTuple):
    """What an effort did for questions of one kind, (questions,) each."""

    found: Int64  # true hits
    costs: npt.NDArray[np.floating]  # in postings
    looks: npt.NDArray[np.floating]  # the part of that which the first look at the first window costs


class _Group:
    """Questions of one kind, with the scores that their true hits have, after the rows that made them."""

    def __init__(self, segment: Segment, questions: Questions, hits: int) -> None:
        self.seen: dict[float, Float64] = {}
        self.hits, self.skip, self.queries = hits, questions.parts, as_queries(questions.rows)
        everything = np.ones(len(segment) if self.skip else 0, np.uint8)
        self.all, others = Plan(segment, None, lend(everything[:0])), everything.copy()
        others[questions.sources] = 0
        self.others = Plan(segment, None, lend(others))
        true = self._ask(self.all, EXACT)[0][:, self.skip :]
        counted = np.where(true > 0, true, np.inf)
        self.least = counted.min(axis=1, keepdims=True) * _SAME  # what the last true hit has
        self.wanted = (true > 0).sum(axis=1)

    def try_(self, effort: Effort) -> _Tried:
        """Find out what an effort does."""
        scores, work = self._ask(self.all, effort)
        n, nnz = len(self.all.segment), self.all.segment.nnz
        window = _WINDOW if np.isfinite(effort.most) else 2 * _WINDOW  # sums of 16 bits
        # A question that is asked has none of the rows before the true hits to rescore.
        rows = work.rescored * wanted(1, self.hits) / wanted(1, self.hits + self.skip)
        costs = _ASK + window * windows_of(n) + work.read + (_ROW + 3 * nnz / n) * rows
        looks = _WINDOW + work.read * min(1.0, WINDOW / n)
        found = np.clip((scores >= self.least).sum(axis=1) - self.skip, 0, self.wanted)
        return _Tried(found, costs, looks)

    def glances(self, cutoff: float) -> Float64:
        """What a first look with a cut-off sees where the rows that made a question are not there."""
        if cutoff not in self.seen:
            look = Effort(1.0, 1, first=cutoff, enough=2.0)  # which never is enough, and nothing is read then
            self.seen[cutoff] = self._ask(self.others, look)[1].glances
        return self.seen[cutoff]

    def _ask(self, plan: Plan, effort: Effort) -> tuple[Float32, Work]:
        count = len(self.queries.pointers) - 1
        best = no_hits(count, self.hits + self.skip)
        efforts = Efforts(*(np.full(count, value) for value in effort))
        return best.scores, answer(plan, self.queries, efforts, best)


class _Trial(NamedTuple):
    """An effort, and what it did for each kind of question."""

    effort: Effort
    recall: float  # of the kind that has the least
    cost: float  # the geometric mean of all kinds'
    kinds: Sequence[_Tried]


def _trial(groups: Sequence[_Group], effort: Effort) -> _Trial:
    kinds = [group.try_(effort) for group in groups]
    recalls = [
        tried.found.sum() / max(1, group.wanted.sum()) for group, tried in zip(groups, kinds, strict=True)
    ]
    cost = np.exp(np.mean([np.log(tried.costs.mean()) for tried in kinds]))
    return _Trial(effort, float(min(recalls)), float(cost), kinds)


def _entries(groups: Sequence[_Group], exact: _Trial) -> Iterator[tuple[float, Effort]]:
    """The cheapest effort for every recall, but where none that is enough is cheaper than exact search."""
    yield 1.0, exact.effort
    trials = list(_trials(groups, exact.cost))
    for asked in RECALLS:
        recall = _reserved(asked)
        enough = [trial for trial in trials if trial.recall >= recall]
        least = min((trial.cost for trial in enough), default=np.inf)
        if least < exact.cost:
            close = [trial for trial in enough if trial.cost <= (1 + _HARDLY) * least]
            chosen = max(close, key=lambda trial: (trial.recall, -trial.cost))
            yield asked, min(_eased(groups, chosen, trials, recall), default=(0.0, chosen.effort))[1]


def _trials(groups: Sequence[_Group], cost_of_all: float) -> Iterator[_Trial]:
    """Try efforts from little to much, up to what costs as much as exact search, or as what is enough."""
    limit, enough = cost_of_all, _reserved(max(RECALLS))
    for cutoff in CUTOFFS:
        for most in MOSTS:
            trial = _trial(groups, Effort(cutoff, most))
            yield trial
            if trial.recall >= enough:
                limit = min(limit, (1 + _HARDLY) * trial.cost)
            if trial.cost >= limit or trial.recall >= enough:
                break


def _eased(
    groups: Sequence[_Group], second: _Trial, trials: Sequence[_Trial], recall: float
) -> Iterator[tuple[float, Effort]]:
    """What efforts cost that leave easy questions at a greater cut-off, reach the recall and cost less."""
    for first in trials:
        if first.effort.most != second.effort.most or first.effort.cutoff <= second.effort.cutoff:
            continue
        glances = [group.glances(first.effort.cutoff) for group in groups]
        shares = np.quantile(np.concatenate(glances), _SHARES)
        costs, reached = np.zeros(len(shares)), np.ones(len(shares), np.bool_)
        for group, seen, one, two in zip(groups, glances, first.kinds, second.kinds, strict=True):
            easy = seen >= shares[:, None]
            reached &= np.where(easy, one.found, two.found).sum(axis=1) >= recall * group.wanted.sum()
            costs += np.log(np.where(easy, one.costs, two.costs + one.looks).mean(axis=1)) / len(groups)
        reached[_SPARE:] &= reached[:-_SPARE].copy()
        reached[:_SPARE] = False
        for cost, share in zip(costs[reached].tolist(), shares[reached].tolist(), strict=True):
            if cost < np.log(second.cost):
                yield cost, second.effort._replace(first=first.effort.cutoff, enough=share)


def _reserved(recall: float) -> float:
    return recall + RESERVE * (1 - recall)
