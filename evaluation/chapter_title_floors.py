"""Titles that take no learning: what learned ones have to beat."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from lexiscope.text.title_phrases import ChapterText, Token
from lexiscope.text.titles import EpisodeWords, fallback_title
from lexiscope.text.transcript import Transcript

__all__ = ["FirstWords", "LoudestWords"]

_LONGEST = 5  # words


class FirstWords:
    """The first eight words of each chapter."""

    def titles(self, transcript: Transcript, cuts: Sequence[int]) -> list[str]:
        """One title for each chapter."""
        spans = pairwise([*cuts, len(transcript.units)])
        said = (" ".join(unit.text for unit in transcript.units[slice(*span)]) for span in spans)
        return [fallback_title(text, number) for number, text in enumerate(said)]


class LoudestWords:
    """The run of up to five words of content with the greatest sum of TF-IDF over the episode's chapters."""

    def titles(self, transcript: Transcript, cuts: Sequence[int]) -> list[str]:
        """One title for each chapter; "-" where nothing of content is said."""
        chapters = EpisodeWords(transcript, cuts).chapters
        chapters_with = Counter(word for chapter in chapters for word in chapter.counts)
        return [_loudest(chapter, chapters_with, len(chapters)) for chapter in chapters]


def _loudest(chapter: ChapterText, chapters_with: Counter[str], chapters: int) -> str:
    def weight(token: Token) -> float:
        return chapter.counts[token.key] * math.log((chapters + 1) / chapters_with[token.key])

    runs = max(_runs(chapter.tokens), key=lambda run: sum(map(weight, run)), default=[])
    return " ".join(token.text for token in runs) or "-"


def _runs(tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """Runs of words of content within a clause, as long as they go."""
    begin = 0
    for place, token in enumerate(tokens):
        if not token.content:
            begin = place + 1
        elif token.opens or place - begin == _LONGEST:
            begin = place
        if token.content:
            yield tokens[begin : place + 1]
