"""What words are like in general, counted in talk: how common they are, which are verbs, which adjectives.

There is no tagger, and none is needed for titles: what stands before a word tells enough of it.
"""

from __future__ import annotations

import gzip
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from lexiscope.text.title_phrases import Token, tokenize
from lexiscope.text.title_shape import ARTICLES, PREPOSITIONS, SUBJECTS, WordLists

__all__ = ["read_talk", "word_lists"]

COMMON = 2000  # keys that are not rare
LEAST_COMMON = 0.1
SEEN = 10  # times in the places that tell, so that a word is judged
VERBS, ADJECTIVES = 0.8, 0.75  # of these times

_BEFORE_VERBS = SUBJECTS | frozenset(
    "to not never have has had haven't hasn't hadn't it that there who".split()
)
_BEFORE_ADJECTIVES = frozenset(
    "am is are was were be been being i'm you're we're they're he's she's it's that's isn't wasn't as not"
    " very so too more less most really pretty super quite extremely kinda little".split()
)
_BEFORE_NOUNS = (ARTICLES | PREPOSITIONS) - _BEFORE_VERBS - _BEFORE_ADJECTIVES
_DETERMINERS = frozenset("my your his her its our their this these those some any no".split())
_NAMED_SPEAKER = re.compile(r"^\*\*[^*\n]{1,80}:\*\*", re.MULTILINE)  # **Ada Berg:** at the start of a turn


@dataclass
class _Places:
    """How often each word stands where verbs, nouns or adjectives stand."""

    verb: Counter[str] = field(default_factory=Counter)  # after a pronoun, an auxiliary or "to"
    noun: Counter[str] = field(default_factory=Counter)  # after an article or a preposition
    compound: Counter[str] = field(default_factory=Counter)  # after a word of content
    adjective: Counter[str] = field(
        default_factory=Counter
    )  # after "is", "very", or between article and noun
    last: Counter[str] = field(default_factory=Counter)  # of an article's noun phrase
    compound_last: Counter[str] = field(default_factory=Counter)  # of two words of content

    def note(self, before: Token, word: str, *, last: bool) -> None:
        """Count a word of content by what stands before it, and whether it is the last of a phrase."""
        lead = before.plain
        self.verb[word] += lead in _BEFORE_VERBS
        self.noun[word] += lead in _BEFORE_NOUNS
        self.compound[word] += before.content
        after_article = lead in _BEFORE_NOUNS or lead in _DETERMINERS
        self.adjective[word] += lead in _BEFORE_ADJECTIVES or (after_article and not last)
        self.last[word] += after_article and last
        self.compound_last[word] += before.content and last

    def is_verb(self, word: str) -> bool:
        """Rarely a noun: "we send", seldom "the send", nor "the money send"."""
        verb, noun = self.verb[word], self.noun[word]
        return verb + noun >= SEEN and verb >= VERBS * (verb + noun) and verb >= noun + self.compound[word]

    def is_adjective(self, word: str) -> bool:
        """Rarely the last of a noun phrase: "is large", "the large house", seldom "the large"."""
        # "Completely wrong" is no compound: half of them count.
        others = self.last[word] + self.compound_last[word] / 2
        count = self.adjective[word]
        return count >= SEEN and count >= ADJECTIVES * (count + others)


def word_lists(texts: Iterable[str]) -> WordLists:
    """Count what words are like in general.

    Commonness falls with the logarithm of the count, from 1 for the most frequent key to 0.1 for the last of
    the `COMMON`; names and numbers are left out, however often they are said.

    Args:
        texts: transcripts, one unit a line.
    """
    keys, places = Counter[str](), _Places()
    for text in texts:
        tokens = tokenize(_NAMED_SPEAKER.sub("", text).split("\n")).tokens
        keys.update(token.key for token in tokens if token.content and token.text.islower())
        for number, (before, token) in enumerate(pairwise(tokens)):
            if token.content and not token.opens and token.text.replace("-", "").isalpha():
                last = token.ends or number + 2 == len(tokens) or not tokens[number + 2].content
                places.note(before, token.text, last=last)
    words = {word for counted in (places.verb, places.adjective) for word in counted if word.islower()}
    verbs = frozenset(word for word in words if places.is_verb(word))
    adjectives = frozenset(word for word in words if places.is_adjective(word))
    return WordLists(_commonness(keys), verbs, adjectives)


def _commonness(keys: Counter[str]) -> dict[str, float]:
    frequent = sorted(keys.items(), key=lambda item: (-item[1], item[0]))[:COMMON]
    if not frequent:
        return {}
    most, least = math.log(frequent[0][1]), math.log(frequent[-1][1])
    slope = (1 - LEAST_COMMON) / (most - least or 1)
    return {word: round(LEAST_COMMON + slope * (math.log(count) - least), 2) for word, count in frequent}


def read_talk(file: Path) -> Iterator[str]:
    """The texts of a gzipped file with `{"text"}` a line."""
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)["text"]
