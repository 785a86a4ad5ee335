"""A page of pictures with their heaviest words as bars: what figures about words cannot show."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np

from lexiscope.evaluation import runs
from lexiscope.evaluation.lemmas import lemmas, lemmas_of
from lexiscope.evaluation.words import HEAVIEST, WordsReport, WordsSaid
from lexiscope.vision import open_picture
from lexiscope.vocabulary import words

__all__ = ["Card", "ShownWord", "cards", "render", "write_page"]

PICTURES = 48
_WORDS = 10
_SIDE = 360  # of a thumbnail, in pixels
_RUN = re.compile(r"[^\s]+|\s+")


@dataclass(frozen=True)
class ShownWord:
    """A word of a picture as the page shows it."""

    text: str
    weight: float
    width: float  # of its bar, in percent of the heaviest word's
    said: bool  # whether a caption has it


@dataclass(frozen=True)
class Card:
    """A picture as the page shows it."""

    thumbnail: str  # a data address
    words: list[ShownWord]
    captions: list[list[tuple[str, bool]]]  # each in parts, and whether the part is a word of the picture


def write_page(file: Path, result: WordsSaid, report: WordsReport, *, number: int = PICTURES) -> None:
    """Write a page that needs nothing beside it: pictures are inlined.

    Args:
        file: where to; replaced when the page is whole.
        result: from `say_words`.
        report: from `evaluate_words`.
        number: pictures on the page, spread evenly over the data set.

    Raises:
        LexiscopeError: it cannot be written.
    """
    page = render(report, list(cards(result, number)))
    with runs.written(file) as output:
        output.write(page)


def cards(result: WordsSaid, number: int) -> Iterator[Card]:
    """So many pictures, spread evenly over the data set."""
    total = len(result.dataset)
    chosen = set(np.linspace(0, total - 1, min(number, total)).round().astype(int).tolist())
    for place, source in enumerate(result.dataset.sources()):
        if place in chosen:
            shown = list(_words(result, place))
            texts = result.dataset.captions[place]
            yield Card(
                _thumbnail(source), shown, [marked(text, [word.text for word in shown]) for text in texts]
            )


def _words(result: WordsSaid, place: int) -> Iterator[ShownWord]:
    row, right = result.pictures[[place]], result.in_captions[[place]]
    said = set(right.indices[right.data].tolist())
    order = np.lexsort((row.indices, -row.data))[:_WORDS]
    for entry in order:
        term, weight = int(row.indices[entry]), float(row.data[entry])
        yield ShownWord(result.terms[term], weight, 100 * weight / float(row.data[order[0]]), term in said)


def marked(caption: str, terms: Collection[str]) -> list[tuple[str, bool]]:
    """A caption in parts, which together are the caption: what shares a lemma with a term, and the rest."""
    wanted = lemmas_of(term for term in terms if words(term) == [term])
    return [(part, any(lemmas(word) & wanted for word in words(part))) for part in _RUN.findall(caption)]


def _thumbnail(source: Path | bytes) -> str:
    picture = open_picture(source, size_hint=_SIDE)
    picture.thumbnail((_SIDE, _SIDE))
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=82)
    return "data:image/jpeg;base64," + base64.b64encode(content.getvalue()).decode("ascii")


def render(report: WordsReport, shown: list[Card]) -> str:
    """The page as HTML."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True)
    source = files("lexiscope.evaluation").joinpath("words_page.html.jinja").read_text(encoding="utf-8")
    return environment.from_string(source).render(
        report=report, cards=shown, heaviest=HEAVIEST, figures=_figures(report)
    )


def _figures(report: WordsReport) -> list[tuple[str, str]]:
    precision = report["precision"]
    return [
        (f"{precision['model']['content']:.1f} %", f"of the {HEAVIEST} heaviest words are in a caption"),
        (f"{precision['always_commonest']['content']:.1f} %", f"of the {HEAVIEST} commonest words are"),
        (f"{precision['random']['content']:.1f} %", "of words drawn by frequency are"),
        (f"{report['active_words']['image']['mean']:.1f}", "words a picture"),
        (
            f"{report['shortcuts']['image']['share']:.1f} %",
            "of the weight on words that fire for over a tenth",
        ),
    ]
