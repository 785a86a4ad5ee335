"""Titles of chapters, taken from what is said in them.

A linear scorer picks one of the phrases of a chapter (`title_phrases`). Its weights are learned from
creators' own titles (`lexiscope.training.titler`; docs/chapters.md has what they are worth).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexiscope.text.cue_words import CUE_KINDS, cues_among
from lexiscope.text.title_phrases import FEATURES, ChapterText, Phrase, key, phrases, tokenize
from lexiscope.text.title_shape import WordLists, topical
from lexiscope.text.transcript import Transcript

__all__ = ["EpisodeWords", "ExtractiveTitler", "TitlerWeights", "fallback_title"]

FORMAT_VERSION = 1

_LONGEST = 80  # characters
_FALLBACK = 8  # words
_GREETED = 60  # words from the beginning of an episode in which listeners are greeted
_GREETING = CUE_KINDS.index("greeting")


@dataclass(frozen=True)
class TitlerWeights:
    """What was learned."""

    weights: NDArray[np.float64]  # one a feature
    lists: WordLists

    def to_json(self) -> dict[str, Any]:
        """Write weights and lists by name, so that they can be read and compared."""
        return {
            "format_version": FORMAT_VERSION,
            "weights": {
                name: round(float(weight), 3) for name, weight in zip(FEATURES, self.weights, strict=True)
            },
            "commonness": dict(self.lists.commonness),
            "verbs": " ".join(sorted(self.lists.verbs)),
            "adjectives": " ".join(sorted(self.lists.adjectives)),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TitlerWeights:
        """Read what `to_json` has written.

        Raises:
            ValueError: it was written for other features or by another version.
        """
        if data["format_version"] != FORMAT_VERSION or tuple(data["weights"]) != FEATURES:
            raise ValueError("the titles' weights are for other features; learn them again")
        verbs, adjectives = (frozenset(data[kind].split()) for kind in ("verbs", "adjectives"))
        lists = WordLists(data["commonness"], verbs, adjectives)
        return cls(np.array(list(data["weights"].values()), float), lists)


class EpisodeWords:
    """The words of an episode's chapters.

    Args:
        transcript: of the episode.
        cuts: first units of its chapters, ascending.

    Attributes:
        chapters: the words of each.
    """

    def __init__(self, transcript: Transcript, cuts: Sequence[int]) -> None:
        units = transcript.units
        spans = pairwise([*cuts, len(units)])
        self.chapters = [tokenize([unit.text for unit in units[slice(*span)]]) for span in spans]
        self._with_key = Counter(word for chapter in self.chapters for word in chapter.counts)
        self._about = frozenset(token.key for token in tokenize([transcript.title]).tokens if token.content)
        self._people = frozenset(key(name) for unit in units for name in (unit.speaker or "").split())

    def phrases(self, number: int, lists: WordLists) -> list[Phrase]:
        """What may be the title of a chapter."""
        chapters = len(self.chapters)
        found = phrases(self.chapters[number], self._with_key, chapters, self._about, lists, self._people)
        return list(found)

    def is_intro(self, number: int) -> bool:
        """Whether a chapter opens the episode with a greeting, so that this is what it is called."""
        spoken = [token.plain for token in self.chapters[number].tokens[:_GREETED]]
        return number == 0 and len(self.chapters) > 1 and _GREETING in cues_among(spoken)


class ExtractiveTitler:
    """Names a chapter with its most telling phrase: no model, no network, any subject.

    No two chapters of an episode get the same phrase, or a part of one, while there are others. A chapter
    that greets the listeners at the beginning of an episode is called by what it is.
    """

    def __init__(self, weights: TitlerWeights | None = None) -> None:
        """Take weights, or those that come with the package."""
        self._weights = weights or _bundled()

    def titles(self, transcript: Transcript, cuts: Sequence[int]) -> list[str]:
        """One title for each chapter that begins at a cut, spelt as in the transcript; none is empty."""
        words = EpisodeWords(transcript, cuts)
        used: list[frozenset[str]] = []
        ends = [*cuts[1:], len(transcript.units)]
        given = []
        for number, (begin, end) in enumerate(zip(cuts, ends, strict=True)):
            title = "Intro" if words.is_intro(number) else self._title(words, number, used)
            said = " ".join(unit.text for unit in transcript.units[begin:end])
            given.append(title or fallback_title(said, number))
        return given

    def _title(self, words: EpisodeWords, number: int, used: list[frozenset[str]]) -> str:
        """The best phrase whose words no title has yet, else the words said most; marks them as used."""
        best = next((one for one in self._ranked(words, number) if _is_new(one.keys, used)), None)
        if best is None:
            return _topic(words.chapters[number], used, self._weights.lists)
        used.append(frozenset(best.keys))
        return _tidy(best)

    def _ranked(self, words: EpisodeWords, number: int) -> Iterator[Phrase]:
        """The phrases of a chapter, best first."""
        found = words.phrases(number, self._weights.lists)
        if not found:
            return
        scores = np.array([phrase.features for phrase in found]) @ self._weights.weights
        yield from (found[place] for place in np.argsort(-scores, kind="stable"))


def fallback_title(text: str, number: int) -> str:
    """The first words of a text; where there are none, the number of the chapter, counted from 0."""
    start = " ".join(text.split()[:_FALLBACK]).strip(" .,;:-–—")
    return start[:_LONGEST].strip() or f"Chapter {number + 1}"


def _is_new(keys: Sequence[str], used: Sequence[frozenset[str]]) -> bool:
    return not any(frozenset(keys) <= title for title in used)


def _topic(chapter: ChapterText, used: list[frozenset[str]], lists: WordLists) -> str:
    """The words said most that no title has yet; empty where there are none."""
    for run in topical(chapter.tokens, chapter.counts, lists):
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


@cache
def _bundled() -> TitlerWeights:
    data = json.loads(files("lexiscope.text").joinpath("titles.json").read_text(encoding="utf-8"))
    return TitlerWeights.from_json(data)
