"""Read a transcript, whatever its format.

The content decides before the suffix: a SubRip file called `.txt` is read as SubRip. Formats: WebVTT, SubRip,
the JSON of Podcasting 2.0, Whisper and whisperX, plain text and Markdown. Nothing is cut off, however long.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path, PurePath

from lexiscope.errors import UnreadableSource, printable
from lexiscope.text.captions import is_srt, is_vtt, read_srt, read_vtt
from lexiscope.text.decoding import read_text
from lexiscope.text.plain import read_plain
from lexiscope.text.speech_json import NoTranscript, read_json
from lexiscope.text.transcript import Transcript, Unit, mend_times

__all__ = ["TRANSCRIPT_SUFFIXES", "NoTranscript", "Transcript", "Unit", "parse_transcript", "read_transcript"]

TRANSCRIPT_SUFFIXES = frozenset({".vtt", ".srt", ".json", ".txt", ".md", ".markdown"})
"""File name endings of transcripts, lower case."""

# What tools put between the name of an episode and the suffix: "episode.whisper.json", "episode.en.vtt".
_INNER_SUFFIX = re.compile(
    r"\.(?:whisperx?|transcript|captions?|subtitles?|diarized|[a-z]{2}(?:-[A-Za-z]{2,4})?)$"
)


def read_transcript(path: str | Path) -> Transcript:
    """Read a transcript file.

    Times that are out of order are kept as they are, in the order of the file; ends before their starts are
    dropped; no time is made up (see `mend_times`). A WebVTT or SubRip file that breaks off is read as far as
    it goes, with a warning in the log; JSON that breaks off is an error.

    Args:
        path: of the file; its name becomes the title where the file says none.

    Returns:
        The transcript, with one unit or more.

    Raises:
        UnreadableSource: it is missing, empty, no text, broken, or holds no words; one line says which.
        NoTranscript: JSON that is something else, such as chapters.
    """
    transcript = parse_transcript(read_text(path), printable(path), suffix=PurePath(path).suffix)
    if transcript.title:
        return transcript
    return replace(transcript, title=_title_from(path))


def parse_transcript(text: str, name: str = "the transcript", *, suffix: str = "") -> Transcript:
    r"""Read a transcript that is already in memory.

    Args:
        text: its content, lines ended by `\n`.
        name: what to call it in messages.
        suffix: of its file, such as ".vtt", for contents that do not tell.

    Raises:
        UnreadableSource: as `read_transcript` says.
    """
    suffix = suffix.lower()
    if not text.strip():
        raise UnreadableSource(f"{name}: the file has no words in it; copy it again from where it came")
    if is_vtt(text) or (suffix == ".vtt" and not is_srt(text)):
        units, about = read_vtt(text, name)
    elif is_srt(text) or suffix == ".srt":
        units, about = read_srt(text, name)
    elif suffix == ".json" or re.match(r"\s*(?:\{\s*\"|\[\s*\{\s*\")", text):
        units, about = read_json(text, name)
    else:
        units, about = read_plain(text)
    whole = mend_times(units, name)
    if not whole:
        raise UnreadableSource(f"{name}: no spoken words could be read in it; export the transcript again")
    rest = {key: about.get(key, "") for key in ("description", "url", "audio")}
    return Transcript(about.get("title", ""), whole, **rest)


def _title_from(path: str | Path) -> str:
    """Make a title of a file name: "silent-payments.whisper.json" is "silent payments"."""
    stem = _INNER_SUFFIX.sub("", PurePath(printable(PurePath(path).name)).stem)
    return stem if " " in stem else re.sub(r"[-_]+", " ", stem).strip() or stem
