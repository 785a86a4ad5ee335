"""Plots of effectiveness against active words and against latency."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from lexiscope.evaluation.comparison import Comparison
from lexiscope.evaluation.retrieval import RetrievalReport

__all__ = ["PLOT", "draw"]

PLOT = "effectiveness.png"


def draw(comparison: Comparison, folder: Path) -> list[Path]:
    """Draw mean recall against words a picture and against time a query: a point a model, a line a curve.

    Args:
        comparison: what was measured.
        folder: where the picture goes.

    Returns:
        The picture's file; nothing where matplotlib is not installed.
    """
    try:
        figure_module = importlib.import_module("matplotlib.figure")
    except ModuleNotFoundError:
        return []
    figure = figure_module.Figure(figsize=(11, 4.5), layout="constrained")
    words, latency = figure.subplots(1, 2, sharey=True)
    for number, one in enumerate(comparison.measured):
        _model(comparison, one.report, words, latency, f"C{number % 10}")
    words.set_xlabel("words a picture (dimensions of a dense vector)")
    latency.set_xlabel("milliseconds a query, text → image")
    words.set_ylabel("mean recall, %")
    for axis in (words, latency):
        axis.set_xscale("log")
        axis.grid(alpha=0.3)
    latency.legend(fontsize="small")
    figure.suptitle(str(comparison.measured[0].report["dataset"]))
    file = folder / PLOT
    figure.savefig(file, dpi=120)
    return [file]


def _model(comparison: Comparison, report: RetrievalReport, words: Any, latency: Any, colour: str) -> None:  # noqa: ANN401
    recall = report["mean_recall"]
    low, high = report["intervals"]["mean_recall"]["mean_recall"]
    bar = {
        "yerr": [[max(0.0, recall - low)], [max(0.0, high - recall)]],
        "fmt": "o",
        "color": colour,
        "capsize": 3,
    }
    if "active_dims" in report:
        words.errorbar([report["active_dims"]["image"]], [recall], **bar)
    latency.errorbar([_milliseconds(report)], [recall], label=report["model"], **bar)
    curve = comparison.pruning.get(report["model"], [])
    if curve:
        heights = [point["mean_recall"] for point in curve]
        words.plot([point["active_dims"]["image"] for point in curve], heights, ".-", color=colour)
        times = [1000 / point["search"]["text_to_image"]["per_second"] for point in curve]
        latency.plot(times, heights, ".-", color=colour)


def _milliseconds(report: RetrievalReport) -> float:
    return 1000 / report["search"]["text_to_image"]["per_second"]
