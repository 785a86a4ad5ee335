"""HTML transcripts, as `podcast:transcript` of the type text/html links to them.

The Podcasting 2.0 form names a speaker in `<cite>`, the start of what is said in `<time>`, and has the words
in `<p>`. Any other page is read as plain text, line by line.

https://github.com/Podcastindex-org/podcast-namespace/blob/main/docs/examples/transcripts/transcripts.md
"""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

from lexiscope.text.markup import BLOCKS, SILENT, plain_text
from lexiscope.text.plain import read_plain
from lexiscope.text.speakers import name_turns
from lexiscope.text.transcript import Unit, seconds

__all__ = ["has_cited_turns", "is_html", "read_html"]

_BEGINNING = re.compile(
    r"(?>\s+|<!--.*?-->|<\?.*?\?>)*+"
    r"<(?:!doctype\s+html|html|head|body|main|article|section|cite|time|title|meta|p|div|h[1-6]|ul|ol|dl|table)[\s>]",
    re.IGNORECASE | re.DOTALL,
)
_CITED = re.compile(r"<(?:cite|time)[\s>]", re.IGNORECASE)


def is_html(text: str) -> bool:
    """Tell whether a text is an HTML page, or a part of one, by how it begins."""
    return _BEGINNING.match(text) is not None


def has_cited_turns(text: str) -> bool:
    """Tell a transcript in the Podcasting 2.0 form from other pages."""
    return _CITED.search(text) is not None


def read_html(text: str) -> tuple[list[Unit], dict[str, str]]:
    """Read an HTML page.

    A time holds for the first words after it; further paragraphs of the same speaker have none of their own.

    Returns:
        The units, and what is known of `title`.
    """
    page = _Page()
    page.feed(text)
    page.close()
    page.end_unit()
    title = " ".join(page.title.split())
    about = {"title": title} if title else {}
    if has_cited_turns(text):
        return name_turns(page.units), about
    units, found = read_plain("\n\n".join(plain_text(text).split("\n")))
    return units, about | found


class _Page(HTMLParser):
    """Goes through the elements, keeping who speaks and since when."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.units: list[Unit] = []
        self.title = ""
        self.now = Unit("")  # speaker and start of what is being read
        self.words: list[str] = []
        self.inside: dict[str, str] = {}  # text of the elements cite, time and title that are open
        self.silent = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "title" and not self.title:
            self.inside[tag] = ""
        elif tag in SILENT:
            self.silent = self.silent or tag
        elif tag in ("cite", "time"):
            self.end_unit()
            self.inside[tag] = ""
        elif tag in BLOCKS - {"br"}:
            self.end_unit()
        elif tag == "br":
            self.words.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag == self.silent:
            self.silent = ""
        elif tag in BLOCKS - {"br"}:
            self.end_unit()
        read = self.inside.pop(tag, None)
        if read is None:
            return
        if tag == "title":
            self.title = read
        elif tag == "cite":
            self.now = Unit("", read.strip().rstrip(":：").strip() or None)
        else:
            self.now = replace(self.now, start=seconds(read.strip(" \t\n()[]")))

    def handle_data(self, data: str) -> None:
        if self.inside:
            open_element = next(reversed(self.inside))
            self.inside[open_element] += data
        elif not self.silent:
            self.words.append(data)

    def end_unit(self) -> None:
        """Finish a paragraph; the next one of the same speaker has no time of its own."""
        if words := " ".join("".join(self.words).split()):
            self.units.append(replace(self.now, text=words))
            self.now = replace(self.now, start=None)
        self.words = []
