"""`lexiscope import`: put vectors made elsewhere into an index."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from lexiscope.vocabulary import Vocabulary

__all__ = ["Kind", "import_command"]


class Kind(StrEnum):
    """What vectors stand for."""

    image = "image"
    chapter = "chapter"


def import_command(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Vectors: .jsonl, .parquet or .npz; see docs/export.md.")
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="DIR", help="The index; made if it is not there.")
    ],
    model: Annotated[
        str | None, typer.Option(metavar="M", help="The model that made them; questions are asked with it.")
    ] = None,
    vocabulary: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Their terms, one a line, where no model of ours made them."),
    ] = None,
    kind: Annotated[Kind, typer.Option(help="What rows stand for that do not say.")] = Kind.image,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Put lexical vectors into an index. A run that was stopped goes on where it was."""
    from lexiscope.errors import UnreadableSource, printable
    from lexiscope.importing import import_vectors
    from lexiscope.terminal import output, write_json

    if not file.is_file():
        raise UnreadableSource(f"{printable(file)}: there is no such file; check the path")
    terms, made_by = _terms(file, model, vocabulary)
    report = import_vectors(file, out, terms, model=made_by, kind=kind.value)
    if as_json:
        write_json(asdict(report))
    else:
        output().print(
            f"{report.added:,} of {report.rows:,} vectors added; {printable(out)} holds {report.total:,}"
        )


def _terms(file: Path, model: str | None, vocabulary: Path | None) -> tuple[Vocabulary, dict[str, Any]]:
    """The terms, and what the index remembers as their maker."""
    from lexiscope.vector_files import vocabulary_of
    from lexiscope.vocabulary import Vocabulary

    if model is not None:
        from lexiscope.encoder import LexicalEncoder

        encoder = LexicalEncoder.from_pretrained(model)
        folder = Path(model).expanduser()
        name = str(folder.resolve()) if model != "bundled" and folder.is_dir() else model
        return encoder.vocabulary, {"name": name, "weights": encoder.fingerprint}
    terms = vocabulary_of(file) if vocabulary is None else Vocabulary.load(vocabulary)
    return terms, {"name": f"vectors of {file.name}", "weights": terms.fingerprint}
