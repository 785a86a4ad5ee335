"""Pictures: opening them, and turning them into patch states.

Public names load on first use, so that opening a picture does not load torch (PEP 562).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lexiscope.lazy import lazy

if TYPE_CHECKING:
    from lexiscope.vision.patches import PatchWords, relevance
    from lexiscope.vision.pictures import MAX_PIXELS, PICTURE_SUFFIXES, open_picture
    from lexiscope.vision.tower import Preprocessor, VisionConfig, VisionTower

__all__ = [
    "MAX_PIXELS",
    "PICTURE_SUFFIXES",
    "PatchWords",
    "Preprocessor",
    "VisionConfig",
    "VisionTower",
    "open_picture",
    "relevance",
]

_HOME = {
    "MAX_PIXELS": "lexiscope.vision.pictures",
    "PICTURE_SUFFIXES": "lexiscope.vision.pictures",
    "PatchWords": "lexiscope.vision.patches",
    "Preprocessor": "lexiscope.vision.tower",
    "VisionConfig": "lexiscope.vision.tower",
    "VisionTower": "lexiscope.vision.tower",
    "open_picture": "lexiscope.vision.pictures",
    "relevance": "lexiscope.vision.patches",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy(__name__, _HOME)
