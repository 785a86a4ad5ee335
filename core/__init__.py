"""lexiscope: pictures and podcast chapters as weighted words, in one sparse inverted index.

Public names load on first use, so that `import lexiscope` costs nothing (PEP 562).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lexiscope.lazy import lazy

if TYPE_CHECKING:
    from lexiscope.encoder import LexicalEncoder
    from lexiscope.exporting import export
    from lexiscope.index import InvertedIndex
    from lexiscope.retriever import Hit, Retriever
    from lexiscope.vector_files import read_vectors
    from lexiscope.vocabulary import Vocabulary

__version__ = "0.1.0"
__all__ = [
    "Hit",
    "InvertedIndex",
    "LexicalEncoder",
    "Retriever",
    "Vocabulary",
    "__version__",
    "export",
    "read_vectors",
]

_HOME = {
    "Hit": "lexiscope.retriever",
    "InvertedIndex": "lexiscope.index",
    "LexicalEncoder": "lexiscope.encoder",
    "Retriever": "lexiscope.retriever",
    "Vocabulary": "lexiscope.vocabulary",
    "export": "lexiscope.exporting",
    "read_vectors": "lexiscope.vector_files",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy(__name__, _HOME)
