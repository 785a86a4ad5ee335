"""Plain text and Markdown: paragraphs, with speakers' turns and times in any of the usual spellings.

- `Ada Lovelace: [00:01:20]`, `Ada (1:20): Good evening.` or `Ada Lovelace  1:20`
- `**Ada:** Good evening.` or `Ada: Good evening.`
- `[01:20] Ada: Good evening.`, `(00:01:20) Good evening.` or `[00:01:20.000 --> 00:01:24.000] Good evening.`
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise

from lexiscope.text.speakers import NAME, speakers_among
from lexiscope.text.transcript import Unit, seconds

__all__ = ["has_turns_or_times", "read_plain"]

_TIME = r"(?:\d{1,3}:)?\d{1,3}:\d{2}(?:[.,]\d{1,3})?"
# A time in brackets, perhaps escaped for Markdown, perhaps with its end.
_STAMP = rf"\\?[\[(]\s*(?P<start>{_TIME})(?:\s*(?:-->|-|–|—)\s*(?P<end>{_TIME}))?\s*\\?[\])]"
_BARE_STAMP = re.compile(rf"\s*(?P<start>{_TIME})\s*")
_INNER_STAMP = re.compile(_STAMP)
_NAME_THEN_TIME = re.compile(rf"(?P<name>{NAME})\s*:?\s*(?:{_STAMP}|\s(?P<bare>{_TIME})\s*$)\s*:?\s*")
_TIME_THEN_NAME = re.compile(rf"{_STAMP}\s*:?\s*(?:(?P<name>{NAME})\s?[:：](?=\s|$))?\s*")
_NAME_ALONE = re.compile(rf"(?P<name>{NAME})\s?[:：](?=\s|$)\s*")
_BOLD = re.compile(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1")
_BOLD_NAME = re.compile(rf"\s*(?:\*\*|__)\s*({NAME})\s*(?::\s*(?:\*\*|__)|(?:\*\*|__)\s*:)")
_LONG = 60  # words: prose of more is taken apart
_PIECE = 30  # words, where it has no punctuation
_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+|(?<=[.!?…][\"”’)])\s+|(?<=[。！？])")
_LINK = re.compile(r"!?\[([^\]]*)\]\((?:[^()\s]|\([^()]*\))+(?:\s+\"[^\"]*\")?\)")
_HEADING = re.compile(r"#{1,6}\s+(.*?)\s*#*\s*")
_FRONT_MATTER = re.compile(r"\A---\n(.*?\n)---\n", re.DOTALL)
_FRONT_FIELD = re.compile(r"^(title|description|url|audio)\s*:\s*(.+?)\s*$", re.MULTILINE | re.IGNORECASE)


def has_turns_or_times(text: str) -> bool:
    """Tell a transcript from a shopping list: three lines or more that begin with a speaker or a time."""
    lines = _lines(text)
    names = _names(lines)
    marked = sum(_header(line, names) is not None for line in lines)
    return marked >= min(3, max(1, len(lines) // 2))


def read_plain(text: str) -> tuple[list[Unit], dict[str, str]]:
    """Read plain text or Markdown; every paragraph is a unit, and nothing but marks and names is taken out.

    A long paragraph that has neither speaker nor time is a unit a sentence, so that chapters can begin in
    it; without punctuation a line, or some words.

    A time holds for the words after it, to the next time or turn. The end of a unit is its own if the file
    says one (`[00:10 --> 00:14]`), else unknown.

    Returns:
        The units, and what is known of `title`, `description`, `url` and `audio`: from the front matter, and
        the title else from a heading in the first line.
    """
    about: dict[str, str] = {}
    if front := _FRONT_MATTER.match(text):
        about = {key.lower(): value.strip("\"'") for key, value in _FRONT_FIELD.findall(front[1])}
        text = text[front.end() :]
    if heading := re.match(r"\s*#\s+(.+?)\s*#*\s*(?:\n|\Z)", text):
        about.setdefault("title", _unmarked(heading[1]))
        text = text[heading.end() :]
    names = _names(_lines(text))
    reader = _Reader()
    for line in text.split("\n"):
        reader.line(line.strip(), names)
    reader.end_unit()
    return reader.units, about


@dataclass
class _Reader:
    """Goes through the lines, keeping who speaks and since when."""

    units: list[Unit] = field(default_factory=list)
    now: Unit = field(default_factory=lambda: Unit(""))  # speaker and times of what is being read
    words: list[str] = field(default_factory=list)

    def line(self, line: str, names: frozenset[str]) -> None:
        """Take one line: the end of a paragraph, the head of a turn, or words."""
        line = _without_heading_marks(line)
        if not line:
            self.end_unit()
            return
        if (found := _header(line, names)) is not None:
            self.end_unit()
            head, line = found
            self.now = replace(head, speaker=head.speaker or self.now.speaker)
        for part, stamp in _at_stamps(line):
            if stamp is not None:
                self.end_unit()
                self.now = replace(self.now, start=stamp.start, end=stamp.end)
            if part := _unmarked(part).strip():
                self.words.append(part)

    def end_unit(self) -> None:
        """Finish the paragraph; a further one of the same turn has no time of its own."""
        if self.words:
            prose = self.now.speaker is None and self.now.start is None
            texts = _sentences(self.words) if prose else [" ".join(self.words)]
            self.units += [replace(self.now, text=text) for text in texts]
            self.words = []
            self.now = replace(self.now, start=None, end=None)


def _sentences(lines: list[str]) -> list[str]:
    """Take a paragraph apart if it is long."""
    text = " ".join(lines)
    words = len(text.split())
    if words <= _LONG:
        return [text]
    sentences = [part for part in _SENTENCE_END.split(text) if part.strip()]
    parts = lines if words > _LONG * len(sentences) else sentences
    return [piece for part in parts for piece in _pieces(part)]


def _pieces(text: str) -> list[str]:
    """The text, or where it is long, even pieces of it."""
    words = text.split()
    if len(words) <= _LONG:
        return [text]
    count = -(-len(words) // _PIECE)
    ends = [round(len(words) * number / count) for number in range(count + 1)]
    return [" ".join(words[begin:end]) for begin, end in pairwise(ends)]


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n") if line.strip()]


def _names(lines: list[str]) -> frozenset[str]:
    """Collect the speakers: names in bold before a colon for sure, others if they come up often enough."""
    bold = {match[1] for line in lines if (match := _BOLD_NAME.match(line))}
    return speakers_among([_unmarked(line) for line in lines]) | bold


def _header(line: str, names: frozenset[str]) -> tuple[Unit, str] | None:
    """Split the speaker and time that begin a turn from the words after them; None if nothing begins."""
    plain = _unmarked(line)
    for pattern in (_TIME_THEN_NAME, _NAME_THEN_TIME, _NAME_ALONE):
        if (found := pattern.match(plain)) is None:
            continue
        parts = found.groupdict()
        if pattern is _NAME_ALONE and parts["name"] not in names:
            continue
        start, end = parts.get("start") or parts.get("bare"), parts.get("end")
        return Unit("", parts["name"], seconds(start), seconds(end)), plain[found.end() :]
    if bare := _BARE_STAMP.fullmatch(plain):
        return Unit("", None, seconds(bare["start"])), ""
    return None


def _at_stamps(line: str) -> Iterator[tuple[str, Unit | None]]:
    """Split a line at the times inside it; the first part has none."""
    begin, stamp = 0, None
    for found in _INNER_STAMP.finditer(line):
        yield line[begin : found.start()], stamp
        begin, stamp = found.end(), Unit("", None, seconds(found["start"]), seconds(found["end"]))
    yield line[begin:], stamp


def _without_heading_marks(line: str) -> str:
    found = _HEADING.fullmatch(line)
    return found[1] if found else line


def _unmarked(text: str) -> str:
    """Take bold marks and the addresses of links out of Markdown."""
    return _BOLD.sub(r"\2", _LINK.sub(r"\1", text))
