"""What a person changes about a question by hand: words raised, muted, forbidden.

The query is a short list of weighted words, so it can be read and edited before it is asked (a dense vector
cannot). An edit is a factor on a word's weight; a forbidden word shuts out every document that has it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array

from lexiscope.errors import InvalidValue
from lexiscope.vocabulary import words

if TYPE_CHECKING:
    from lexiscope.vocabulary import Vocabulary

__all__ = ["Edits", "reweigh", "split_forbidden"]

GREATEST_FACTOR = 100.0
# A minus (ASCII or U+2212) that nothing but a space comes before, with a letter right behind it: neither
# "well-known", "- a list", "−5 degrees" nor "--option".
_FORBIDDEN = re.compile(r"(?<!\S)[-−]([^\W\d_]\S*)")


@dataclass(frozen=True)
class Edits:
    """Edits of a question; make them with `of`, which checks them."""

    factors: Mapping[str, float] = field(
        default_factory=dict
    )  # folded word to what its weight is multiplied by
    forbidden: frozenset[str] = frozenset()  # folded words

    @classmethod
    def of(cls, weights: Mapping[str, float] | None = None, forbid: Iterable[str] = ()) -> Edits:
        """Check and fold edits as people write them.

        Args:
            weights: for a word what its weight is multiplied by: 0 mutes it, 2 raises it; 0…100.
            forbid: words that no hit may have.

        Raises:
            InvalidValue: a word is none or several, or a factor is outside its range.
        """
        factors = {_single(word): float(factor) for word, factor in (weights or {}).items()}
        for word, factor in factors.items():
            if not math.isfinite(factor) or not 0 <= factor <= GREATEST_FACTOR:
                raise InvalidValue(
                    f"the weight of {word!r} is multiplied by {factor}: give 0 to {GREATEST_FACTOR:.0f}"
                )
        return cls(factors, frozenset(_single(word) for word in forbid))

    def term_factors(self, vocabulary: Vocabulary) -> dict[int, float]:
        """The factor of each term; a piece of several edited words takes the greatest, a forbidden one 0."""
        found: dict[int, float] = {}
        for word, factor in [*self.factors.items(), *((word, 0.0) for word in self.forbidden)]:
            for term in vocabulary.spell(word):
                found[term] = max(factor, found.get(term, 0.0))
        return found

    def forbidden_terms(self, vocabulary: Vocabulary) -> dict[str, frozenset[int]]:
        """For each forbidden word the terms that spell it."""
        return {word: frozenset(vocabulary.spell(word)) for word in sorted(self.forbidden)}


def reweigh(row: csr_array, factors: Mapping[int, float]) -> csr_array:
    """Multiply weights of a lexical vector; what becomes 0 leaves it.

    Args:
        row: (1, V), left as it is.
        factors: of terms, ≥ 0; those that the vector does not have do nothing.

    Returns:
        (1, V). It is not brought to unit length again: a word that is not edited counts what it did.
    """
    edited = csr_array(row.copy())
    edited.data *= np.array([factors.get(int(term), 1.0) for term in edited.indices], edited.dtype)
    edited.eliminate_zeros()
    return edited


def split_forbidden(text: str) -> tuple[str, list[str]]:
    """Take the words with a minus in front of them out of a question: `beach -people`.

    Returns:
        The rest of the question, and the forbidden words, folded, in order, each once.
    """
    forbidden = [word for found in _FORBIDDEN.findall(text) for word in words(found)]
    if not forbidden:
        return text, []
    return " ".join(_FORBIDDEN.sub(" ", text).split()), list(dict.fromkeys(forbidden))


def _single(word: str) -> str:
    folded = words(word)
    if len(folded) != 1:
        raise InvalidValue(f"{word[:60]!r} is not one word: edit a question word by word")
    return folded[0]
