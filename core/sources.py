"""Find what can be indexed — pictures, transcripts, Parquet data sets — and read it piece by piece.

What a folder of real photographs holds is sorted into three heaps:

* **sources**: pictures, transcripts, podcast feeds and Parquet data sets, told by their suffix and then by
  their content;
* **passed over in silence**: hidden files, the litter of operating systems (`Thumbs.db`, `desktop.ini`,
  `@eaDir`, …), podcast chapters beside a transcript, and index folders of this program;
* **listed as skipped**, with a reason: everything else. Where nothing is wrong (a film, a shopping list) the
  entry says `error=False`; where something is (a path that does not exist, a folder without rights, a
  dangling link) it says `error=True`.

A plain text found in a folder counts as a transcript if it has speaker turns or times; any text named
outright is read. Links are followed, each folder and file is visited once, and names come sorted.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lexiscope.episodes import EPISODES, ChapterWords, chapters_of
from lexiscope.errors import UnreadableSource, printable
from lexiscope.stamps import content_hash, size_and_time, why
from lexiscope.text.marks import chapter_files
from lexiscope.text.sniffing import sniff_transcript
from lexiscope.text.transcripts import (
    FEED_SUFFIXES,
    TRANSCRIPT_SUFFIXES,
    feed_files,
    read_feed,
    read_transcript,
)
from lexiscope.vision.parquet import picture_rows
from lexiscope.vision.pictures import PICTURE_SUFFIXES, open_picture

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["Item", "Skipped", "Source", "find_sources", "items", "source_name"]

Kind = Literal["image", "transcript", "feed", "parquet"]

_PARQUET_SUFFIXES = frozenset({".parquet", ".pq"})
_FOREIGN_PHOTOGRAPHS = frozenset(".heic .heif .arw .cr2 .cr3 .dng .nef .orf .raf .rw2".split())
# What operating systems leave behind without hiding it, lower case.
_LITTER = frozenset(
    {"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "@eadir", "__macosx", "$recycle.bin"}
    | {"system volume information"}
)
# How files begin whose names do not say what they are.
_SIGNATURES: tuple[tuple[bytes, Kind], ...] = (
    (b"\xff\xd8\xff", "image"),  # JPEG
    (b"\x89PNG\r\n\x1a\n", "image"),
    (b"GIF8", "image"),
    (b"PAR1", "parquet"),
    (b"WEBVTT", "transcript"),
    (b"\xef\xbb\xbfWEBVTT", "transcript"),
)


@dataclass(frozen=True)
class Skipped:
    """Something that is not indexed, and why."""

    path: str  # printable
    reason: str  # one line, without the path; equal for equal cases, so that they can be counted
    error: bool = True  # False where nothing is wrong: it is simply no source


@dataclass(frozen=True)
class Source:
    """A file that holds one picture, one transcript, the episodes of a feed, or the rows of a data set."""

    path: Path  # absolute, links resolved
    kind: Kind

    @property
    def name(self) -> str:
        """The path as valid Unicode: what documents carry as their `source`."""
        return printable(self.path)

    @cached_property
    def stamp(self) -> str:
        """Size, time of change and content hash (BLAKE2b), `size-mtime_ns-hash`; reads the files whole.

        Raises:
            UnreadableSource: the file cannot be read.
        """
        return f"{size_and_time(self.files)}-{content_hash(self.files)}{self.reading}"

    @cached_property
    def files(self) -> tuple[Path, ...]:
        """The file, and those read along with it: chapters beside a transcript, episodes of a feed."""
        if self.kind == "transcript":
            return (self.path, *chapter_files(self.path))
        return (self.path, *(sorted(feed_files(self.path)) if self.kind == "feed" else ()))

    @property
    def reading(self) -> str:
        """What stamps end with, so that what was indexed in another way is read anew."""
        return EPISODES if self.kind in ("transcript", "feed") else ""

    def is_unchanged(self, stamp: str) -> bool:
        """Tell whether a stamp taken earlier still holds; reads the content only if the time alone differs.

        Raises:
            UnreadableSource: the file cannot be read.
        """
        then, _, content = stamp.rpartition("-")
        if not content.endswith(self.reading):
            return False
        now = size_and_time(self.files)
        if now == then:
            return True
        same_size = now.partition("-")[0] == then.partition("-")[0]
        return same_size and self.stamp.rpartition("-")[2] == content


@dataclass(frozen=True)
class Item:
    """One thing to index: a picture, or a chapter of an episode."""

    key: str  # unique: the source's name, with `#row id` or `#chapter-n` where a source holds many
    kind: Literal["image", "chapter"]
    source: str  # printable absolute path of the file it came from
    stamp: str  # of the source, when it was read
    picture: Callable[..., Image.Image] | None = None  # opens it; takes open_picture's `size_hint`
    chapter: ChapterWords | None = None  # what it is found by
    fields: dict[str, Any] = field(default_factory=dict)  # JSON: what a hit shows


def find_sources(paths: Iterable[str | Path]) -> tuple[list[Source], list[Skipped]]:
    """Find all sources under files and folders, recursively.

    Args:
        paths: files or folders; `~` stands for the home folder. Names need not be valid UTF-8.

    Returns:
        The sources, sorted within each path given, each file once; what a feed reads along is left to the
        feed. And what was skipped, with reasons.
        Nothing that a path can be raises an error.
    """
    search = _Search()
    for path in paths:
        search.under(os.path.expanduser(path))
    return search.without_feed_files(), search.skipped


def items(source: Source) -> Iterator[Item]:
    """Read a source lazily; memory does not grow with the size of a data set.

    A picture is opened only when `item.picture()` is called, which raises UnreadableSource if it is broken.
    Chapters carry the fields `episode`, `title`, `start`, `end`, `generated`, `text`, `speakers`, `units`
    (`[start, text]` each), and `audio` as the transcript or feed names it; rows of a data set carry
    `captions`.

    Raises:
        UnreadableSource: the transcript or data set cannot be read.
    """
    if source.kind == "image":
        picture = partial(open_picture, source.path, name=source.name)
        yield Item(source.name, "image", source.name, source.stamp, picture)
    elif source.kind == "parquet":
        for row in picture_rows(source.path):
            fields = {"captions": list(row.captions)}
            yield Item(row.name, "image", source.name, source.stamp, row.open, None, fields)
    else:
        yield from _chapters(source)


def source_name(path: str | Path) -> str:
    """Give the name under which a file is indexed: absolute, links resolved, `~` expanded, printable."""
    return printable(os.path.realpath(os.path.expanduser(path)))


def _chapters(source: Source) -> Iterator[Item]:
    """All chapters of all episodes of a file."""
    episodes = read_feed(source.path) if source.kind == "feed" else [read_transcript(source.path)]
    found = (chapter for episode in episodes for chapter in chapters_of(episode))
    for number, (words, fields) in enumerate(found):
        key = f"{source.name}#chapter-{number}"
        yield Item(key, "chapter", source.name, source.stamp, None, words, fields)


@dataclass
class _Search:
    """Goes through files and folders and sorts what it meets."""

    sources: list[Source] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)  # real paths, so that no link leads round in circles

    def under(self, given: str) -> None:
        """Visit a path that a person named, and everything below it."""
        todo = [given]
        while todo:
            path = todo.pop()
            try:
                todo.extend(reversed(self._visit(path, named=path == given)))
            except (OSError, ValueError) as error:  # ValueError: a NUL in the path
                self.skipped.append(Skipped(printable(path), why(error, path)))

    def _visit(self, path: str, *, named: bool) -> list[str]:
        """Take a file, or return what a folder holds."""
        mode = os.stat(path).st_mode
        # The folder above is a real path already, so below it only links have to be resolved.
        real = os.path.realpath(path) if named or os.path.islink(path) else path
        if real in self.seen:
            return []
        self.seen.add(real)
        if stat.S_ISDIR(mode):
            return self._folder(real, named=named)
        if not stat.S_ISREG(mode):
            self._skip(real, "is no regular file but a device, socket or pipe", error=named)
            return []
        found = _classify(real, named=named)
        if found is None or isinstance(found, Skipped):
            self.skipped.extend([found] if found else [])
        else:
            self.sources.append(Source(Path(real), found))
        return []

    def _folder(self, folder: str, *, named: bool) -> list[str]:
        """List what is in a folder, sorted, without what nobody means to index."""
        if os.path.isfile(os.path.join(folder, "manifest.json")) and os.path.isdir(
            os.path.join(folder, "segments")
        ):
            if named:
                self._skip(folder, "is an index, not a folder of sources; name the folder with your files")
            return []
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries)
        return [os.path.join(folder, name) for name in names if not _is_litter(name)]

    def without_feed_files(self) -> list[Source]:
        """All sources but those that belong to a feed among them."""
        taken: set[Path] = set()
        for source in self.sources:
            if source.kind == "feed":
                with suppress(UnreadableSource):  # reading it will say what is wrong
                    taken |= feed_files(source.path)
        return [source for source in self.sources if source.path not in taken]

    def _skip(self, path: str, reason: str, *, error: bool = True) -> None:
        self.skipped.append(Skipped(printable(path), reason, error))


def _classify(path: str, *, named: bool) -> Kind | Skipped | None:
    """Tell what a regular file is; None for what is passed over in silence.

    Raises:
        OSError: it has to be looked into, and cannot be read.
    """
    suffix = os.path.splitext(path)[1].lower()
    if suffix in PICTURE_SUFFIXES:
        return "image"
    if suffix in _PARQUET_SUFFIXES:
        return "parquet"
    if suffix in TRANSCRIPT_SUFFIXES | FEED_SUFFIXES:
        return _classify_text(path, named=named)
    if suffix in _FOREIGN_PHOTOGRAPHS:
        return Skipped(printable(path), "HEIC and raw photographs cannot be read; export it as JPEG")
    with open(path, "rb") as file:
        head = file.read(16)
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            return kind
    return Skipped(printable(path), "is no picture, transcript or Parquet data set", error=named)


def _classify_text(path: str, *, named: bool) -> Kind | Skipped | None:
    """Tell transcripts from chapters, notes and other texts."""
    found = sniff_transcript(path)
    if found == "chapters":
        reason = "holds chapters; name the transcript they belong to"
        return Skipped(printable(path), reason, error=False) if named else None
    if found == "feed":
        return "feed"
    if found == "transcript" or named:
        return "transcript"  # named outright, it is read, or reading says what is wrong
    if found == "prose":
        reason = "is text without speakers or times; name the file itself to index it"
        return Skipped(printable(path), reason, error=False)
    what = (
        "XML, but no feed"
        if os.path.splitext(path)[1].lower() in FEED_SUFFIXES
        else "JSON, but no transcript"
    )
    return Skipped(printable(path), f"is {what}", error=False)


def _is_litter(name: str) -> bool:
    return name.startswith(".") or name.lower() in _LITTER
