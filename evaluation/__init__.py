"""Evaluation: data sets with captions, retrieval measures, TREC runs and the report for people.

Public names load on first use, so that reading a data set loads no index kernels (PEP 562).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lexiscope.evaluation.captioned import CaptionedPictures
    from lexiscope.evaluation.datasets import open_dataset
    from lexiscope.evaluation.report import table
    from lexiscope.evaluation.retrieval import Encoder, RetrievalReport, evaluate_retrieval

__all__ = ["CaptionedPictures", "Encoder", "RetrievalReport", "evaluate_retrieval", "open_dataset", "table"]

_HOME = {
    "CaptionedPictures": "lexiscope.evaluation.captioned",
    "Encoder": "lexiscope.evaluation.retrieval",
    "RetrievalReport": "lexiscope.evaluation.retrieval",
    "evaluate_retrieval": "lexiscope.evaluation.retrieval",
    "open_dataset": "lexiscope.evaluation.datasets",
    "table": "lexiscope.evaluation.report",
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Load a public name from the module it lives in."""
        from importlib import import_module

        if name not in _HOME:
            raise AttributeError(f"module 'lexiscope.evaluation' has no attribute {name!r}")
        return getattr(import_module(_HOME[name]), name)
