"""Evaluation: data sets with captions, retrieval measures, TREC runs and the report for people.

Public names load on first use, so that reading a data set loads no index kernels (PEP 562).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lexiscope.lazy import lazy

if TYPE_CHECKING:
    from lexiscope.evaluation.captioned import CaptionedPictures
    from lexiscope.evaluation.datasets import open_dataset
    from lexiscope.evaluation.patches import PatchReport, evaluate_patches
    from lexiscope.evaluation.report import table
    from lexiscope.evaluation.retrieval import (
        Encoder,
        RetrievalReport,
        VectorEncoder,
        evaluate_retrieval,
    )
    from lexiscope.evaluation.words import WordsReport, WordsSaid, evaluate_words, say_words
    from lexiscope.evaluation.words_page import write_page
    from lexiscope.evaluation.words_report import patches_table, words_table

__all__ = [
    "CaptionedPictures",
    "Encoder",
    "PatchReport",
    "RetrievalReport",
    "VectorEncoder",
    "WordsReport",
    "WordsSaid",
    "evaluate_patches",
    "evaluate_retrieval",
    "evaluate_words",
    "open_dataset",
    "patches_table",
    "say_words",
    "table",
    "words_table",
    "write_page",
]

_HOME = {
    "CaptionedPictures": "lexiscope.evaluation.captioned",
    "Encoder": "lexiscope.evaluation.retrieval",
    "PatchReport": "lexiscope.evaluation.patches",
    "RetrievalReport": "lexiscope.evaluation.retrieval",
    "VectorEncoder": "lexiscope.evaluation.retrieval",
    "WordsReport": "lexiscope.evaluation.words",
    "WordsSaid": "lexiscope.evaluation.words",
    "evaluate_patches": "lexiscope.evaluation.patches",
    "evaluate_retrieval": "lexiscope.evaluation.retrieval",
    "evaluate_words": "lexiscope.evaluation.words",
    "open_dataset": "lexiscope.evaluation.datasets",
    "patches_table": "lexiscope.evaluation.words_report",
    "say_words": "lexiscope.evaluation.words",
    "table": "lexiscope.evaluation.report",
    "words_table": "lexiscope.evaluation.words_report",
    "write_page": "lexiscope.evaluation.words_page",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy(__name__, _HOME)
