"""Files that come with requests, into the index and out of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lexiscope.demo.limits import Limits
from lexiscope.demo.problems import Refusal
from lexiscope.demo.schemas import Added, SkippedAnswer
from lexiscope.demo.service import Service
from lexiscope.demo.uploads import Uploads, safe_name
from lexiscope.errors import LexiscopeError, UnreadableSource
from lexiscope.indexing import AddReport
from lexiscope.sources import find_sources, source_name
from lexiscope.vision.pictures import PICTURE_SUFFIXES, open_picture

__all__ = ["add", "delete"]

_NAMES_OTHERS = (
    "a feed or Parquet data set can name any file of this machine, so none is taken from a browser; "
    "index it with `lexiscope index`"
)


def add(service: Service, uploads: Uploads, files: Sequence[tuple[str, bytes]], limits: Limits) -> Added:
    """Keep files beside the index and index them; those that cannot be read are not kept.

    Raises:
        Refusal: none of them could be read.
    """
    kept: dict[str, tuple[str, bool]] = {}
    skipped: list[SkippedAnswer] = []
    for name, content in files:
        shown = safe_name(name)
        try:
            if "." + shown.rpartition(".")[2].lower() in PICTURE_SUFFIXES:
                open_picture(content, name=shown, size_hint=512, max_pixels=limits.pixels)
            path, new = uploads.keep(name, content)
            if new and _names_other_files(path):
                uploads.drop(str(path))
                raise UnreadableSource(f"{shown}: {_NAMES_OTHERS}")
            kept[source_name(path)] = (shown, new)
        except UnreadableSource as error:
            skipped.append(SkippedAnswer(name=shown, reason=str(error).removeprefix(f"{shown}: ")))
    report = _indexed(service, uploads, kept) if kept else None
    for entry in report.skipped if report else ():
        name, new = kept.get(entry.path, (safe_name(entry.path), False))
        skipped.append(SkippedAnswer(name=name, reason=entry.reason))
        if new:
            uploads.drop(entry.path)
    if report is None or not report.added + report.updated + report.unchanged:
        raise Refusal(422, "; ".join(f"{one.name}: {one.reason}" for one in skipped))
    return Added(
        added=report.added + report.updated,
        unchanged=report.unchanged,
        skipped=skipped,
        pictures=report.pictures,
        chapters=report.chapters,
    )


def _indexed(service: Service, uploads: Uploads, kept: dict[str, tuple[str, bool]]) -> AddReport:
    """Index files; where the index cannot be written to, those that are new do not stay behind."""
    try:
        return service.add([Path(name) for name in kept])
    except LexiscopeError:
        for name, (_, new) in kept.items():
            if new:
                uploads.drop(name)
        raise


def _names_other_files(path: Path) -> bool:
    """Whether indexing a file would open others that it names."""
    return any(source.kind in {"feed", "parquet"} for source in find_sources([path])[0])


def delete(service: Service, uploads: Uploads, id: int) -> int:
    """Remove a document, and its file where it was added here and nothing else comes from it."""
    store = service.reader().collection.documents
    source = store.get([id])[0].source
    count = service.delete([id])
    if not service.reader().collection.documents.find(sources=[source]):
        uploads.drop(source)
    return count
