"""Find the chapters that the creator of an episode published, wherever they are.

From the most deliberate to the least: a file of chapters, chapters in the feed (`psc:chapters`), chapters in
the MP3, times in the description. The first that there are is taken whole; sources are never mixed.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path, PurePath

from lexiscope.errors import LexiscopeError
from lexiscope.text.chapter_files import read_chapter_file, tidy
from lexiscope.text.chapter_lines import read_lines
from lexiscope.text.id3 import read_id3
from lexiscope.text.local import local_file
from lexiscope.text.transcript import Mark, Transcript

__all__ = ["beside", "creators_marks", "marks_in_description", "stems"]

log = logging.getLogger(__name__)

# What tools put between the name of an episode and the suffix: "episode.whisper.json", "episode.en.vtt",
# "episode.mp3.vtt".
_INNER_SUFFIX = re.compile(
    r"\.(?:whisperx?|transcript|captions?|subtitles?|diarized|[a-z]{2}(?:-[A-Za-z]{2,4})?"
    r"|mp3|m4a|aac|ogg|opus|wav|flac)$"
)
_CHAPTER_SUFFIXES = (".chapters.json", ".chapters.vtt")
_AUDIO_SUFFIXES = (".mp3", ".MP3", ".id3")


def stems(name: str) -> list[str]:
    """Names of the episode that a file belongs to, the longest first.

    >>> stems("episode.en.vtt")
    ['episode.en', 'episode']
    """
    stem = PurePath(name).stem
    return list(dict.fromkeys((stem, _INNER_SUFFIX.sub("", stem))))


def beside(path: Path, suffixes: Sequence[str]) -> list[Path]:
    """Find files beside a transcript that belong to the same episode."""
    names = (stem + suffix for stem in stems(path.name) for suffix in suffixes)
    return [found for name in names if (found := path.with_name(name)) != path and found.is_file()]


def creators_marks(
    path: str | Path,
    transcript: Transcript,
    *,
    chapter_files: Sequence[Path] = (),
    inline: Sequence[Mark] = (),
    audio_files: Sequence[Path] = (),
) -> tuple[Mark, ...]:
    """Find the creator's chapters of a transcript.

    A file of chapters that cannot be read is named in the log, and the next source is tried.

    Args:
        path: of the transcript; `episode.chapters.json`, `episode.chapters.vtt` and `episode.mp3` beside it
            are its own.
        transcript: with the description, and the audio file, by name, if it is beside the transcript.
        chapter_files: of the episode, by name, before those beside the transcript.
        inline: chapters in the feed.
        audio_files: of the episode, by name, before those beside the transcript.

    Returns:
        The chapters by start; empty if none were published.
    """
    path = Path(os.fspath(path))
    for file in (*chapter_files, *beside(path, _CHAPTER_SUFFIXES)):
        if marks := _read(read_chapter_file, file):
            return tuple(marks)
    if inline:
        return tuple(inline)
    named = local_file(transcript.audio, path.parent) if transcript.audio else None
    for file in (*audio_files, *([named] if named else []), *beside(path, _AUDIO_SUFFIXES)):
        if marks := _read(read_id3, file):
            return tuple(marks)
    return marks_in_description(transcript)


def chapter_files(path: Path) -> list[Path]:
    """Find the files of chapters that lie beside a transcript, the one that counts first."""
    return beside(path, _CHAPTER_SUFFIXES)


def marks_in_description(transcript: Transcript) -> tuple[Mark, ...]:
    """Find the chapters that the description of an episode lists."""
    return tuple(tidy(read_lines(transcript.description, until=_ending(transcript)), transcript.title))


def _read(reader: Callable[[Path], list[Mark]], file: Path) -> list[Mark]:
    try:
        return reader(file)
    except LexiscopeError as error:
        log.warning("%s; going on without its chapters", error)
        return []


def _ending(transcript: Transcript) -> float | None:
    """The latest time that is said, and a minute for what is not; None without times."""
    times = [time for unit in transcript.units for time in (unit.start, unit.end) if time is not None]
    return max(times) + 60.0 if times else None
