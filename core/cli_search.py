"""`lexiscope search`: ask an index in words, with a picture, or both."""

from __future__ import annotations

import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lexiscope.errors import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lexiscope.retriever import Hit, Retriever

__all__ = ["Kind", "search"]


class Kind(StrEnum):
    """What can be asked for."""

    image = "image"
    chapter = "chapter"


def search(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The index.", show_default=False)],
    text: Annotated[
        str | None, typer.Argument(metavar="TEXT", help="What to look for, in words; -word forbids one.")
    ] = None,
    image: Annotated[Path | None, typer.Option(metavar="FILE", help="A picture to find the like of.")] = None,
    kind: Annotated[Kind | None, typer.Option(help="Only pictures, or only chapters of episodes.")] = None,
    k: Annotated[int, typer.Option("-k", metavar="N", min=1, help="How many answers at most.")] = 10,
    explain: Annotated[bool, typer.Option("--explain", help="Show every word's weights and share.")] = False,
    model: Annotated[
        str | None, typer.Option(metavar="M", help="Another place of the model that the index was made with.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answers as JSON.")] = False,
) -> None:
    """Ask in words, with a picture, or both; every answer says which words matched."""
    question = (text or "").strip()
    if not question and image is None:
        raise typer.BadParameter(
            "nothing to look for: give words, an --image FILE, or both", param_hint="TEXT"
        )
    from lexiscope.edits import Edits, split_forbidden
    from lexiscope.retriever import Retriever
    from lexiscope.terminal import output, show_hits, write_json

    wanted, forbidden = split_forbidden(question)
    edits = Edits.of(forbid=forbidden)
    with Retriever.open(folder, model=model) as library:
        library.warm_up()  # loading model and kernels is no part of the search
        began = time.perf_counter()
        hits = library.search(wanted or None, image=image, kind=kind and kind.value, k=k, edits=edits)
        took = round(1000 * (time.perf_counter() - began), 1)
        if as_json:
            found = [hit.to_dict(explain=explain) for hit in hits]
            write_json({"query": _query(question, image), "took_ms": took, "hits": found})
        else:
            show_hits(output(), hits, explain=explain)
        _comment(library, wanted, hits, kind)


def _query(question: str, image: Path | None) -> str:
    """The question as the JSON repeats it: its words, or else the picture's path."""
    return question.encode("utf-8", "replace").decode() if question or image is None else printable(image)


def _comment(library: Retriever, question: str, hits: Sequence[Hit], kind: Kind | None) -> None:
    """Say on standard error why there are no answers, or which words no answer can have."""
    from lexiscope.terminal import say

    where = printable(library.collection.folder)
    if not len(library):
        say(f"{where} is empty: add files with `lexiscope index SOURCE… --out {where}`")
        return
    unused = library.unused_words(question, hits) if question else []
    if unused:
        say(f"no picture or chapter uses: {', '.join(unused)}")
    if not hits:
        other = f" as {kind.value} (leave --kind out to look everywhere)" if kind else ""
        say(f"nothing found{other} among {len(library):,} pictures and chapters: try other words")
