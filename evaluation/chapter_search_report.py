"""The report on search over chapters for people."""

from __future__ import annotations

from rich.table import Table

from lexiscope.evaluation.chapter_search import ChapterSearchReport

__all__ = ["search_table"]

_FLOORS = {"bm25": "BM25, texts", "bm25_all_words": "BM25, all words"}


def search_table(report: ChapterSearchReport) -> Table:
    """Lay out the report: a row for us, and one for each floor with what we gain over it."""
    result = Table(
        title=f"{report['dataset']} · {report['queries']:,} questions, {report['chapters']:,} chapters",
        caption=f"titles: {report['titles']} · gains: 95 % intervals, paired over questions",
        title_style="bold",
    )
    result.add_column()
    for heading in ("nDCG@10", "R@10", "our gain in nDCG@10", "in R@10"):
        result.add_column(heading, justify="right")
    result.add_row("lexiscope", f"{report['nDCG@10']:.3f}", f"{report['R@10']:.3f}", "", "")
    floors = {"bm25": report["bm25"], "bm25_all_words": report["bm25_all_words"]}
    for name, shown in _FLOORS.items():
        gains = report["gains"][name]
        spans = [f"{low:+.3f} … {high:+.3f}" for low, high in (gains["nDCG@10"], gains["R@10"])]
        figures = floors[name]
        result.add_row(shown, f"{figures['nDCG@10']:.3f}", f"{figures['R@10']:.3f}", *spans)
    return result
