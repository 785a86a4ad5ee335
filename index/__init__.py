"""The one sparse inverted index: search over immutable, memory-mapped segments, and their documents.

    vectors    what comes in: scipy sparse rows, checked and made canonical
    arrays     what the kernels take
    kernels    search, in numba, arrays in and arrays out; native: as machine code, without numba
    scratch    memory for one thread to search in
    postings   weights sorted into buckets of impact; bucket_kernels: in numba
    packing    rows packed into bytes, and back; row_kernels: in numba
    effort     how hard a search tries; calibration: how hard it must for a recall, by questions made of rows
    executor   kernels over a segment, over all cores
    segment    an immutable block of rows: postings by term, forward rows, ids
    inverted   InvertedIndex: one or more segments with delete marks
    frequencies how many rows have a term
    files      durable steps on disk; manifest: what is live; snapshot: both, opened
    documents  what the rows stand for, in SQLite
    tiers      which segments to merge
    writer     one write transaction
    collection Collection: all of the above as a folder

Names load on first use; numba loads with the first build, or to compile what is not yet; torch never does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lexiscope.lazy import lazy

if TYPE_CHECKING:
    from lexiscope.index.collection import Collection
    from lexiscope.index.documents import Document, DocumentStore
    from lexiscope.index.frequencies import document_frequencies
    from lexiscope.index.inverted import InvertedIndex, Selection
    from lexiscope.index.writer import WriteBatch

__all__ = [
    "Collection",
    "Document",
    "DocumentStore",
    "InvertedIndex",
    "Selection",
    "WriteBatch",
    "document_frequencies",
]

_HOME = {
    "Collection": "lexiscope.index.collection",
    "Document": "lexiscope.index.documents",
    "DocumentStore": "lexiscope.index.documents",
    "InvertedIndex": "lexiscope.index.inverted",
    "Selection": "lexiscope.index.inverted",
    "WriteBatch": "lexiscope.index.writer",
    "document_frequencies": "lexiscope.index.frequencies",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy(__name__, _HOME)
