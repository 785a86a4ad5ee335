"""The report for people."""

from __future__ import annotations

from rich.table import Table

from lexiscope.evaluation.bootstrap import Difference
from lexiscope.evaluation.comparison import Comparison
from lexiscope.evaluation.measures import RATES
from lexiscope.evaluation.retrieval import RetrievalReport

__all__ = ["comparison_table", "gains_table", "table"]

_DIRECTIONS = {"text_to_image": "text → image", "image_to_text": "image → text"}
_GAINS = ("R@1", "R@10", "nDCG@10")


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
    for heading in (*RATES, "nDCG@10", "median\nrank", "queries/s"):
        result.add_column(heading, justify="right", no_wrap=True)
    rates = {"text_to_image": report["text_to_image"], "image_to_text": report["image_to_text"]}
    for name, shown in _DIRECTIONS.items():
        spans = report["intervals"][name]
        result.add_row(
            shown,
            *(f"{rates[name][rate]:.1f}\n{_span(spans[rate])}" for rate in RATES),
            f"{report['ndcg_at_10'][name]:.1f}\n{_span(spans['nDCG@10'])}",
            f"{report['median_rank'][name]:,.0f}",
            f"{report['search'][name]['per_second']:,.0f}",
        )
    return result


def _span(interval: list[float]) -> str:
    return f"{interval[0]:.1f}–{interval[1]:.1f}"


def _caption(report: RetrievalReport) -> str:
    low, high = report["intervals"]["mean_recall"]["mean_recall"]
    parts = [
        f"percent, 95 % intervals below · mean recall {report['mean_recall']:.1f} % ({low:.1f}–{high:.1f})",
        _size(report),
    ]
    if "encode" in report:
        encode = report["encode"]
        parts.append(
            f"encoded {encode['image']['per_second']:,.0f} pictures/s, "
            f"{encode['query']['per_second']:,.0f} captions/s"
        )
    return " · ".join(part for part in parts if part)


def _size(report: RetrievalReport) -> str:
    """How large vectors are, in words; nothing for what has none."""
    if "dimensions" not in report:
        return ""
    if "vocabulary" not in report:
        return f"{report['dimensions']} dimensions"
    words = report["active_dims"]
    return f"{words['image']:.1f} words a picture, {words['text']:.1f} a caption"


def comparison_table(comparison: Comparison) -> Table:
    """Lay out several models: two rows a model, 95 % intervals below the figures."""
    first = comparison.measured[0].report
    parts = f", mean of {first['folds']} folds" if first["folds"] > 1 else ""
    result = Table(
        title=f"{first['dataset']} · {first['images']:,} pictures, {first['captions']:,} captions{parts}",
        caption="percent; below: 95 % intervals, bootstrap over queries · words: a picture, a caption",
        title_style="bold",
        show_lines=True,
    )
    result.add_column("model", overflow="fold", min_width=12)
    result.add_column("", no_wrap=True)
    for heading in (*RATES, "nDCG@10", "mean\nrecall", "words", "queries/s", "MB"):
        result.add_column(heading, justify="right", no_wrap=True)
    for one in comparison.measured:
        for name in _DIRECTIONS:
            result.add_row(*_row(one.report, name))
    for missing in comparison.not_measured:
        result.add_row(missing["model"], *["—"] * 9)
    return result


def _row(report: RetrievalReport, direction: str) -> list[str]:
    """One direction's cells; what belongs to both directions stands in the first row."""
    first = direction == "text_to_image"
    rates, spans = report["text_to_image" if first else "image_to_text"], report["intervals"]
    cells = [report["model"] if first else "", "t → i" if first else "i → t"]
    cells += [f"{rates[rate]:.1f}\n{_span(spans[direction][rate])}" for rate in RATES]
    cells.append(f"{report['ndcg_at_10'][direction]:.1f}\n{_span(spans[direction]['nDCG@10'])}")
    both = f"{report['mean_recall']:.1f}\n{_span(spans['mean_recall']['mean_recall'])}"
    words = f"{report['active_dims']['image' if first else 'text']:.0f}" if "active_dims" in report else "—"
    return [
        *cells,
        both if first else "",
        words if "vocabulary" in report or "active_dims" not in report else f"{words}\ndense",
        f"{report['search'][direction]['per_second']:,.0f}",
        f"{report['index_bytes'][direction] / 1e6:,.1f}",
    ]


def gains_table(comparison: Comparison) -> Table | None:
    """Lay out what every other model gains over the first; None where there is one model only."""
    gains = comparison.gains
    if not gains:
        return None
    result = Table(
        title=f"gain over {gains[0]['over']}, in points",
        caption="95 % intervals, paired bootstrap over queries; same: the interval holds 0",
        title_style="bold",
        show_lines=True,
    )
    result.add_column("model", overflow="fold")
    result.add_column("", no_wrap=True)
    for name in _GAINS:
        result.add_column(name, justify="right", no_wrap=True)
    for gain in gains:
        result.add_row(gain["model"], "t → i", *(_gain(gain["text_to_image"][name]) for name in _GAINS))
        result.add_row("", "i → t", *(_gain(gain["image_to_text"][name]) for name in _GAINS))
    return result


def _gain(difference: Difference) -> str:
    low, high = difference["interval"]
    return f"{difference['difference']:+.1f} {difference['verdict']}\n{low:+.1f} … {high:+.1f}"
