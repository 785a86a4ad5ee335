"""Titles of chapters, taken from what is said in them.

A linear scorer picks one of the phrases of a chapter (`title_phrases`). Its weights maximise the expected
ROUGE-L of a choice made in proportion to exp(score), with creators' own titles for the truth.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lexiscope.text.cue_words import CUE_KINDS, cues_among
from lexiscope.text.title_phrases import FEATURES, ChapterText, Phrase, WordLists, key, phrases, tokenize
from lexiscope.text.title_shape import topical
from lexiscope.text.transcript import Transcript

__all__ = ["ExtractiveTitler", "fallback_title"]

_LONGEST = 80  # characters
_FALLBACK = 8  # words
_GREETED = 60  # words from the beginning of an episode in which listeners are greeted
_GREETING = CUE_KINDS.index("greeting")


class _Learned(NamedTuple):
    weights: NDArray[np.float64]  # one a feature
    lists: WordLists


class ExtractiveTitler:
    """Names a chapter with its most telling phrase: no model, no network, any subject.

    No two chapters of an episode get the same phrase, or a part of one, while there are others. A chapter
    that greets the listeners at the beginning of an episode is called by what it is.
    """

    def titles(self, transcript: Transcript, cuts: Sequence[int]) -> list[str]:
        """One title for each chapter that begins at a cut, spelt as in the transcript; none is empty."""
        units = transcript.units
        spans = list(pairwise([*cuts, len(units)]))
        chapters = [tokenize([unit.text for unit in units[slice(*span)]]) for span in spans]
        with_key = Counter(word for chapter in chapters for word in chapter.counts)
        about = frozenset(token.key for token in tokenize([transcript.title]).tokens if token.content)
        people = frozenset(key(name) for unit in units for name in (unit.speaker or "").split())
        given: list[str] = []
        used: list[frozenset[str]] = []
        for number, chapter in enumerate(chapters):
            if number == 0 and len(chapters) > 1 and _greets(chapter):
                given.append("Intro")
                continue
            ranked = _ranked(chapter, with_key, len(chapters), about, people)
            best = next((phrase for phrase in ranked if _is_new(phrase.keys, used)), None)
            if best is not None:
                used.append(frozenset(best.keys))
                given.append(_tidy(best))
                continue
            said = " ".join(unit.text for unit in units[slice(*spans[number])])
            given.append(_topic(chapter, used) or fallback_title(said, number))
        return given


def fallback_title(text: str, number: int) -> str:
    """The first words of a text; where there are none, the number of the chapter, counted from 0."""
    start = " ".join(text.split()[:_FALLBACK]).strip(" .,;:-–—")
    return start[:_LONGEST].strip() or f"Chapter {number + 1}"


def _ranked(
    chapter: ChapterText,
    with_key: Counter[str],
    chapters: int,
    about: frozenset[str],
    people: frozenset[str],
) -> Iterator[Phrase]:
    """The phrases of a chapter, best first."""
    learned = _learned()
    found = list(phrases(chapter, with_key, chapters, about, learned.lists, people))
    if not found:
        return
    scores = np.array([phrase.features for phrase in found]) @ learned.weights
    yield from (found[place] for place in np.argsort(-scores, kind="stable"))


def _is_new(keys: Sequence[str], used: Sequence[frozenset[str]]) -> bool:
    return not any(frozenset(keys) <= title for title in used)


def _topic(chapter: ChapterText, used: list[frozenset[str]]) -> str:
    """The words said most that no title has yet; empty where there are none."""
    for run in topical(chapter.tokens, chapter.counts, _learned().lists.verbs):
        keys = tuple(token.key for token in run)
        if _is_new(keys, used):
            used.append(frozenset(keys))
            return _capital(" ".join(token.text for token in run)[:_LONGEST])
    return ""


def _tidy(phrase: Phrase) -> str:
    """Write a phrase as a title."""
    text = phrase.text
    if len(text) > _LONGEST:
        text = text[:_LONGEST].rsplit(" ", 1)[0]
    text = _capital(text)
    return text + "?" if phrase.features[FEATURES.index("question")] else text


def _capital(text: str) -> str:
    """Begin with a capital letter, unless the first word has some of its own."""
    return text[0].upper() + text[1:] if text.split(" ", 1)[0].islower() else text


def _greets(chapter: ChapterText) -> bool:
    spoken = [token.text.lower().replace("’", "'") for token in chapter.tokens[:_GREETED]]
    return _GREETING in cues_among(spoken)


@cache
def _learned() -> _Learned:
    data = json.loads(files("lexiscope.text").joinpath("titles.json").read_text(encoding="utf-8"))
    weights = np.array([data["weights"][name] for name in FEATURES])
    commonness = {key(word): value for word, value in data["commonness"].items()}
    return _Learned(weights, WordLists(commonness, frozenset(data["verbs"].split())))
