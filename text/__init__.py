"""Texts: reading transcripts, and turning texts into token states.

Public names load on first use, so that reading a transcript does not load torch (PEP 562).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lexiscope.lazy import lazy

if TYPE_CHECKING:
    from lexiscope.text.tower import TextConfig, TextTower
    from lexiscope.text.transcripts import Mark, Transcript, Unit, read_feed, read_transcript

__all__ = [
    "Mark",
    "TextConfig",
    "TextTower",
    "Transcript",
    "Unit",
    "read_feed",
    "read_transcript",
]

_HOME = {
    "Mark": "lexiscope.text.transcripts",
    "TextConfig": "lexiscope.text.tower",
    "TextTower": "lexiscope.text.tower",
    "Transcript": "lexiscope.text.transcripts",
    "Unit": "lexiscope.text.transcripts",
    "read_feed": "lexiscope.text.transcripts",
    "read_transcript": "lexiscope.text.transcripts",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy(__name__, _HOME)
