"""`lexiscope chapters`: the chapters of an episode, as players read them."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lexiscope.errors import UnreadableSource, printable

if TYPE_CHECKING:
    from lexiscope.text.chapters import Chapter, Titler
    from lexiscope.text.transcript import Transcript

__all__ = ["Format", "chapters"]


class Format(StrEnum):
    """How chapters are written."""

    json = "json"
    vtt = "vtt"
    text = "text"
    id3 = "id3"


def chapters(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A transcript, or a feed with one episode.", show_default=False),
    ],
    form: Annotated[
        Format,
        typer.Option(
            "--format",
            help="json: Podcasting 2.0 chapters 1.2.0; text: lines for a description; id3: a tag.",
        ),
    ] = Format.text,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write there instead of on the screen.")
    ] = None,
    audio: Annotated[
        Path | None,
        typer.Option(metavar="MP3", help="With --format id3: the episode; --out gets it with its chapters."),
    ] = None,
    llm: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="A causal language model, by hub id or folder, that writes the titles."
        ),
    ] = None,
) -> None:
    """Give an episode its chapters: its creator's where there are any, else made from the text."""
    if form == Format.id3 and out is None:
        raise typer.BadParameter("an ID3 tag is no text: name a file to write to", param_hint="--out")
    if audio is not None and form != Format.id3:
        raise typer.BadParameter("only --format id3 goes into an MP3", param_hint="--audio")
    from lexiscope.text.chapters import make_chapters

    transcript = _read(file)
    made = make_chapters(transcript, titler=None if llm is None or transcript.marks else _writer(llm))
    _write(transcript, made, form, out, audio)


def _read(file: Path) -> Transcript:
    """Read a transcript, or the only episode of a feed."""
    from lexiscope.text.sniffing import sniff_transcript
    from lexiscope.text.transcripts import FEED_SUFFIXES, read_feed, read_transcript

    path = file.expanduser()
    if not (path.suffix.lower() in FEED_SUFFIXES and path.is_file() and sniff_transcript(path) == "feed"):
        return read_transcript(path)
    episodes = read_feed(path)
    if len(episodes) > 1:
        raise UnreadableSource(
            f"{printable(file)}: the feed has {len(episodes)} episodes with transcripts; name one transcript"
        )
    return episodes[0]


def _writer(name: str) -> Titler:
    from lexiscope.text.language_titles import LanguageModelTitler

    return LanguageModelTitler(name)


def _write(
    transcript: Transcript, made: list[Chapter], form: Format, out: Path | None, audio: Path | None
) -> None:
    """Write chapters to a file or to standard output."""
    from lexiscope.text.chapter_writing import write_chapters

    if out is not None and audio is not None:
        from lexiscope.text.id3 import write_id3

        write_id3(made, out, audio=audio)
        return
    content = write_chapters(made, form.value, title=transcript.title)
    if out is not None:
        out.write_bytes(content.encode() if isinstance(content, str) else content)
    elif isinstance(content, str):
        sys.stdout.write(content if content.endswith("\n") else content + "\n")
