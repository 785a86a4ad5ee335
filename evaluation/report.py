"""The report for people."""

from __future__ import annotations

from rich.table import Table

from lexiscope.evaluation.measures import CUTOFFS
from lexiscope.evaluation.retrieval import RetrievalReport

_DIRECTIONS = {"text_to_image": "text → image", "image_to_text": "image → text"}


def table(report: RetrievalReport) -> Table:
    """Lay out a retrieval report for `rich.console.Console.print`.

    Args:
        report: from `evaluate_retrieval`.

    Returns:
        One row a direction; what belongs to both stands below.
    """
    model = f" · {report['model']}" if report["model"] else ""
    result = Table(
        title=f"{report['dataset']} · {report['images']:,} pictures, {report['captions']:,} captions{model}",
        caption=_caption(report),
        title_style="bold",
    )
    result.add_column()
    for heading in (*(f"R@{cutoff}" for cutoff in CUTOFFS), "median rank", "queries/s"):
        result.add_column(heading, justify="right")
    rates = {"text_to_image": report["text_to_image"], "image_to_text": report["image_to_text"]}
    for name, shown in _DIRECTIONS.items():
        result.add_row(
            shown,
            *(f"{rates[name][f'R@{cutoff}']:.1f} %" for cutoff in CUTOFFS),
            f"{report['median_rank'][name]:,.0f}",
            f"{report['search'][name]['per_second']:,.0f}",
        )
    return result


def _caption(report: RetrievalReport) -> str:
    encode = report["encode"]
    return (
        f"mean recall {report['mean_recall']:.1f} % · {_size(report)} · encoded "
        f"{encode['image']['per_second']:,.0f} pictures/s, {encode['query']['per_second']:,.0f} captions/s"
    )


def _size(report: RetrievalReport) -> str:
    if "vocabulary" not in report:
        return f"{report['dimensions']} dimensions"
    words = report["active_dims"]
    return f"{words['image']:.1f} words a picture, {words['text']:.1f} a caption"
