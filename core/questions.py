"""Questions in words, pictures, or both, as lexical vectors."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from lexiscope.edits import Edits, reweigh
from lexiscope.errors import InvalidValue
from lexiscope.hits import spelt_words
from lexiscope.index import document_frequencies

if TYPE_CHECKING:
    from PIL.Image import Image

    from lexiscope.encoder import LexicalEncoder
    from lexiscope.index import InvertedIndex, Selection

__all__ = ["Question", "ask", "clean", "holders", "missed_words"]

# A word of a question that weighs less than this share of its heaviest one (the, of) is not missed.
_WORTH_MISSING = 0.25
# What the tower adds to a question counts this much when chapters are looked for.
_ADDED = 0.2
# Documents from which on their own frequencies count more than the model's weights.
_FEW = 20


def clean(text: str | None) -> str | None:
    """A question without what is no Unicode (bytes of a command line); None where nothing is left."""
    valid = (text or "").encode("utf-8", "replace").decode("utf-8").strip()
    return valid or None


@dataclass(frozen=True)
class Question:
    """What is asked, as lexical vectors (1, V); see `ask`."""

    picture: csr_array | None
    words: csr_array | None  # as the text tower understands them
    literal: csr_array | None  # the words themselves, without a model pass
    text: str = ""
    balance: float = 0.5  # what words count against a picture, 0…1
    factors: Mapping[int, float] = field(default_factory=dict)  # what terms are multiplied by
    forbidden: Mapping[str, frozenset[int]] = field(default_factory=dict)  # words, with the terms that spell
    like: int | None = None  # the document that `picture` is the row of

    def for_pictures(self) -> csr_array:
        """The vector that finds pictures."""
        return self._together(self.words)

    def for_chapters(self, index: InvertedIndex, chapters: Selection) -> csr_array:
        """The vector that finds chapters.

        A chapter says hundreds of words, so what tells chapters apart is how few of them say a word: the
        model's weights are multiplied by BM25's inverse document frequency, and are all there is to go by
        where there are few chapters. What the tower adds to the question counts little beside what was asked.
        """
        if self.words is None or self.literal is None:
            return self._together(None)
        asked = csr_array(_unit(self.literal).maximum(_ADDED * _unit(self.words)))
        asked.data *= _rarity(document_frequencies(index, asked.indices, chapters), len(chapters))
        return self._together(asked)

    def _together(self, words: csr_array | None) -> csr_array:
        """Words and a picture together are the weighted sum of their unit vectors; then come the edits."""
        if words is not None and self.picture is not None:
            both = self.balance * _unit(words) + (1 - self.balance) * _unit(self.picture)
            whole = _unit(csr_array(both.astype(np.float32)))
        else:
            alone = self.picture if words is None else words
            if alone is None:
                raise InvalidValue("there is no question: give a text, an image, or both")
            whole = _unit(alone)
        return reweigh(whole, self.factors) if self.factors else whole


def ask(
    encoder: LexicalEncoder,
    text: str | None,
    image: str | Path | bytes | Image | csr_array | None,
    *,
    balance: float = 0.5,
    edits: Edits | None = None,
    like: int | None = None,
) -> Question:
    """Encode a question.

    Args:
        encoder: the model.
        text: in words.
        image: as a picture, or as the vector (1, V) of something to find the like of.
        balance: what the words count where there are both: 0.5 the same as the picture, 1 they alone.
        edits: words raised, muted or forbidden.
        like: the document that the vector `image` belongs to; it will be no hit.

    Raises:
        InvalidValue: there are neither words nor a picture, or the balance is outside 0…1.
        UnreadableSource: `image` is no picture.
    """
    if text is None and image is None:
        raise InvalidValue("there is no question: give a text, an image, or both")
    if not 0 <= balance <= 1:
        raise InvalidValue(f"balance is {balance!r}: it can be 0 (the picture alone) to 1 (the words alone)")
    edits = edits or Edits()
    if image is None or isinstance(image, csr_array):
        picture = image
    else:
        picture = encoder.encode_image([image], show_progress_bar=False)
    return Question(
        picture,
        None if text is None else encoder.encode_query(text),
        None if text is None else encoder.encode_query(text, inference_free=True),
        text or "",
        balance,
        edits.term_factors(encoder.vocabulary),
        edits.forbidden_terms(encoder.vocabulary),
        like,
    )


def _rarity(frequencies: npt.NDArray[np.int64], documents: int) -> npt.NDArray[np.float32]:
    """ln(1 + (N - n + ½) / (n + ½)) over its greatest value, drawn towards 1 where documents are few."""
    rare = np.log1p((documents - frequencies + 0.5) / (frequencies + 0.5)) / np.log1p(2 * documents + 1)
    sure = documents / (documents + _FEW)
    return np.asarray(sure * rare + (1 - sure), np.float32)


def _unit(row: csr_array) -> csr_array:
    length = float(np.linalg.norm(row.data))
    return csr_array(row / np.float32(length)) if length else row


def missed_words(encoder: LexicalEncoder, text: str) -> dict[str, frozenset[int]]:
    """The heavy words of a question, which one would miss in an answer, with the terms that spell them."""
    query = encoder.encode_query(text)
    weights = dict(zip(query.indices.tolist(), query.data.tolist(), strict=True))
    least = _WORTH_MISSING * max(weights.values(), default=0.0)
    return {
        word: spelt
        for word, spelt in spelt_words(encoder.vocabulary, text).items()
        if max((weights.get(term, 0.0) for term in spelt), default=0.0) >= least
    }


def holders(index: InvertedIndex, terms: Collection[int], most: int | None = None) -> npt.NDArray[np.int64]:
    """Ids of the documents that have all these terms.

    Args:
        index: where to look.
        terms: ids of one term or more.
        most: so many documents are enough.
    """
    left: npt.NDArray[np.int64] | None = None
    for number, term in enumerate(terms, 1):
        one = csr_array((np.ones(1, np.float32), ([0], [term])), shape=(1, index.vocabulary_size))
        places = max(1, len(index) if left is None else len(left))
        if most is not None and number == len(terms):
            places = min(places, most)
        ids, _ = index.search(one, places, only=left)
        left = ids[0][ids[0] >= 0]
        if not len(left):
            break
    return np.empty(0, np.int64) if left is None else left
