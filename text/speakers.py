"""Tell speakers' names from the words that are spoken, as in "Ada Lovelace: Good evening"."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from lexiscope.text.transcript import Unit

__all__ = ["NAME", "name_turns", "speakers_among"]

_FIRST = r"[^\W_a-zß-öø-ÿ][\w.'’&()-]*"
_PARTICLE = r"(?:&|(?:and|d[aeiou]s?|de[nrl]|v[ao]n|la|le|el|al|bin|of|the|[yé])(?=\s))"
NAME = rf"{_FIRST}(?:[ ,]{{1,2}}(?:{_FIRST}|{_PARTICLE})){{0,5}}"
"""A name as a regular expression: up to six words that begin with capital letters or digits, or are "van" or
the like."""

_TURN = re.compile(rf"(?:>>\s*)?({NAME})\s?[:：](?=\s|$)\s*")


def speakers_among(texts: Sequence[str]) -> frozenset[str]:
    """Find what stands before a colon often enough to be a speaker's name and no figure of speech.

    A name speaks twice at least, unless half of all texts begin with names: then every one of them counts.
    """
    found = Counter(match[1] for text in texts if (match := _TURN.match(text)))
    if sum(found.values()) >= max(2, len(texts) / 2):
        return frozenset(found)
    return frozenset(name for name, times in found.items() if times > 1)


def name_turns(units: Iterable[Unit]) -> list[Unit]:
    """Move names that stand before the words ("Ada: Good evening") into the units' speakers.

    Subtitles name a speaker only where the turn changes; who speaks in between is not guessed.
    """
    units = list(units)
    names = speakers_among([unit.text for unit in units if unit.speaker is None])
    return [_named(unit, names) for unit in units]


def _named(unit: Unit, names: frozenset[str]) -> Unit:
    match = _TURN.match(unit.text) if unit.speaker is None else None
    if match is None or match[1] not in names:
        return unit
    return replace(unit, speaker=match[1], text=unit.text[match.end() :])
