"""Write a set of vectors as files: one or several shards, what an engine is set up with, and a report.

Every file appears under its name only when it is whole and synced. `NAME.export.json` is written last and
says what the files are, so that a second run can tell that there is nothing left to do.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from lexiscope.errors import InvalidValue, LexiscopeError, printable
from lexiscope.index.files import replace_file
from lexiscope.quantising import Scale, check_weights_kind
from lexiscope.sinks import Format
from lexiscope.sources import Skipped
from lexiscope.vector_sets import Part, VectorSet, count_weights, greatest_weight

__all__ = ["ExportReport", "Options", "explained", "finished", "report_file", "write"]


@dataclass(frozen=True)
class Options:
    """How vectors are written.

    Attributes:
        words: how many of its heaviest words a vector keeps; None keeps all.
        weights: "float32", or "uint8": whole numbers from 1 to 255 in units of one scale, see `quantising`.
        shard_rows: at most so many vectors a file; None writes one file.

    Raises:
        InvalidValue: one of them is not what it may be.
    """

    words: int | None = None
    weights: Literal["float32", "uint8"] = "float32"
    shard_rows: int | None = None

    def __post_init__(self) -> None:
        """Refuse what makes no files."""
        check_weights_kind(self.weights)
        for name in ("words", "shard_rows"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InvalidValue(f"{name} is {value}: it must be at least 1")


@dataclass(frozen=True)
class ExportReport:
    """What was exported; all but `seconds` and `unchanged` stands in `NAME.export.json`, too."""

    format: str
    rows: int
    weights: int  # words of all vectors
    terms: int
    skipped: tuple[Skipped, ...] = ()
    files: tuple[dict[str, Any], ...] = ()  # name, rows, bytes
    scale: float | None = None  # what 1 stands for, where weights are whole numbers
    made_by: dict[str, Any] = field(
        default_factory=dict
    )  # model, weights' and vocabulary's fingerprint, version
    plan: str = ""  # digits that differ when sources, model or options do
    unchanged: bool = False  # all was there already
    seconds: float = 0.0


def report_file(out: Path) -> Path:
    """Where the report of an export stands."""
    return out.with_name(f"{out.stem}.export.json")


def write(
    vectors: Part,
    out: Path,
    wanted: Format,
    options: Options,
    skipped: tuple[Skipped, ...] = (),
    plan: str = "",
) -> ExportReport:
    """Write all files of an export.

    Raises:
        LexiscopeError: a file cannot be written.
    """
    scale = None
    if wanted.whole or options.weights == "uint8":
        scale = Scale.of(greatest_weight(vectors))
    files = []
    with explained(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        for file, shard in _shards(vectors, out, options.shard_rows):
            files.append(_write_one(shard, file, wanted, scale))
        for suffix, text in wanted.companions(vectors).items():
            replace_file(out.with_name(out.stem + suffix), text.encode())
        report = ExportReport(
            wanted.name,
            len(vectors),
            count_weights(vectors),
            len(vectors.vocabulary),
            skipped,
            tuple(files),
            None if scale is None else scale.unit,
            _made_by(vectors),
            plan,
        )
        stored = {
            name: value for name, value in asdict(report).items() if name not in ("seconds", "unchanged")
        }
        text = json.dumps(stored, indent=2, ensure_ascii=False) + "\n"
        replace_file(report_file(out), text.encode("utf-8", "backslashreplace"))
    return report


def _shards(vectors: Part, out: Path, rows: int | None) -> Iterator[tuple[Path, Part]]:
    """Files and what goes into each: NAME, or NAME-00000-of-00003 and so on."""
    if rows is None or len(vectors) <= rows:
        yield out, vectors
        return
    starts = range(0, len(vectors), rows)
    for number, start in enumerate(starts):
        name = f"{out.stem}-{number:05}-of-{len(starts):05}{out.suffix}"
        first = vectors.start + start
        stop = min(first + rows, vectors.stop)
        yield out.with_name(name), replace(vectors, start=first, stop=stop)


def _write_one(vectors: Part, file: Path, wanted: Format, scale: Scale | None) -> dict[str, Any]:
    part = file.with_name(f"{file.name}.part")
    try:
        wanted.write(vectors, part, scale)
        with part.open("rb+") as written:
            os.fsync(written.fileno())
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
    return {"name": file.name, "rows": len(vectors), "bytes": file.stat().st_size}


def _made_by(vectors: VectorSet) -> dict[str, Any]:
    return {**vectors.meta, "vocabulary": vectors.vocabulary.fingerprint, "lexiscope": version("lexiscope")}


def finished(out: Path, plan: str) -> ExportReport | None:
    """The report of an export that is complete; None where something is missing or has another plan."""
    try:
        found = json.loads(report_file(out).read_text(encoding="utf-8"))
        if found["plan"] != plan:
            return None
        if any((out.with_name(one["name"])).stat().st_size != one["bytes"] for one in found["files"]):
            return None
        found |= {
            "skipped": tuple(Skipped(**one) for one in found["skipped"]),
            "files": tuple(found["files"]),
        }
        return ExportReport(**found, unchanged=True)
    except (OSError, ValueError, KeyError, TypeError):
        return None


_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def explained(out: Path) -> Iterator[None]:
    """Turn an OSError into one line that says what to do."""
    try:
        yield
    except OSError as error:
        cure = "make room" if error.errno in _ROOM else "see to it, or name another --out"
        raise LexiscopeError(
            f"{printable(out)}: cannot be written ({error.strerror or type(error).__name__}); what is "
            "encoded and "
            f"written so far is whole: {cure} and run the same command again"
        ) from error
