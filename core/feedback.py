"""Pseudo-relevance feedback: what was found first says what else to look for.

    Rocchio   q' = α q + β / k · Σ d_i          Average   q' = (q + Σ d_i) / (k + 1)

over the vectors d_1 … d_k of the first k documents (Vector-PRF: Li, Mourad, Zhuang, Koopman and Zuccon, TOIS
2023). Lexical vectors are then cut to their heaviest words, so that the second search stays as short.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, issparse

from lexiscope.errors import InvalidValue
from lexiscope.sparse import heaviest

if TYPE_CHECKING:
    from lexiscope.index import InvertedIndex, Selection

__all__ = ["Feedback", "check_feedback", "search_again"]

R = TypeVar("R", bound="csr_array | npt.NDArray[np.float32]")


@dataclass(frozen=True)
class Feedback:
    """How documents found first change a question.

    Args:
        documents: k, how many are taken, at least 1.
        method: "rocchio" or "average".
        alpha: what the question counts in Rocchio's formula.
        beta: what the mean of the documents counts.
        words: how many words a lexical question has afterwards at most.

    Raises:
        InvalidValue: a number is outside what it may be.
    """

    documents: int = 3
    method: Literal["rocchio", "average"] = "rocchio"
    alpha: float = 1.0
    beta: float = 0.5
    words: int = 64

    def __post_init__(self) -> None:
        """Refuse what makes no question."""
        if self.documents < 1 or self.words < 1:
            raise InvalidValue("feedback takes at least one document and keeps at least one word")
        if self.method not in ("rocchio", "average"):
            raise InvalidValue(f"feedback is {self.method!r}: it can be 'rocchio' or 'average'")
        if self.alpha < 0 or self.beta < 0 or not self.alpha + self.beta > 0:
            raise InvalidValue("alpha and beta of feedback are not negative, and one is above 0")

    def apply(self, queries: R, ids: npt.NDArray[np.int64], documents: R) -> R:
        """Change questions by what they found.

        Args:
            queries: (n, V) lexical or dense vectors.
            ids: (n, at least k) rows of `documents`, best first, -1 where there are no more.
            documents: (m, V) of the same kind.

        Returns:
            (n, V). A question that found nothing stays as it is, up to a factor.
        """
        first = ids[:, : self.documents]
        owners, places = np.nonzero(first >= 0)
        found = np.bincount(owners, minlength=len(first))
        alpha: npt.NDArray[np.float32] | float = self.alpha
        share = self.beta / np.maximum(found, 1)
        if self.method == "average":
            share = 1.0 / (found + 1)
            alpha = share[:, None].astype(np.float32)
        taken = (share[owners].astype(np.float32), (owners, first[owners, places]))
        mean = csr_array(taken, shape=(len(first), documents.shape[0])) @ documents
        if not issparse(queries):
            return cast(R, np.asarray(alpha * queries + mean, np.float32))
        changed = csr_array(cast(Any, queries).multiply(alpha) + mean)
        return cast(R, heaviest(changed, self.words))


def search_again(
    index: InvertedIndex, query: csr_array, feedback: Feedback, only: Selection | None = None
) -> csr_array:
    """Give the question, (1, V), that a question becomes by what it finds in an index.

    Args:
        index: where to look.
        query: (1, V).
        feedback: how.
        only: what may be found.
    """
    ids, _ = index.search(query, feedback.documents, only=only)
    found = ids[0][ids[0] >= 0]
    return feedback.apply(query, np.arange(len(found))[None, :], index.rows(found)) if len(found) else query


def check_feedback(feedback: int | Feedback | None) -> Feedback | None:
    """Return how to change questions: a number is that of the documents, 0 and None are none.

    Raises:
        InvalidValue: it is negative, or no number.
    """
    if feedback is None or isinstance(feedback, Feedback):
        return feedback
    if isinstance(feedback, bool) or not isinstance(feedback, int | np.integer) or feedback < 0:
        raise InvalidValue(f"feedback is {feedback!r}: say how many documents to take, or 0 for none")
    return Feedback(int(feedback)) if feedback else None
