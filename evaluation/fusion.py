"""Two rankings made one, and feedback around it.

    s(q, d) = α ŝ_first(q, d) + (1 − α) ŝ_second(q, d)

where ŝ is min-max normalised over what each system found for the query, and 0 for what it did not find (Wang,
Zhuang and Zuccon, ICTIR 2021). With feedback, the interpolated list can give the documents that change the
first system's question (*before*), the changed question's list can be interpolated (*after*), or both (Li,
Wang, Zhuang, Mourad, Ma, Lin and Zuccon, "To interpolate or not to interpolate", SIGIR 2022).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from lexiscope.errors import InvalidValue
from lexiscope.evaluation.measures import Float32, Int64
from lexiscope.evaluation.vectors import Index, Rows
from lexiscope.feedback import Feedback

__all__ = ["DEPTH", "FeedbackIndex", "Interpolated", "Part", "When", "interpolate", "min_max"]

DEPTH = 1000
"""How far down the lists are interpolated."""


class When(StrEnum):
    """Where around a step of feedback lists are interpolated."""

    before = "before"
    after = "after"
    both = "both"


def min_max(ids: Int64, scores: Float32) -> Float32:
    """Scores of each query brought to 0 … 1; one score, or equal ones, become 1.

    Args:
        ids: (n, k), -1 where there is nothing.
        scores: (n, k).

    Returns:
        (n, k) float32; 0 where there is nothing.
    """
    there = ids >= 0
    low = np.where(there, scores, np.inf).min(axis=1, keepdims=True)
    high = np.where(there, scores, -np.inf).max(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        scaled = np.where(high > low, (scores - low) / (high - low), 1.0)
    return np.where(there, scaled, 0.0).astype(np.float32)


def interpolate(
    first: tuple[Int64, Float32], second: tuple[Int64, Float32], alpha: float, k: int
) -> tuple[Int64, Float32]:
    """Interpolate two systems' lists for the same queries.

    Args:
        first: ids and scores, (n, k₁) each; counts `alpha`.
        second: ids and scores, (n, k₂) each.
        alpha: 0 … 1.
        k: places of the new list.

    Returns:
        ids (n, k) and scores (n, k), best first, ties by smaller id; -1 and 0 where there are no more.
    """
    weights = (alpha, 1 - alpha)
    shares = [weight * min_max(*found) for weight, found in zip(weights, (first, second), strict=True)]
    ids, scores = np.full((len(first[0]), k), -1, np.int64), np.zeros((len(first[0]), k), np.float32)
    for row in range(len(ids)):
        both = np.concatenate([first[0][row], second[0][row]])
        there = both >= 0
        named, values = both[there], np.concatenate([share[row] for share in shares])[there]
        documents, places = np.unique(named, return_inverse=True)
        summed = np.bincount(places, values, minlength=len(documents))
        best = np.argsort(-summed, kind="stable")[:k]
        ids[row, : len(best)], scores[row, : len(best)] = documents[best], summed[best]
    return ids, scores


@dataclass(frozen=True)
class FeedbackIndex:
    """Search twice: the second time with what was found first.

    Attributes:
        index: where both searches look.
        documents: its vectors, by id.
        feedback: how questions change.
    """

    index: Index
    documents: Rows
    feedback: Feedback

    def __len__(self) -> int:
        return len(self.index)

    def search(self, queries: Rows, /, k: int) -> tuple[Int64, Float32]:
        """Ids and scores of the second search, (n, k)."""
        ids, _ = self.index.search(queries, k=self.feedback.documents)
        return self.index.search(self.feedback.apply(queries, ids, self.documents), k=k)

    def save(self, folder: Path, /) -> None:
        """Write the index to a new folder."""
        self.index.save(folder)


@dataclass(frozen=True)
class Part:
    """One of two systems.

    Attributes:
        queries: all queries, by number; what the index takes.
        index: the documents.
        documents: their vectors by id; None for a system without.
    """

    queries: Rows | Int64
    index: Index
    documents: Rows | None = None


@dataclass(frozen=True)
class Interpolated:
    """Two systems over the same documents as one; queries are numbers.

    Attributes:
        first: needs vectors where there is feedback.
        second: any system.
        alpha: what the first counts.
        feedback: changes the first system's questions; None for none.
        when: where lists are interpolated around the feedback.
    """

    first: Part
    second: Part
    alpha: float = 0.5
    feedback: Feedback | None = None
    when: When = When.both
    exact = False  # of what neither list has within its depth nothing is known

    def __len__(self) -> int:
        return len(self.first.index)

    def search(self, queries: Int64, /, k: int) -> tuple[Int64, Float32]:
        """Ids and scores, (n, k)."""
        depth = min(max(DEPTH, k), len(self))
        asked: Any = self.first.queries[queries]
        others = self.second.index.search(self.second.queries[queries], k=depth)
        found = self.first.index.search(asked, k=depth)
        if self.feedback is None:
            return interpolate(found, others, self.alpha, min(k, depth))
        chosen = found
        if self.when != When.after:
            chosen = interpolate(found, others, self.alpha, self.feedback.documents)
        changed: Any = self.feedback.apply(asked, chosen[0], self.documents)
        found = self.first.index.search(changed, k=depth)
        if self.when == When.before:
            return found[0][:, :k], found[1][:, :k]
        return interpolate(found, others, self.alpha, min(k, depth))

    @property
    def documents(self) -> Any:  # noqa: ANN401
        """The first system's vectors.

        Raises:
            InvalidValue: it has none, so that there is nothing to feed back.
        """
        if self.first.documents is None:
            raise InvalidValue("feedback needs vectors, and the first system has none: name a model first")
        return self.first.documents

    def save(self, folder: Path, /) -> None:
        """Write both indexes to a new folder."""
        folder.mkdir(parents=True)
        self.first.index.save(folder / "first")
        self.second.index.save(folder / "second")
