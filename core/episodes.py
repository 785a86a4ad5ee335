"""Episodes as what is indexed: a document for each chapter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from lexiscope.text.chapters import make_chapters
from lexiscope.text.transcript import Transcript, Unit

__all__ = ["EPISODES", "ChapterWords", "chapter_words", "chapters_of"]

EPISODES = "c2"
"""Names the way in which chapters are made and stored. Change it, and all episodes are indexed anew."""


@dataclass(frozen=True)
class ChapterWords:
    """The words that a chapter is found by."""

    text: str
    title: str = ""
    generated: bool = False  # the title was made from the text
    turns: dict[str, int] = field(default_factory=dict)  # how often each speaker speaks
    episode: str = ""
    description: str = ""  # of the episode


def chapters_of(transcript: Transcript) -> Iterator[tuple[ChapterWords, dict[str, Any]]]:
    """Give each chapter of an episode: the words it is found by, and the fields that a hit shows, as JSON."""
    published = {"audio": transcript.audio} if transcript.audio else {}
    for chapter in make_chapters(transcript):
        spoken = transcript.units[chapter.first_unit : chapter.last_unit + 1]
        words = chapter_words(transcript, spoken, chapter.title, generated=chapter.generated)
        yield (
            words,
            {
                "episode": transcript.title,
                "title": chapter.title,
                "start": chapter.start,
                "end": chapter.end,
                "generated": chapter.generated,
                "text": words.text,
                "speakers": list(words.turns),
                "units": [[unit.start, unit.text] for unit in spoken],
                **published,
            },
        )


def chapter_words(
    transcript: Transcript, units: Sequence[Unit], title: str, *, generated: bool
) -> ChapterWords:
    """The words that a chapter is found by.

    Args:
        transcript: the episode.
        units: those of the chapter.
        title: of the chapter.
        generated: the title was made from the text.
    """
    turns = Counter(unit.speaker for unit in units if unit.speaker)
    text = " ".join(unit.text for unit in units)
    return ChapterWords(text, title, generated, dict(turns), transcript.title, transcript.description)
