"""Podcast feeds on disk: the episodes of an RSS or Atom file, with their transcripts and chapters.

Elements are read with defusedxml, which refuses entity bombs. The libraries that know feeds lose what is
wanted here: podcastparser 0.6 reads times that are none as 0, cuts off fractions, and keeps one transcript an
episode; feedparser 6 keeps one `podcast:transcript` and no chapters' link.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING

from lexiscope.errors import UnreadableSource, printable
from lexiscope.text.chapter_files import tidy
from lexiscope.text.decoding import decode, read_bytes
from lexiscope.text.markup import plain_text
from lexiscope.text.transcript import Mark, one_line, seconds

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

__all__ = ["Episode", "is_feed", "parse_feed"]

log = logging.getLogger(__name__)

_ROOT = re.compile(
    r"(?>\ufeff|\s+|<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^>\[]*(?>\[.*?\]\s*)?>)*+<(?:\w+:)?(?:rss|feed|RDF)[\s>]",
    re.DOTALL,
)
_DECLARATION = re.compile(r"\s*<\?xml[^>]*\?>")
_PODCAST = re.compile(
    r"https?://(?:podcastindex\.org/namespace/|github\.com/podcastindex-org/)", re.IGNORECASE
)
_SIMPLE_CHAPTERS = "podlove.org/simple-chapters"
# Transcripts from the richest to the poorest, by their type or suffix.
_RICHNESS = (r"json", r"vtt", r"srt|subrip", r"html?", r"")


@dataclass(frozen=True)
class Episode:
    """What a feed says about an episode."""

    title: str
    description: str  # plain text, lines kept
    url: str
    audio: str  # a link
    published: str  # ISO 8601, or empty
    transcripts: tuple[str, ...] = ()  # links, the best first
    chapter_links: tuple[str, ...] = ()
    marks: tuple[Mark, ...] = ()  # psc:chapters


def is_feed(text: str) -> bool:
    """Tell whether a text is an RSS or Atom feed by its first element."""
    return _ROOT.match(text) is not None


def parse_feed(path: str | Path) -> list[Episode]:
    """Read the episodes of a feed, in its order.

    Raises:
        UnreadableSource: the file is missing, empty, broken, no feed, or declares entities.
    """
    name = printable(path)
    root = _parse(read_bytes(path), name)
    if _local(root) not in ("rss", "feed", "RDF"):
        raise UnreadableSource(f"{name}: is XML, but neither RSS nor Atom; name the podcast's feed")
    language = _text(next(root.iter("language"), None)).lower()
    entries = [element for element in root.iter() if _local(element) in ("item", "entry")]
    return [_episode(entry, language, name) for entry in entries]


def _parse(data: bytes, name: str) -> Element:
    """Parse XML in its own encoding, or, where that is wrong, in the one that it looks to be in."""
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import ParseError, fromstring

    try:
        try:
            root: Element = fromstring(data)
        except DefusedXmlException:
            raise
        except (ParseError, LookupError, ValueError):
            root = fromstring(_DECLARATION.sub("", decode(data).removeprefix("\ufeff"), count=1))
    except DefusedXmlException:
        raise UnreadableSource(
            f"{name}: refused, since it declares XML entities or refers to other files, which may blow up "
            "or leak; remove its DOCTYPE"
        ) from None
    except (ParseError, LookupError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise UnreadableSource(f"{name}: broken XML ({reason}); download the feed again") from None
    return root


def _episode(entry: Element, language: str, name: str) -> Episode:
    found = _Found(language)
    for child in entry:
        found.take(child)
    title = one_line(plain_text(found.first("title")).replace("\n", " "))
    return Episode(
        title,
        plain_text(max(found.texts.get("description", [""]), key=len)),
        one_line(found.first("link")),
        one_line(found.first("enclosure")),
        _date(found.first("published")),
        tuple(link for _, link in sorted(found.transcripts, key=lambda one: one[0])),
        tuple(found.chapter_links),
        tuple(tidy(found.marks, f"{name}, {title!r}")),
    )


@dataclass
class _Found:
    """Sorts the elements of an episode by what they say."""

    language: str  # of the feed, lower case
    texts: dict[str, list[str]] = field(default_factory=dict)
    transcripts: list[tuple[tuple[bool, int], str]] = field(default_factory=list)
    chapter_links: list[str] = field(default_factory=list)
    marks: list[Mark | None] = field(default_factory=list)

    def first(self, key: str) -> str:
        return next((text for text in self.texts.get(key, ()) if text.strip()), "")

    def take(self, element: Element) -> None:
        """Take what one child of an item or entry says."""
        local, space = _local(element), _space(element)
        if _PODCAST.match(space):
            self._podcasting(element, local)
        elif _SIMPLE_CHAPTERS in space:
            self.marks += [_mark(chapter) for chapter in element.iter() if _local(chapter) == "chapter"]
        elif local == "enclosure" or (local == "link" and element.get("rel") == "enclosure"):
            self._add("enclosure", element.get("url") or element.get("href") or "")
        elif local == "link":
            self._add("link", element.get("href") or _text(element))
        elif local == "guid" and element.get("isPermaLink", "true") != "false":
            self._add("link", address if (address := _text(element)).startswith("http") else "")
        elif local in ("description", "summary", "encoded", "content"):
            self._add("description", _text(element))
        elif local in ("pubDate", "published", "date"):
            self._add("published", _text(element))
        elif local == "title":
            self._add("title", _text(element))

    def _podcasting(self, element: Element, local: str) -> None:
        link = element.get("url") or ""
        if local == "transcript" and link:
            foreign = element.get("language", self.language).lower()[:2] != self.language[:2]
            self.transcripts.append(((foreign, _poverty(element.get("type") or "", link)), link))
        elif local == "chapters" and link:
            self.chapter_links.append(link)

    def _add(self, key: str, text: str) -> None:
        self.texts.setdefault(key, []).append(text)


def _poverty(kind: str, link: str) -> int:
    """Rank a transcript by its type, or by its suffix where the type says nothing: 0 is the richest."""
    for text in (kind.lower(), link.lower().rpartition(".")[2]):
        rank = next(rank for rank, form in enumerate(_RICHNESS) if re.search(form, text))
        if rank < len(_RICHNESS) - 1:
            return rank
    return len(_RICHNESS) - 1


def _mark(chapter: Element) -> Mark | None:
    start = seconds(chapter.get("start"))
    if start is None:
        return None
    return Mark(
        start, chapter.get("title") or "", None, chapter.get("href") or "", chapter.get("image") or ""
    )


def _date(text: str) -> str:
    """Write a date as ISO 8601; empty if it is none."""
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            return read(text.strip()).isoformat()
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return ""


def _local(element: Element) -> str:
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""  # comments have a function for a tag


def _space(element: Element) -> str:
    tag = element.tag
    return tag.rpartition("}")[0].lstrip("{") if isinstance(tag, str) else ""


def _text(element: Element | None) -> str:
    return "".join(element.itertext()).strip() if element is not None else ""
