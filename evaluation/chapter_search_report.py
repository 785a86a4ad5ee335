"""The reports on search over chapters and texts for people."""

from __future__ import annotations

from rich.table import Table

from lexiscope.evaluation.chapter_search import ChapterSearchReport
from lexiscope.evaluation.text_search import TextSearchReport

__all__ = ["search_table", "text_search_table"]

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


def text_search_table(report: TextSearchReport) -> Table:
    """Lay out the report: a row a system, with 95 % intervals below, and what it gains over BM25."""
    title = f"{report['dataset']}/{report['split']} · {report['queries']:,} queries, "
    result = Table(
        title=f"{title}{report['documents']:,} documents",
        caption=f"model {report['model']} · 95 % intervals, bootstrap over queries",
        title_style="bold",
        show_lines=True,
    )
    result.add_column("system", overflow="fold")
    for heading in (*report["bm25"], "nDCG@10\nover BM25"):
        result.add_column(heading, justify="right", no_wrap=True)
    for system in report["systems"]:
        cells = []
        for name, value in system["measures"].items():
            low, high = system["intervals"][name]
            cells.append(f"{value:.3f}\n{low:.3f}–{high:.3f}")
        gain = ""
        if system["over"]:
            over = system["over"]["nDCG@10"]
            low, high = over["interval"]
            gain = f"{over['difference']:+.3f} {over['verdict']}\n{low:+.3f} … {high:+.3f}"
        result.add_row(system["system"], *cells, gain)
    return result
