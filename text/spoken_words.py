"""The words of a transcript as numbers, so that kernels can count them.

Words are told apart by their first letters, which takes endings off in most European languages well enough
to count by, without a stemmer for each. Scripts that are written without spaces give pairs of letters.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lexiscope.text.function_words import FUNCTION_WORDS

__all__ = ["SpokenWords", "count_words", "stem", "words_in"]

Int64 = NDArray[np.int64]

STEM = 6
"""Letters by which words are told apart."""

# Kana, Han, Thai and Lao are written without spaces; two letters of theirs make about a word.
_UNSPACED = r"\u0e00-\u0eff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(rf"[{_UNSPACED}]{{1,2}}|(?:(?![{_UNSPACED}])\w)+(?:['’-](?:(?![{_UNSPACED}])\w)+)*")
_POSSESSIVE = re.compile(r"['’]s?$")


@dataclass(frozen=True)
class SpokenWords:
    """All words of an episode in order."""

    terms: Int64  # (n,) number of the word's stem among the episode's, -1 for function words
    begins: Int64  # (units + 1,) where each unit's words begin; the last is n
    vocabulary: tuple[str, ...]  # the stems


def words_in(text: str) -> list[str]:
    """Split a text into words, lower case, apostrophes straight.

    >>> words_in("Let’s talk: well-known 東京都!")
    ["let's", 'talk', 'well-known', '東京', '都']
    """
    return [word.replace("’", "'") for word in _WORD.findall(text.lower())]


def stem(word: str) -> str:
    """What a word is counted as: its first letters; empty for function words.

    >>> stem("transactions"), stem("transaction's"), stem("node's"), stem("nodes"), stem("the")
    ('transa', 'transa', 'node', 'node', '')
    """
    word = _POSSESSIVE.sub("", word) if word not in FUNCTION_WORDS else word
    if word in FUNCTION_WORDS or (len(word) == 1 and word.isascii()):
        return ""
    if len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
        word = word[:-1]
    return word[:STEM]


def count_words(units: Sequence[Sequence[str]]) -> SpokenWords:
    """Number the stems of an episode in order of appearance.

    Args:
        units: the words of each unit, from `words_in`.
    """
    numbers: dict[str, int] = {}
    stems: dict[str, str] = {}
    terms: list[int] = []
    begins = [0]
    for words in units:
        for word in words:
            kept = stems.get(word)
            if kept is None:
                kept = stems[word] = stem(word)
            terms.append(numbers.setdefault(kept, len(numbers)) if kept else -1)
        begins.append(len(terms))
    return SpokenWords(np.array(terms, np.int64), np.array(begins, np.int64), tuple(numbers))
