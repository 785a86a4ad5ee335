"""Texts: reading transcripts, cutting them into passages, and turning texts into token states.

Public names load on first use, so that reading a transcript does not load torch (PEP 562).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lexiscope.text.passages import Passage, cut_passages
    from lexiscope.text.transcripts import Transcript, Unit, read_transcript

__all__ = ["Passage", "Transcript", "Unit", "cut_passages", "read_transcript"]

_HOME = {
    "Passage": "lexiscope.text.passages",
    "Transcript": "lexiscope.text.transcripts",
    "Unit": "lexiscope.text.transcripts",
    "cut_passages": "lexiscope.text.passages",
    "read_transcript": "lexiscope.text.transcripts",
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Load a public name from the module it lives in."""
        from importlib import import_module

        if name not in _HOME:
            raise AttributeError(f"module 'lexiscope.text' has no attribute {name!r}")
        return getattr(import_module(_HOME[name]), name)
