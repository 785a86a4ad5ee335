"""Questions in words, pictures, or both, as lexical vectors."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from lexiscope.errors import InvalidValue
from lexiscope.hits import spelt_words

if TYPE_CHECKING:
    from PIL.Image import Image

    from lexiscope.encoder import LexicalEncoder
    from lexiscope.index import InvertedIndex

__all__ = ["clean", "compose", "holders", "missed_words"]

# A word of a question that weighs less than this share of its heaviest one (the, of) is not missed.
_WORTH_MISSING = 0.25


def clean(text: str | None) -> str | None:
    """A question without what is no Unicode (bytes of a command line); None where nothing is left."""
    valid = (text or "").encode("utf-8", "replace").decode("utf-8").strip()
    return valid or None


def compose(encoder: LexicalEncoder, text: str | None, image: str | Path | bytes | Image | None) -> csr_array:
    """The lexical vector of a question, (1, V).

    Words and a picture together are the sum of their unit vectors, of unit length: both count the same.

    Raises:
        InvalidValue: there is neither.
        UnreadableSource: `image` is no picture.
    """
    parts = []
    if text is not None:
        parts.append(encoder.encode_query(text))
    if image is not None:
        parts.append(encoder.encode_image([image], show_progress_bar=False))
    if not parts:
        raise InvalidValue("there is no question: give a text, an image, or both")
    return parts[0] if len(parts) == 1 else _unit(_unit(parts[0]) + _unit(parts[1]))


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


def holders(index: InvertedIndex, terms: Collection[int]) -> npt.NDArray[np.int64]:
    """Ids of the documents that have all these terms; for a single term, of one of them.

    Args:
        index: where to look.
        terms: ids of one term or more.
    """
    left: npt.NDArray[np.int64] | None = None
    for term in terms:
        one = csr_array((np.ones(1, np.float32), ([0], [term])), shape=(1, index.vocabulary_size))
        places = 1 if len(terms) == 1 else max(1, len(index) if left is None else len(left))
        ids, _ = index.search(one, places, only=left)
        left = ids[0][ids[0] >= 0]
        if not len(left):
            break
    return np.empty(0, np.int64) if left is None else left
