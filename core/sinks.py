"""The formats that vectors are exported to.

    parquet      id, kind, source, indices, values, words; vocabulary and scale in the file's metadata
    jsonl        {"id","kind","source","vector":{word: weight}}, a line each
    npz          what scipy.sparse.load_npz reads, with ids, kinds and terms beside
    safetensors  data, indices, indptr; ids and terms as UTF-8
    opensearch, elasticsearch, qdrant, milvus, vespa, pgvector, seismic, anserini, ciff: see `sink_engines`

A writer is a function of a `VectorSet`, a file and a scale. It goes through the set as often as it needs to
and holds some thousand vectors at a time (CIFF, which goes by words, holds all of a shard).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from lexiscope.errors import InvalidValue
from lexiscope.quantising import Scale
from lexiscope.vector_sets import VectorSet

__all__ = ["FORMATS", "Format", "format_of"]

Writer = Callable[[VectorSet, Path, Scale | None], None]


@dataclass(frozen=True)
class Format:
    """A way of writing vectors.

    Attributes:
        name: as it is asked for.
        suffixes: of its files; the first is usual.
        home: module and function that write a file.
        about: module and function that give the files an engine is set up with, by suffix; "" for none.
        whole: weights are always whole numbers.
        by_number: words go by their number, so that readers need the vocabulary.
    """

    name: str
    suffixes: tuple[str, ...]
    home: str
    about: str = ""
    whole: bool = False
    by_number: bool = False

    def write(self, vectors: VectorSet, file: Path, scale: Scale | None) -> None:
        """Write one file."""
        _load(self.home)(vectors, file, scale)

    def companions(self, vectors: VectorSet) -> dict[str, str]:
        """What an engine is set up with: texts by the suffix of their file."""
        found: dict[str, str] = _load(self.about)(vectors) if self.about else {}
        if self.by_number:
            found[".vocabulary.txt"] = "\n".join(vectors.vocabulary.terms) + "\n"
        return found


def _load(name: str) -> Callable[..., dict[str, str]]:
    module, _, function = name.partition(":")
    found: Callable[..., dict[str, str]] = getattr(import_module(f"lexiscope.{module}"), function)
    return found


FORMATS = {
    one.name: one
    for one in (
        Format("parquet", (".parquet", ".pq"), "sink_files:write_parquet"),
        Format("jsonl", (".jsonl", ".ndjson"), "sink_engines:write_jsonl"),
        Format("npz", (".npz",), "sink_files:write_npz", by_number=True),
        Format("safetensors", (".safetensors",), "sink_files:write_safetensors", by_number=True),
        Format(
            "opensearch", (".ndjson", ".jsonl"), "sink_engines:write_bulk", "sink_engines:about_opensearch"
        ),
        Format("elasticsearch", (".ndjson",), "sink_engines:write_bulk", "sink_engines:about_elasticsearch"),
        Format(
            "qdrant", (".jsonl",), "sink_engines:write_qdrant", "sink_engines:about_qdrant", by_number=True
        ),
        Format("milvus", (".jsonl",), "sink_engines:write_milvus", by_number=True),
        Format("vespa", (".jsonl",), "sink_engines:write_vespa", "sink_engines:about_vespa"),
        Format(
            "pgvector",
            (".tsv",),
            "sink_engines:write_pgvector",
            "sink_engines:about_pgvector",
            by_number=True,
        ),
        Format("seismic", (".jsonl",), "sink_engines:write_seismic"),
        Format("anserini", (".jsonl",), "sink_engines:write_anserini", whole=True),
        Format("ciff", (".ciff",), "ciff:write_ciff", whole=True),
    )
}
"""By name."""

_BY_SUFFIX = {".parquet": "parquet", ".pq": "parquet", ".jsonl": "jsonl", ".npz": "npz"} | {
    ".safetensors": "safetensors",
    ".ciff": "ciff",
}


def format_of(file: Path, name: str | None) -> Format:
    """The format of a name, or of a file's suffix.

    Raises:
        InvalidValue: there is no such format, or the suffix does not say which.
    """
    known = ", ".join(FORMATS)
    if name is None:
        name = _BY_SUFFIX.get(file.suffix.lower())
        if name is None:
            raise InvalidValue(
                f"{file.name}: its ending does not say the format; choose one with --format: {known}"
            )
    if name not in FORMATS:
        raise InvalidValue(f"format {name!r}: there is no such format; choose one of {known}")
    return FORMATS[name]
