"""What people see in a terminal: answers on standard output; progress and messages on standard error."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from lexiscope.hits import snippet
from lexiscope.vocabulary import Vocabulary

if TYPE_CHECKING:
    from lexiscope.hits import Hit, Utterance
    from lexiscope.indexing import AddReport, Progress
    from lexiscope.sources import Skipped

__all__ = ["clock", "output", "progress_bar", "say", "show_hits", "show_report", "show_skipped", "write_json"]

SKIPPED_SHOWN = 20


class _Output(Console):
    def on_broken_pipe(self) -> None:
        """Let the command line end as it does for other output, instead of in rich's own way."""
        raise BrokenPipeError


def output() -> Console:
    """Standard output. Long lines are never broken: paths can be copied, and lines grepped."""
    return _Output(highlight=False, markup=False, emoji=False, soft_wrap=True)


def say(message: str, style: str = "") -> None:
    """One line on standard error."""
    errors = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)
    errors.print(Text(message, style=style))


def write_json(value: Any) -> None:  # noqa: ANN401
    """One JSON object on standard output, escaped where the output cannot hold every character."""
    unicode_safe = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    sys.stdout.write(json.dumps(value, ensure_ascii=not unicode_safe, allow_nan=False) + "\n")


@contextmanager
def progress_bar(title: str) -> Iterator[Progress | None]:
    """A bar on standard error while that is a terminal; None elsewhere. Gone when the block ends."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def clock(seconds: float) -> str:
    """A moment of an episode: 4:05, 1:04:05."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def show_hits(console: Console, hits: Sequence[Hit], *, explain: bool = False) -> None:
    """Print hits for people: where, when, what was said, and which words matched."""
    for hit in hits:
        console.print(_headline(hit))
        if hit.utterance is not None:
            console.print(_quotation(hit, hit.utterance))
        console.print(_explanation(hit) if explain else _matched(hit))


def _headline(hit: Hit) -> Text:
    line = Text.assemble((f"{hit.rank:>3}. ", "dim"), (f"{hit.score:.3f}  ", "cyan"))
    if hit.kind == "image":
        return line.append(hit.source, style="bold")
    line.append(hit.episode or hit.source, style="bold")
    if hit.title:
        line.append(f" · {hit.title}")
    if hit.generated:
        line.append(" (generated)", style="dim")
    if hit.start is not None:
        end = "" if hit.end is None else f"–{clock(hit.end)}"
        line.append(f"  {clock(hit.start)}{end}", style="green")
    return line.append(f"  {hit.source}", style="dim") if hit.episode else line


def _quotation(hit: Hit, moment: Utterance) -> Text:
    """What was said that answers best, and when."""
    quoted = Text(f"      “{snippet(moment.text, hit.matches)}”", style="italic")
    return quoted if moment.start is None else quoted.append(f"  at {clock(moment.start)}", style="green")


_WORTH_SHOWING = 0.01  # share of the score


def _matched(hit: Hit) -> Text:
    """The words that matched most; pieces of unknown words and shares near nothing are left to --explain."""
    terms = [
        (word, share)
        for word, share in hit.terms
        if share >= _WORTH_SHOWING and not Vocabulary.is_piece(word)
    ] or hit.terms
    line = Text("      matched: ", style="dim")
    return line.append(", ".join(f"{word} {share:.0%}" for word, share in terms), style="not dim")


def _explanation(hit: Hit) -> Text:
    """Every word that matched: its weight on either side, and its share of the score."""
    width = max((len(match.word) for match in hit.matches), default=0)
    rows = [f"      {'word':<{width}}   query   document   share"]
    rows += [
        f"      {match.word:<{width}}  {match.query:6.3f}   {match.document:8.3f}  {match.share:6.1%}"
        for match in hit.matches
    ]
    return Text("\n".join(rows), style="dim")


def show_report(report: AddReport) -> None:
    """Say what became of the sources, and what was skipped."""
    counts = {
        "added": report.added,
        "updated": report.updated,
        "unchanged": report.unchanged,
        "removed (gone from their folder)": report.removed,
    }
    files = ", ".join(f"{count} {what}" for what, count in counts.items() if count) or "nothing to index"
    output().print(
        f"{files} in {report.seconds:.1f} s; the index holds "
        f"{_count(report.pictures, 'picture')} and {_count(report.chapters, 'chapter')}"
    )
    show_skipped(report.skipped)


def show_skipped(skipped: Sequence[Skipped]) -> None:
    """List what could not be read, and count what is no source, by its reason."""
    errors = [entry for entry in skipped if entry.error]
    if errors:
        say(f"{_count(len(errors), 'source')} could not be read:", "yellow")
    for entry in errors[:SKIPPED_SHOWN]:
        say(f"  {entry.path}: {entry.reason}")
    if len(errors) > SKIPPED_SHOWN:
        say(f"  … and {len(errors) - SKIPPED_SHOWN} more (--json lists them all)")
    for reason, count in Counter(entry.reason for entry in skipped if not entry.error).most_common():
        say(f"passed over {_count(count, 'file')}: {reason}", "dim")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
