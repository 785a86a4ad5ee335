"""Take the markup out of texts that may be HTML: descriptions of episodes, bodies of segments."""

from __future__ import annotations

import re
from html.parser import HTMLParser

__all__ = ["BLOCKS", "SILENT", "has_markup", "plain_text"]

BLOCKS = frozenset(
    "address article aside blockquote br dd div dl dt fieldset figure footer form h1 h2 h3 h4 h5 h6 header hr"
    " li main nav ol p pre section table tr ul".split()
)
"""HTML elements that begin a new line."""
SILENT = frozenset({"noscript", "script", "style", "template", "title"})
"""HTML elements whose content nobody sees on the page."""

# Only names of HTML elements count: "a < b", "<unk>" and "<laughs>" are words.
_TAG = re.compile(
    r"</?(?:a|abbr|b|big|blockquote|body|br|center|cite|code|dd|del|div|dl|dt|em|font|h[1-6]|head|hr|html|i|img|ins|"
    r"kbd|li|mark|ol|p|pre|q|s|script|small|span|strike|strong|style|sub|sup|table|tbody|td|th|time|tr|tt|u|ul)"
    r"(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,30});", re.IGNORECASE)


def has_markup(text: str) -> bool:
    """Tell whether a text has HTML tags or character references in it."""
    return _TAG.search(text) is not None or _ENTITY.search(text) is not None


def plain_text(text: str) -> str:
    r"""Read HTML as the lines that a browser would show; a text without markup keeps its lines as they are.

    White space becomes single spaces, and empty lines go.

    >>> plain_text("<p>Ada &amp; Charles<br>talk.</p><script>x()</script>1 < 2")
    'Ada & Charles\ntalk.\n1 < 2'
    """
    if has_markup(text):
        reader = _Lines()
        reader.feed(text)
        reader.close()
        text = "".join(reader.parts)
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


class _Lines(HTMLParser):
    """Collects the text, with a line break wherever a block begins or ends."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.silent = ""  # the element that is being passed over

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in SILENT:
            self.silent = self.silent or tag
        elif tag in BLOCKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag == self.silent:
            self.silent = ""
        elif tag in BLOCKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.parts.append(data)
