"""The `lexiscope` command: which commands there are, and what becomes of errors.

Exit codes: 0 done; 1 the input was at fault (one line, no traceback); 2 wrong usage; 130 interrupted
(Ctrl-C); 141 whoever read the output has gone. Heavy libraries load inside the commands.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from lexiscope import __version__
from lexiscope.cli_chapters import chapters
from lexiscope.cli_check import check
from lexiscope.cli_demo import demo
from lexiscope.cli_evaluate import retrieval
from lexiscope.cli_evaluate_chapters import chapters as evaluate_chapters
from lexiscope.cli_evaluate_search import chapter_search
from lexiscope.cli_evaluate_search import search as evaluate_search
from lexiscope.cli_evaluate_words import patches, words
from lexiscope.cli_export import export
from lexiscope.cli_import import import_command
from lexiscope.cli_index import index
from lexiscope.cli_quickstart import quickstart
from lexiscope.cli_search import search
from lexiscope.cli_train import train
from lexiscope.errors import LexiscopeError, printable

__all__ = ["app", "main"]

INTERRUPTED = 130  # 128 + SIGINT
PIPE_CLOSED = 141  # 128 + SIGPIPE


class _Commands(TyperGroup):
    """Turns what a person can cause into one line and an exit code; all else is a bug, with a traceback."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401  (typer bundles its own click)
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except LexiscopeError as error:
            _fail(str(error))
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            _fail("interrupted; what was written so far is whole, and the same command goes on from there")
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            _drop_output()
            raise typer.Exit(PIPE_CLOSED) from None
        except OSError as error:
            if error.errno not in _EXPLAINED:
                raise
            _drop_output()
            where = f"{printable(error.filename)}: " if error.filename else ""
            _fail(f"{where}{_EXPLAINED[error.errno]}")
            raise typer.Exit(1) from None


# What the system may refuse wherever a file is written, in words that say what to do.
_EXPLAINED = {
    errno.ENOSPC: "the disk is full; make room and run the same command again",
    errno.EDQUOT: "the disk quota is used up; make room and run the same command again",
    errno.EROFS: "the file system is read-only; choose another place",
    errno.EACCES: "no permission; change the rights or choose another place",
    errno.EEXIST: "there is a file where a folder should be; choose another place",
    errno.ENOTDIR: "there is a file where a folder should be; choose another place",
    errno.EIO: "the disk reports an error; choose another place",
}


def _fail(message: str) -> None:
    """One line on standard error, with nothing that could fail again."""
    try:
        sys.stderr.write(f"lexiscope: {' '.join(message.splitlines())}\n")
    except OSError:
        pass  # nobody is listening


def _drop_output() -> None:
    """Make Python's last flush of standard output harmless."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"lexiscope {__version__}")
        raise typer.Exit


app = typer.Typer(
    cls=_Commands,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
evaluate = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown")
evaluate.command()(retrieval)
evaluate.command()(words)
evaluate.command("chapters")(evaluate_chapters)
evaluate.command("chapter-search")(chapter_search)
evaluate.command("search")(evaluate_search)
evaluate.command()(patches)
app.command()(quickstart)
app.command()(index)
app.command()(search)
app.command()(demo)
app.command()(chapters)
app.command()(check)
app.command()(export)
app.command("import")(import_command)
app.add_typer(evaluate, name="evaluate", help="Measure a model on a data set.")
app.command()(train)


@app.callback()
def lexiscope(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Say which version."
    ),
) -> None:
    """Find pictures and podcast moments in words, in pictures, or both — and see which words matched."""


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # file names may hold what the terminal's encoding does not
            stream.reconfigure(errors="backslashreplace")
    app(prog_name="lexiscope")
