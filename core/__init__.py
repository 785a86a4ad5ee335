"""lexiscope: pictures and podcast chapters as weighted words, in one sparse inverted index.

Public names load on first use, so that `import lexiscope` costs nothing (PEP 562).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lexiscope.encoder import LexicalEncoder
    from lexiscope.index import InvertedIndex
    from lexiscope.retriever import Hit, Retriever
    from lexiscope.vocabulary import Vocabulary

__version__ = "0.1.0"
__all__ = ["Hit", "InvertedIndex", "LexicalEncoder", "Retriever", "Vocabulary", "__version__"]

_HOME = {
    "Hit": "lexiscope.retriever",
    "InvertedIndex": "lexiscope.index",
    "LexicalEncoder": "lexiscope.encoder",
    "Retriever": "lexiscope.retriever",
    "Vocabulary": "lexiscope.vocabulary",
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Load a public name from the module it lives in."""
        from importlib import import_module

        if name not in _HOME:
            raise AttributeError(f"module 'lexiscope' has no attribute {name!r}")
        return getattr(import_module(_HOME[name]), name)

    def __dir__() -> list[str]:
        """List the public names, loaded or not."""
        return sorted({*globals(), *__all__})
