"""The report on chapters for people."""

from __future__ import annotations

from rich.table import Table

from lexiscope.evaluation.chapters import MEASURES, ChapterReport, Figures

__all__ = ["chapters_table"]

_ROWS = {"no_cuts": "no cuts", "even": "even cuts", "bayesseg": "BayesSeg"}
_LOWER = {"Pk", "WindowDiff"}


def chapters_table(report: ChapterReport) -> Table:
    """Lay out a report for `rich.console.Console.print`.

    Args:
        report: from `evaluate_chapters`.

    Returns:
        One row the system and one each baseline; the system's 95 % intervals stand below its figures, and
        ✓ marks baselines that it is better than in 95 % of resampled sets of episodes.
    """
    own: Figures = {name: value for name, value in report.items() if name in MEASURES}  # type: ignore[misc]
    shown = [name for name in MEASURES if own[name] is not None]
    title = "" if report["title_rougeL"] is None else f" · titles ROUGE-L {report['title_rougeL']:.3f}"
    result = Table(
        title=f"{report['dataset']} · {report['episodes']:,} episodes with "
        f"{report['true_chapters']:.1f} chapters on average{title}",
        caption=f"{report['seconds'] / report['episodes']:.2f} s an episode · ✓ lexiscope is better (95 %)",
        title_style="bold",
    )
    result.add_column()
    for name in shown:
        result.add_column(f"{name} {'↓' if name in _LOWER else '' if name == 'chapters' else '↑'}".strip())
    result.add_row("lexiscope", *(_own(own[name], report["intervals"].get(name)) for name in shown))
    for name, label in _ROWS.items():
        result.add_row(label, *(_floor(report, name, measure) for measure in shown))
    return result


def _own(value: float | None, interval: tuple[float, float] | None) -> str:
    if interval is None:
        return f"{value:.1f}"
    return f"{value:.3f}\n[{interval[0]:.3f}, {interval[1]:.3f}]"


def _floor(report: ChapterReport, baseline: str, name: str) -> str:
    figures: Figures = report["baselines"][baseline]
    value = figures[name]
    if name == "chapters":
        return f"{value:.1f}"
    better = name in report["gains"][baseline] and report["gains"][baseline][name][0] > 0
    return f"{value:.3f}{' ✓' if better else ''}"
