"""A folder of what was measured: report.json for programs, tables for spreadsheets and papers, and plots."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

from lexiscope.evaluation import runs
from lexiscope.evaluation.comparison import Comparison
from lexiscope.evaluation.measures import RATES
from lexiscope.evaluation.plots import draw
from lexiscope.evaluation.retrieval import RetrievalReport

__all__ = ["write_report"]

_DIRECTIONS = {"text_to_image": "t2i", "image_to_text": "i2t"}


def write_report(comparison: Comparison, folder: Path) -> list[Path]:
    """Write report.json, table.csv, table.md and, with matplotlib, plots.

    Args:
        comparison: what was measured.
        folder: made where there is none; files of the same names are replaced.

    Returns:
        The files written; no picture among them means that matplotlib is not installed, or nothing to draw.

    Raises:
        LexiscopeError: a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    report = comparison.as_json()
    rows = [_flat(one.report) for one in comparison.measured]
    texts = {
        "report.json": json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False) + "\n",
        "table.csv": _csv(rows),
        "table.md": _markdown(comparison),
    }
    files = []
    for name, text in texts.items():
        with runs.written(folder / name) as output:
            output.write(text)
        files.append(folder / name)
    return [*files, *draw(comparison, folder)]


def _flat(report: RetrievalReport) -> dict[str, Any]:
    """One line of a spreadsheet: every figure and both ends of its interval."""
    row: dict[str, Any] = {"dataset": report["dataset"], "model": report["model"], "folds": report["folds"]}
    for name, short in _DIRECTIONS.items():
        values = dict(report["text_to_image"] if name == "text_to_image" else report["image_to_text"])
        values["nDCG@10"] = report["ndcg_at_10"][name]
        for measure, value in values.items():
            low, high = report["intervals"][name][measure]
            row |= {
                f"{short} {measure}": round(value, 3),
                f"{short} {measure} low": round(low, 3),
                f"{short} {measure} high": round(high, 3),
            }
        row[f"{short} median rank"] = report["median_rank"][name]
        row[f"{short} overlap"] = round(report["overlap"][name], 3) if "overlap" in report else ""
        row[f"{short} queries/s"] = round(report["search"][name]["per_second"], 1)
        row[f"{short} index bytes"] = report["index_bytes"][name]
    row["mean recall"] = round(report["mean_recall"], 3)
    for side in ("image", "text"):
        row[f"active dims {side}"] = round(report["active_dims"][side], 2) if "active_dims" in report else ""
    return row


def _csv(rows: list[dict[str, Any]]) -> str:
    output = io.StringIO()
    writer = csv.DictWriter(output, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return output.getvalue()


def _markdown(comparison: Comparison) -> str:
    first = comparison.measured[0].report
    lines = [
        f"{first['dataset']}: {first['images']:,} pictures, {first['captions']:,} captions; percent, with "
        "95 % intervals (bootstrap over queries)",
        "",
        "| model | text → image R@1 | R@5 | R@10 | image → text R@1 | R@5 | R@10 | mean recall | words |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    lines += [_markdown_row(one.report) for one in comparison.measured]
    lines += [f"| {_cell(one['model'])} |" + " — |" * 8 for one in comparison.not_measured]
    lines += ["", *(f"{one['model']}: {one['reason']}" for one in comparison.not_measured)]
    for gain in comparison.gains:
        for name, by in (("text → image", gain["text_to_image"]), ("image → text", gain["image_to_text"])):
            one = by["nDCG@10"]
            low, high = one["interval"]
            lines.append(
                f"- {gain['model']} over {gain['over']}, {name} nDCG@10: {one['difference']:+.2f} "
                f"({low:+.2f} … {high:+.2f}): {one['verdict']}"
            )
    return "\n".join(lines).rstrip() + "\n"


def _markdown_row(report: RetrievalReport) -> str:
    cells = [_cell(report["model"])]
    for name in _DIRECTIONS:
        rates = report["text_to_image"] if name == "text_to_image" else report["image_to_text"]
        for rate in RATES:
            low, high = report["intervals"][name][rate]
            cells.append(f"{rates[rate]:.1f} ({low:.1f}–{high:.1f})")
    low, high = report["intervals"]["mean_recall"]["mean_recall"]
    cells.append(f"{report['mean_recall']:.1f} ({low:.1f}–{high:.1f})")
    dims = report.get("active_dims")
    cells.append(f"{dims['image']:.0f}, {dims['text']:.0f}" if dims else "—")
    return "| " + " | ".join(cells) + " |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
