"""Pictures: opening them, and turning them into patch states.

Public names load on first use, so that opening a picture does not load torch (PEP 562).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lexiscope.vision.pictures import MAX_PIXELS, PICTURE_SUFFIXES, open_picture

__all__ = ["MAX_PIXELS", "PICTURE_SUFFIXES", "open_picture"]

_HOME = {
    "MAX_PIXELS": "lexiscope.vision.pictures",
    "PICTURE_SUFFIXES": "lexiscope.vision.pictures",
    "open_picture": "lexiscope.vision.pictures",
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Load a public name from the module it lives in."""
        from importlib import import_module

        if name not in _HOME:
            raise AttributeError(f"module 'lexiscope.vision' has no attribute {name!r}")
        return getattr(import_module(_HOME[name]), name)
