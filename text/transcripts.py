"""Read transcripts and podcast feeds, whatever their format.

The content decides before the suffix: a SubRip file called `.txt` is read as SubRip. Formats: WebVTT, SubRip,
the JSON of Podcasting 2.0, Whisper and whisperX, HTML, plain text and Markdown, and RSS or Atom feeds of
episodes whose transcripts lie beside them. The creator's chapters come along. Nothing is cut off, however
long.
"""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from pathlib import Path, PurePath

from lexiscope.errors import UnreadableSource, printable
from lexiscope.text.captions import is_srt, is_vtt, read_srt, read_vtt
from lexiscope.text.decoding import read_text
from lexiscope.text.feed import Episode, is_feed, parse_feed
from lexiscope.text.html_transcript import is_html, read_html
from lexiscope.text.local import local_file
from lexiscope.text.marks import creators_marks, marks_in_description, stems
from lexiscope.text.markup import plain_text
from lexiscope.text.plain import read_plain
from lexiscope.text.speech_json import NoTranscript, read_json
from lexiscope.text.transcript import Mark, Transcript, Unit, mend_times, one_line

__all__ = [
    "FEED_SUFFIXES",
    "TRANSCRIPT_SUFFIXES",
    "Mark",
    "NoTranscript",
    "Transcript",
    "Unit",
    "feed_files",
    "parse_transcript",
    "read_feed",
    "read_transcript",
]

log = logging.getLogger(__name__)

TRANSCRIPT_SUFFIXES = frozenset({".vtt", ".srt", ".json", ".txt", ".md", ".markdown", ".html", ".htm"})
"""File name endings of transcripts, lower case."""
FEED_SUFFIXES = frozenset({".xml", ".rss", ".atom"})
"""File name endings of feeds, lower case."""

_NAMED = 5  # episodes left out that a message names


def read_transcript(path: str | Path) -> Transcript:
    """Read a transcript file, with the chapters that its creator published beside it or in it.

    Times that are out of order are kept as they are, in the order of the file; ends before their starts are
    dropped; no time is made up (see `mend_times`). A WebVTT or SubRip file that breaks off is read as far as
    it goes, with a warning in the log; JSON that breaks off is an error.

    Args:
        path: of the file; its name becomes the title where the file says none.

    Returns:
        The transcript, with one unit or more. Its marks come from `NAME.chapters.json` or `.chapters.vtt`
        beside it, else from the CHAP frames of its MP3, else from the lines of its description.

    Raises:
        UnreadableSource: it is missing, empty, no text, broken, or holds no words; one line says which.
        NoTranscript: JSON that is something else, such as chapters; a feed.
    """
    transcript = _read_units(path)
    return replace(transcript, marks=creators_marks(path, transcript))


def read_feed(path: str | Path) -> list[Transcript]:
    """Read the episodes of an RSS or Atom file whose transcripts lie in its folder.

    `podcast:transcript` and `podcast:chapters` are followed to files in the feed's folder or below it: by a
    relative path, a `file://` URL, or the last part of a URL. Nothing is fetched, and nothing outside the
    folder is read. Of several transcripts the richest is taken: JSON, WebVTT, SubRip, HTML, text.

    Args:
        path: of the feed.

    Returns:
        The episodes that have a transcript, in the order of the feed, with its titles, descriptions and
        links. The log names those that have none. Their marks come from `podcast:chapters`, else
        `psc:chapters`, else the MP3, else the description.

    Raises:
        UnreadableSource: the feed is missing, broken, no feed, declares entities, or none of its episodes
            has a transcript that can be read.
    """
    name, folder = printable(path), Path(path).parent
    episodes = parse_feed(path)
    found: list[Transcript] = []
    missing: list[str] = []
    for episode in episodes:
        read = _read_episode(episode, folder)
        if isinstance(read, Transcript):
            found.append(read)
        else:
            missing.append(f"{episode.title or 'an episode without a title'} ({read})")
    if not missing and not found:
        raise UnreadableSource(f"{name}: the feed has no episodes; download it again")
    named = "; ".join(missing[:_NAMED]) + (f"; and {len(missing) - _NAMED} more" if missing[_NAMED:] else "")
    if not found:
        raise UnreadableSource(
            f"{name}: no episode has a transcript that can be read: {named}; put the transcripts beside it"
        )
    if missing:
        log.warning("%s: %d of %d episodes are left out: %s", name, len(missing), len(episodes), named)
    return found


def feed_files(path: str | Path) -> frozenset[Path]:
    """List the files that a feed's episodes are read from, so that nobody reads them twice.

    Returns:
        The resolved paths of all transcripts and chapters that the feed links to and that are there.

    Raises:
        UnreadableSource: the feed is missing, broken, no feed, or declares entities.
    """
    folder = Path(path).parent
    links = (link for episode in parse_feed(path) for link in (*episode.transcripts, *episode.chapter_links))
    return frozenset(file for link in links if (file := local_file(link, folder)) is not None)


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
    if is_feed(text):
        raise NoTranscript(f"{name}: a feed, not a transcript; read it with read_feed")
    if not text.strip():
        raise UnreadableSource(f"{name}: the file has no words in it; copy it again from where it came")
    if is_vtt(text) or (suffix == ".vtt" and not is_srt(text)):
        units, about = read_vtt(text, name)
    elif is_srt(text) or suffix == ".srt":
        units, about = read_srt(text, name)
    elif suffix == ".json" or re.match(r"\s*(?:\{\s*\"|\[\s*\{\s*\")", text):
        units, about = read_json(text, name)
    elif is_html(text) or suffix in (".html", ".htm"):
        units, about = read_html(text)
    else:
        units, about = read_plain(text)
    whole = mend_times(units, name)
    if not whole:
        raise UnreadableSource(f"{name}: no spoken words could be read in it; export the transcript again")
    title, url, audio = (one_line(about.get(key, "")) for key in ("title", "url", "audio"))
    transcript = Transcript(title, whole, plain_text(about.get("description", "")), url, audio)
    return replace(transcript, marks=marks_in_description(transcript))


def _read_units(path: str | Path) -> Transcript:
    """Read a transcript file, named after itself where nothing else names it."""
    transcript = parse_transcript(read_text(path), printable(path), suffix=PurePath(path).suffix)
    if transcript.title:
        return transcript
    return replace(transcript, title=_title_from(path))


def _read_episode(episode: Episode, folder: Path) -> Transcript | str:
    """Read an episode from the first of its transcripts that can be read, or say why there is none."""
    problem = "the feed names no transcript of it"
    for link in episode.transcripts:
        path = local_file(link, folder)
        if path is None:
            problem = f"{one_line(link)} is not in the feed's folder"
            continue
        try:
            return _with_episode(_read_units(path), path, episode, folder)
        except UnreadableSource as error:
            problem = str(error)
    return problem


def _with_episode(transcript: Transcript, path: Path, episode: Episode, folder: Path) -> Transcript:
    """Add what the feed says to what the transcript says."""
    transcript = replace(
        transcript,
        title=episode.title or transcript.title,
        description=episode.description or transcript.description,
        url=episode.url or transcript.url,
        audio=episode.audio or transcript.audio,
        published=episode.published,
    )
    linked = {link: local_file(link, folder) for link in episode.chapter_links}
    audio = local_file(episode.audio, folder)
    marks = creators_marks(
        path,
        transcript,
        chapter_files=[file for file in linked.values() if file is not None],
        inline=episode.marks,
        audio_files=[audio] if audio else [],
    )
    for link, file in linked.items():
        if file is None and not marks:
            log.warning("%s: its chapters %s are not in the feed's folder", transcript.title, one_line(link))
    return replace(transcript, marks=marks)


def _title_from(path: str | Path) -> str:
    """Make a title of a file name: "silent-payments.whisper.json" is "silent payments"."""
    stem = stems(printable(PurePath(path).name))[-1]
    return stem if " " in stem else re.sub(r"[-_]+", " ", stem).strip() or stem
