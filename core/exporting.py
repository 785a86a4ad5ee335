"""Export: lexical vectors of pictures, chapters, data sets or an index, to files or to a function.

What comes from files is encoded into a `VectorStore` beside the output first, whole pieces at a time, and
written from there: a run that is killed, or meets a full disk, goes on where it was, and memory does not
grow with the number of vectors.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from lexiscope.changes import size
from lexiscope.errors import LexiscopeError, UnreadableSource, printable
from lexiscope.export_files import ExportReport, Options, explained, finished, write
from lexiscope.sinks import Format, format_of
from lexiscope.sources import Skipped, Source, find_sources
from lexiscope.vector_sets import Batch, IndexVectors, Part, VectorSet
from lexiscope.vector_store import Place, VectorStore, digests
from lexiscope.vector_stream import Step, resume_at, stream

if TYPE_CHECKING:
    from lexiscope.encoder import LexicalEncoder
    from lexiscope.indexing import Progress

__all__ = ["ExportReport", "Options", "export"]

ROWS_A_CHUNK = 2048
SECONDS_A_CHUNK = 10.0

Sink = Callable[[Batch], None]
Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


def export(
    source: Paths | VectorSet,
    sink: str | os.PathLike[str] | Sink,
    *,
    format: str | None = None,
    model: str | Path = "bundled",
    options: Options | None = None,
    strict: bool = False,
    progress: Progress | None = None,
) -> ExportReport:
    """Export lexical vectors, as a stream.

    Args:
        source: pictures, transcripts, Parquet data sets and folders of them; one index folder; or a
            `VectorSet`, as `read_vectors` gives.
        sink: the file to write, or a function that takes one `Batch` after another.
        format: see `lexiscope.sinks`; None goes by the file's ending.
        model: encodes what comes from files: "bundled", a folder, or a hub id.
        options: how to write.
        strict: raise when something cannot be read, after all the rest is written.
        progress: called with (done, total) as the work goes on.

    Returns:
        What was written and what was skipped, with exact counts.

    Raises:
        UnreadableSource: nothing could be read, or something could not be and `strict` is set.
        InvalidValue: there is no such format, or an option is not what it may be.
        LexiscopeError: a file cannot be written; what was encoded stays for the next run.
    """
    began, options = time.monotonic(), options or Options()
    if callable(sink):
        return _to_function(source, sink, str(model), options, progress)
    out = Path(sink).expanduser()
    wanted = format_of(out, format)
    vectors = _given(source)
    if vectors is not None:
        part = Part(vectors, 0, len(vectors), options.words)
        report = write(part, out, wanted, options)
        return replace(report, seconds=time.monotonic() - began)
    paths = _paths(source)
    sources, skipped = find_sources(paths)
    encoder = _load(str(model))
    plan = _plan(sources, encoder, wanted, options)
    if (done := finished(out, plan)) is not None:
        return done
    with explained(out):
        store = _store(out, encoder, str(model))
        _fill(store, sources, encoder, progress)
    skipped += store.skipped
    _check_found(len(store), skipped, paths)
    part = Part(store, 0, len(store), options.words)
    report = write(part, out, wanted, options, tuple(skipped), plan)
    store.remove()
    report = replace(report, seconds=time.monotonic() - began)
    if strict:
        refuse(report)
    return report


def refuse(report: ExportReport) -> None:
    """Raise UnreadableSource when something could not be read; all the rest is written."""
    errors = [one for one in report.skipped if one.error]
    if errors:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise UnreadableSource(f"{errors[0].path}: {errors[0].reason}{more}; all the rest is written")


def _given(source: Paths | VectorSet) -> VectorSet | None:
    """Vectors that exist already: a set, or those of an index folder."""
    if isinstance(source, str | os.PathLike):
        folder = Path(source).expanduser()
        return IndexVectors(folder) if (folder / "manifest.json").is_file() else None
    if hasattr(source, "batches"):
        return cast(VectorSet, source)
    listed = list(source)
    return _given(listed[0]) if len(listed) == 1 else None


def _paths(source: Paths | VectorSet) -> list[Path]:
    listed = [source] if isinstance(source, str | os.PathLike) else list(source)  # type: ignore[arg-type]
    return [Path(one) for one in listed]


def _load(model: str) -> LexicalEncoder:
    from lexiscope.encoder import LexicalEncoder

    return LexicalEncoder.from_pretrained(model)


def _to_function(
    source: Paths | VectorSet, sink: Sink, model: str, options: Options, progress: Progress | None
) -> ExportReport:
    """Hand batches to a function as they are made."""
    given = _given(source)
    skipped: list[Skipped] = []
    if given is not None:
        total, terms = len(given), len(given.vocabulary)
        steps = (Step(Place(), (batch,), (), len(batch)) for batch in given.batches())
    else:
        sources, skipped = find_sources(_paths(source))
        encoder = _load(model)
        total, terms = sum(map(size, sources)), len(encoder.vocabulary)
        steps = (step for step in stream(sources, encoder, Place()))
    rows = weights = done = 0
    for step in steps:
        skipped += step.skipped
        for batch in step.batches:
            pruned = batch.pruned(options.words)
            sink(pruned)
            rows, weights = rows + len(pruned), weights + int(pruned.rows.nnz)
        done += step.taken
        if progress is not None:
            progress(done, max(total, done))
    return ExportReport("function", rows, weights, terms, tuple(skipped))


def _fill(
    store: VectorStore, sources: Sequence[Source], encoder: LexicalEncoder, progress: Progress | None
) -> None:
    """Encode what the store lacks, and commit every few seconds.

    Raises:
        LexiscopeError: sources that were encoded already have changed since.
    """
    place = store.place
    if not resume_at(sources, place):
        raise LexiscopeError(
            f"{printable(store.folder)}: the sources have changed since this export began; remove that "
            "folder "
            "to begin anew, or name another --out"
        )
    total, done = sum(map(size, sources)), len(store)
    pending: list[Step] = []
    last = time.monotonic()
    for step in stream(sources, encoder, place):
        pending.append(step)
        done += step.taken
        if progress is not None:
            progress(done, max(total, done))
        waiting = sum(one.taken for one in pending)
        if waiting >= ROWS_A_CHUNK or (waiting and time.monotonic() - last >= SECONDS_A_CHUNK):
            _commit(store, pending)
            pending, last = [], time.monotonic()
    _commit(store, pending)


def _commit(store: VectorStore, steps: Sequence[Step]) -> None:
    if not steps:
        return
    batches = [batch for step in steps for batch in step.batches]
    store.append(batches, steps[-1].place, [one for step in steps for one in step.skipped])


def _plan(sources: Sequence[Source], encoder: LexicalEncoder, wanted: Format, options: Options) -> str:
    """Digits that differ when anything does that the files depend on."""
    found = "".join(deque(digests(sources), maxlen=1))
    settings = [wanted.name, asdict(options), encoder.fingerprint, found, len(sources)]
    return hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:16]


def _store(out: Path, encoder: LexicalEncoder, model: str) -> VectorStore:
    meta = {"model": model, "weights": encoder.fingerprint}
    return VectorStore(out.with_name(f"{out.name}.parts"), encoder.vocabulary, meta)


def _check_found(rows: int, skipped: Sequence[Skipped], paths: Sequence[Path]) -> None:
    """Stop before an empty file is written."""
    if rows:
        return
    named = ", ".join(printable(path) for path in paths)
    first = next((one for one in skipped if one.error), None)
    raise UnreadableSource(
        f"{first.path}: {first.reason}; nothing was exported"
        if first is not None
        else f"{named}: holds no picture, transcript or data set; nothing was exported"
    )
