"""The reports on words and patches for people."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lexiscope.evaluation.patches import PatchReport
from lexiscope.evaluation.words import Shortcuts, WordsReport

__all__ = ["patches_table", "words_table"]

_SOURCES = {"model": "the model", "always_commonest": "the commonest five", "random": "drawn by frequency"}
_KINDS = {"image": "picture", "text": "caption"}
_WORDS_SHOWN = 8


def words_table(report: WordsReport) -> RenderableType:
    """Lay out a report on words for `rich.console.Console.print`."""
    table = Table(
        title=_title(report["dataset"], report["images"], report["model"]),
        title_style="bold",
        caption="share of the five heaviest words that a caption of the picture has, in any form",
    )
    table.add_column()
    table.add_column("all words", justify="right")
    table.add_column("no function words", justify="right")
    for name, shown in _SOURCES.items():
        figures = report["precision"][name]
        table.add_row(shown, f"{figures['all']:.1f} %", f"{figures['content']:.1f} %")
    return Group(table, *_lines(report))


def _lines(report: WordsReport) -> Iterator[Text]:
    for name, kind in _KINDS.items():
        active = report["active_words"][name]
        yield Text(
            f"{active['mean']:.1f} words a {kind} (median {active['median']:.0f}, at most {active['max']}); "
            f"{report['distinct_words'][name]:,} distinct"
        )
    yield Text(f"a caption and a picture share {report['overlap']:.2f} words on average")
    for name, kind in _KINDS.items():
        yield _shortcut_line(report["shortcuts"][name], kind)
    yield Text(
        f"people's own words of pictures: {report['shortcuts']['people']['share']:.1f} % on such words"
    )


def _shortcut_line(shortcuts: Shortcuts, kind: str) -> Text:
    line = (
        f"{shortcuts['share']:.1f} % of the {kind}s' weight is on {shortcuts['count']} words that fire for "
    )
    line += f"more than a tenth of all {kind}s ({shortcuts['unsaid']:.1f} % on those rarely said)"
    entries = [
        f"{entry['word']} {entry['weight']:.1f} % (fires {entry['fires']:.0f} %, said {entry['said']:.0f} %)"
        for entry in shortcuts["heaviest"][:_WORDS_SHOWN]
    ]
    return Text(f"{line}: {', '.join(entries)}" if entries else line)


def patches_table(report: PatchReport) -> RenderableType:
    """Lay out a report on patches for `rich.console.Console.print`."""
    rows, columns = report["grid"]
    table = Table(
        title=f"{_title(report['dataset'], report['images'], report['model'])} · {rows} × {columns} patches",
        title_style="bold",
        caption=(
            f"percent over {len(report['images_by_class'])} classes "
            f"in {report['images_with_classes']:,} pictures "
            "· strict: background counts against the class · given: among the classes in the picture"
        ),
    )
    table.add_column()
    for heading in ("mIoU", "strict", "given", "strict, given", "AUC"):
        table.add_column(heading, justify="right")
    for name, figures in report["figures"].items():
        values: tuple[float | None, ...] = (
            figures["mIoU"],
            figures["mIoU_strict"],
            figures["mIoU_classes_given"],
            figures["mIoU_strict_classes_given"],
            figures["AUC"],
        )
        table.add_row(name.replace("_", " "), *map(_number, values))
    return Group(table, _by_class(report))


def _by_class(report: PatchReport) -> Table:
    """IoU and AUC of each class, for the first way of giving classes."""
    name, figures = next(iter(report["figures"].items()))
    table = Table(title=f"by class, {name.replace('_', ' ')}")
    for heading in ("class", "pictures", "IoU", "AUC"):
        table.add_column(heading, justify="left" if heading == "class" else "right")
    for label, pictures in report["images_by_class"].items():
        area = figures["AUC_by_class"].get(label)
        table.add_row(
            f"{label} (no word)" if label in report["unsayable"] else label,
            f"{pictures:,}",
            f"{figures['IoU_by_class'][label]:.1f}",
            _number(area),
        )
    return table


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _title(dataset: str, images: int, model: str) -> str:
    return f"{dataset} · {images:,} pictures{f' · {model}' if model else ''}"
