"""JSON that podcast hosts and speech recognisers write: one list of segments, under many names.

| writer | list | a segment's text, start, end, speaker | words |
|---|---|---|---|
| Podcasting 2.0 | `segments` | `body`, `startTime`, `endTime`, `speaker` | a segment may be one word |
| openai-whisper, faster-whisper | `segments` | `text`, `start`, `end` | `words[]`: `word`, `start`, `end` |
| whisperX | `segments` | `text`, `start`, `end`, `speaker` | `words[]`: the same, and `speaker` |
| OpenAI's API, words only | `words` | | `word`, `start`, `end` |
| whisper.cpp | `transcription` | `text`, `offsets.from`, `offsets.to` in milliseconds | |
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from lexiscope.errors import UnreadableSource
from lexiscope.text.markup import has_markup, plain_text
from lexiscope.text.speakers import name_turns
from lexiscope.text.transcript import Unit, seconds

__all__ = ["NoTranscript", "read_json"]

# Segments of so few words on average are single words, to be put together again.
_WORDWISE = 2.0
# Silence, in seconds, after which somebody who goes on speaking begins a new utterance.
_PAUSE = 1.0
# An utterance ends at the end of a sentence once it has this many words.
_ENOUGH_WORDS = 8
# Without sentences or pauses an utterance is cut at its widest gap before it has more words than this.
_MANY_WORDS = 60
# Words are shorter than this on average; where words are not spaced, segments are longer.
_LONG_WORD = 10
_SENTENCE_ENDS = (".", "!", "?", "…", "。", "！", "？")


class NoTranscript(UnreadableSource):
    """JSON that is whole, and something else: settings, chapters, annotations."""


def read_json(text: str, name: str) -> tuple[list[Unit], dict[str, str]]:
    """Read any transcript in JSON.

    Returns:
        The units, and what is known of `title`, `description`, `url` and `audio`.

    Raises:
        UnreadableSource: the JSON is truncated or broken; nothing of it is taken, since what is missing
            cannot be known.
        NoTranscript: the JSON is something else.
    """
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise UnreadableSource(_broken(text, name, error)) from None
    except RecursionError:
        raise NoTranscript(f"{name}: JSON, but no transcript; leave it out") from None
    if isinstance(data, dict) and isinstance(data.get("chapters"), list) and "segments" not in data:
        raise NoTranscript(f"{name}: podcast chapters, not a transcript; name the transcript they belong to")
    segments = list(_segments(data))
    if not segments:
        raise NoTranscript(f"{name}: JSON, but no transcript that is known (no segments with text in it)")
    units = [unit for segment in segments for unit in segment.units()]
    if _are_words(units):
        units = list(_utterances(units))
    return name_turns(units), _about(data)


def _are_words(units: list[Unit]) -> bool:
    """Tell segments of a word or two from segments of speech."""
    words = sum(len(unit.text.split()) for unit in units)
    letters = sum(len(unit.text.strip()) for unit in units)
    return words < _WORDWISE * len(units) and letters < _LONG_WORD * len(units)


@dataclass(frozen=True)
class _Segment:
    """A piece of speech as the file has it."""

    unit: Unit
    words: tuple[Unit, ...]  # with the speaker of each, if the file says; may be empty

    def units(self) -> Iterable[Unit]:
        """The segment itself, or its parts where more than one person speaks in it, or without end."""
        if len({word.speaker for word in self.words}) < 2:
            speaker = self.unit.speaker or (self.words[0].speaker if self.words else None)
            if len(self.words) > _MANY_WORDS and self._words_are_all():
                return _utterances(replace(word, speaker=speaker) for word in self.words)
            return [replace(self.unit, speaker=speaker)]
        turns = groupby(self.words, key=lambda word: word.speaker)
        return [_joined(list(turn)) for _, turn in turns]

    def _words_are_all(self) -> bool:
        spoken = "".join(word.text for word in self.words)
        return "".join(spoken.split()) == "".join(self.unit.text.split())


def _segments(data: object) -> Iterator[_Segment]:
    """Find the list of segments under any of its names."""
    if isinstance(data, dict):
        lists = (_entries(data.get(key)) for key in ("segments", "transcription", "words"))
        found = next((entries for entries in lists if entries), [])
    else:
        found = _entries(data)
    for entry in found:
        if (unit := _unit(entry)) is not None:
            words = (_unit(word) for word in _entries(entry.get("words")))
            yield _Segment(unit, tuple(_with_speakers([word for word in words if word is not None])))


def _entries(value: object) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _unit(entry: dict[str, Any]) -> Unit | None:
    """Read a segment or a word; None without text."""
    text = next((entry[key] for key in ("body", "text", "word") if isinstance(entry.get(key), str)), None)
    if text is None:
        return None
    if has_markup(text):  # the space before a word tells that words are to be joined as they are
        text = " " * text[:1].isspace() + plain_text(text)
    offsets = entry.get("offsets")
    if isinstance(offsets, dict):  # whisper.cpp counts milliseconds
        times = [seconds(offsets.get(key)) for key in ("from", "to")]
        start, end = (None if time is None else time / 1000 for time in times)
    else:
        start = seconds(entry.get("startTime", entry.get("start")))
        end = seconds(entry.get("endTime", entry.get("end")))
    speaker = entry.get("speaker")
    return Unit(text, (str(speaker).strip() or None) if speaker is not None else None, start, end)


def _with_speakers(words: list[Unit]) -> Iterator[Unit]:
    """Give words that nobody is named for (numbers, mostly) to whoever spoke before."""
    speaker = next((word.speaker for word in words if word.speaker), None)
    for word in words:
        speaker = word.speaker or speaker
        yield replace(word, speaker=speaker)


def _utterances(words: Iterable[Unit]) -> Iterator[Unit]:
    """Put single words together: to the change of speaker, a pause, or the end of a sentence."""
    current: list[Unit] = []
    for word in words:
        if current and _ends(current, word):
            yield from map(_joined, _short_enough(current))
            current = []
        current.append(word)
    if current:
        yield from map(_joined, _short_enough(current))


def _short_enough(words: list[Unit]) -> Iterator[list[Unit]]:
    """Cut what has too many words at the widest gaps, away from where it begins and ends."""
    begin = 0
    while len(words) - begin > _MANY_WORDS:
        places = range(begin + _ENOUGH_WORDS, begin + _MANY_WORDS + 1)
        place = max(places, key=lambda place: (_gap(words[place - 1], words[place]), place))
        yield words[begin:place]
        begin = place
    yield words[begin:]


def _gap(word: Unit, following: Unit) -> float:
    """Seconds of silence between two words; 0 if unknown."""
    until = word.end if word.end is not None else word.start
    return 0.0 if until is None or following.start is None else max(0.0, following.start - until)


def _ends(current: list[Unit], word: Unit) -> bool:
    last = current[-1]
    until = last.end if last.end is not None else last.start
    paused = until is not None and word.start is not None and not 0 <= word.start - until < _PAUSE
    full = len(current) >= _ENOUGH_WORDS and last.text.rstrip("\"'”’) ").endswith(_SENTENCE_ENDS)
    # Segments may overlap a little; a clock that jumps back by more is a new part.
    overlap = paused and word.start is not None and until is not None and -_PAUSE < word.start - until < 0
    return word.speaker != last.speaker or full or (paused and not overlap)


def _joined(words: list[Unit]) -> Unit:
    """Make one unit of several, with the first time and the last that are known to be theirs."""
    spaced = any(word.text[:1].isspace() for word in words[1:])
    text = ("" if spaced else " ").join(word.text for word in words)
    start = next((word.start for word in words if word.start is not None), None)
    end = next((word.end for word in reversed(words) if word.end is not None), None)
    return Unit(text, words[0].speaker, start, end)


def _about(data: object) -> dict[str, str]:
    if not isinstance(data, dict):
        return {}
    keys = ("title", "description", "url", "audio")
    return {key: data[key].strip() for key in keys if isinstance(data.get(key), str)}


def _broken(text: str, name: str, error: json.JSONDecodeError) -> str:
    """Tell a file that breaks off from one that is wrong in the middle."""
    # The decoder stops at the end, or at the beginning of the string that never ends.
    if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string"):
        return f"{name}: the JSON is truncated, it breaks off at line {error.lineno}; write or copy it again"
    return f"{name}: broken JSON at line {error.lineno}, column {error.colno} ({error.msg}); write it again"
