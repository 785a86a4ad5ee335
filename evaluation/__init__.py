"""Evaluation: data sets with captions, retrieval measures, TREC runs and the report for people.

Public names load on first use, so that reading a data set loads no index kernels (PEP 562).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lexiscope.lazy import lazy

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
    __getattr__, __dir__ = lazy(__name__, _HOME)
