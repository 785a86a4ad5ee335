"""The libraries that lexiscope's index is measured beside, each behind the same four words.

A peer is built once, then asked one query at a time with one of its settings. Every adapter calls its library
in the cheapest way that the library has for a single query on one thread.
"""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

Ids = npt.NDArray[np.int64]
Ask = Callable[[npt.NDArray[np.int32], npt.NDArray[np.float32]], Ids]


class Peer(Protocol):
    """A search library."""

    def build(self, rows: csr_array, folder: Path) -> Path:
        """Build over all rows, save to a folder, and return the file or folder that was written."""

    def settings(self) -> Iterator[tuple[str, Ask]]:
        """Each setting's name with the function that answers one query (terms, weights) by ids."""


class Lexiscope:
    """This library: exact, and asked for the recalls that are reported."""

    def __init__(self, k: int, weights: str = "uint8") -> None:
        self.k, self.weights = k, weights

    def build(self, rows: csr_array, folder: Path) -> Path:
        """Build, save and load."""
        from lexiscope import InvertedIndex

        InvertedIndex.build(rows, weights=self.weights).save(folder / "lexiscope")
        self.index = InvertedIndex.load(folder / "lexiscope")
        return folder / "lexiscope"

    def settings(self) -> Iterator[tuple[str, Ask]]:
        """See `Peer`."""
        for recall in (None, 0.9, 0.95, 0.97, 0.99, 0.995):
            search = self.index.searcher(self.k, recall=recall)
            yield "exact" if recall is None else f"recall {recall}", lambda t, w, s=search: s(t, w)[0]


class LexiscopeByEffort(Lexiscope):
    """The same, with its parameters tried on the queries as every other peer's are."""

    def settings(self) -> Iterator[tuple[str, Ask]]:
        """See `Peer`."""
        from lexiscope.index.effort import Effort

        for cutoff in (0.025, 0.02, 0.017, 0.014, 0.012, 0.01, 0.0085, 0.007, 0.005, 0.003):
            for most in (2, 3, 4, 6, 8, 10, 16):
                search = self.index.searcher(self.k, effort=Effort(cutoff, most))
                yield f"cut-off {cutoff} most {most}", lambda t, w, s=search: s(t, w)[0]


class Seismic:
    """pyseismic-lsr (Rust): blocks with summaries."""

    def __init__(self, k: int, n_postings: int) -> None:
        self.k, self.n_postings = k, n_postings

    def build(self, rows: csr_array, folder: Path) -> Path:
        """Build, save and load."""
        from seismic import SeismicIndexRaw

        write_seismic(rows, folder / "documents.bin")
        started = time.perf_counter()
        self.index = SeismicIndexRaw.build(
            str(folder / "documents.bin"),
            n_postings=self.n_postings,
            centroid_fraction=0.1,
            min_cluster_size=2,
            summary_energy=0.4,
            nknn=0,
        )
        self.index.save(str(folder / "seismic"))
        self.seconds = time.perf_counter() - started  # without writing its input
        return folder / "seismic"

    def settings(self) -> Iterator[tuple[str, Ask]]:
        """See `Peer`."""
        for query_cut in (3, 5, 8, 12, 20):
            for heap_factor in (0.6, 0.7, 0.8, 0.9, 1.0):
                yield (
                    f"cut {query_cut} heap {heap_factor}",
                    lambda t, w, q=query_cut, h=heap_factor: np.array(
                        [hit[1] for hit in self.index.search(t, w, self.k, q, h, 0, True)], np.int64
                    ),
                )


def write_seismic(rows: csr_array, file: Path) -> None:
    """Seismic's own binary format: n, then for each row its length, terms and weights."""
    with file.open("wb") as out:
        out.write(struct.pack("<I", rows.shape[0]))
        for begin, end in zip(rows.indptr, rows.indptr[1:], strict=False):
            out.write(struct.pack("<I", end - begin))
            out.write(rows.indices[begin:end].astype("<u4").tobytes())
            out.write(rows.data[begin:end].astype("<f4").tobytes())


class Sindi:
    """pyvsag's SINDI (C++): windows of term lists; exact without pruning."""

    def __init__(self, k: int, reorder: bool = False, quantised: bool = False) -> None:
        self.k, self.reorder, self.quantised = k, reorder, quantised

    def build(self, rows: csr_array, folder: Path) -> Path:
        """Build and save."""
        import pyvsag

        rule = {
            "dtype": "sparse",
            "metric_type": "ip",
            "dim": 1024,
            "index_param": {
                "use_reorder": self.reorder,
                "use_quantization": self.quantised,
                "doc_prune_ratio": 0.0,
                "window_size": 50000,
                "term_id_limit": rows.shape[1],
                "avg_doc_term_length": int(rows.nnz / rows.shape[0]),
            },
        }
        self.index = pyvsag.Index("sindi", json.dumps(rule))
        self.index.build(
            index_pointers=rows.indptr.astype(np.uint32),
            indices=rows.indices.astype(np.uint32),
            values=rows.data.astype(np.float32),
            ids=np.arange(rows.shape[0], dtype=np.int64),
        )
        self.index.save(str(folder / "sindi"))
        return folder / "sindi"

    def settings(self) -> Iterator[tuple[str, Ask]]:
        """See `Peer`."""
        candidates = (20, 50, 150) if self.reorder else (self.k,)
        for query_prune in (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6):
            for term_prune in (0.0, 0.1, 0.2, 0.4, 0.6):
                for candidate in candidates:
                    rule = {
                        "query_prune_ratio": query_prune,
                        "term_prune_ratio": term_prune,
                        "n_candidate": candidate,
                    }
                    name = f"query {query_prune} term {term_prune} candidates {candidate}"
                    yield name, self._asking(json.dumps({"sindi": rule}))

    def _asking(self, rule: str) -> Ask:
        def ask(terms: npt.NDArray[np.int32], weights: npt.NDArray[np.float32]) -> Ids:
            pointers = np.array([0, len(terms)], np.uint32)
            ids: Ids = self.index.knn_search(pointers, terms.astype(np.uint32), weights, self.k, rule)[0]
            return ids

        return ask


class SpladeIndex:
    """splade-index (numba): exact, term at a time."""

    def __init__(self, k: int) -> None:
        self.k = k

    def build(self, rows: csr_array, folder: Path) -> Path:
        """Transpose and save."""
        by_term = rows.tocsc()
        self.arrays = (
            by_term.data.astype(np.float32), by_term.indptr.astype(np.int32), by_term.indices.astype(np.int32)
        )  # fmt: skip
        self.rows = rows.shape[0]
        np.savez(folder / "splade.npz", *self.arrays)
        return folder / "splade.npz"

    def settings(self) -> Iterator[tuple[str, Ask]]:
        """See `Peer`."""
        import numba
        from splade_index.numba.retrieve_utils import _retrieve_internal_jitted_parallel as retrieve

        numba.set_num_threads(1)
        single, whole = np.dtype("float32"), np.dtype("int32")

        def ask(terms: npt.NDArray[np.int32], weights: npt.NDArray[np.float32]) -> Ids:
            pointers = np.array([0, len(terms)], np.int32)
            found = retrieve(terms, weights, pointers, self.k, True, single, whole, *self.arrays, self.rows)[
                1
            ]
            return found[0].astype(np.int64)

        yield "exact", ask


class Scipy:
    """scipy: the transposed collection times the query."""

    def __init__(self, k: int) -> None:
        self.k = k

    def build(self, rows: csr_array, folder: Path) -> Path:
        """Build, save and load."""
        from scipy.sparse import save_npz

        self.rows = rows.tocsc()
        save_npz(folder / "scipy.npz", self.rows, compressed=False)
        return folder / "scipy.npz"

    def settings(self) -> Iterator[tuple[str, Ask]]:
        """See `Peer`."""

        def ask(terms: npt.NDArray[np.int32], weights: npt.NDArray[np.float32]) -> Ids:
            query = np.zeros(self.rows.shape[1], np.float32)
            query[terms] = weights
            scores = self.rows @ query
            best = np.argpartition(-scores, self.k)[: self.k]
            return best[np.argsort(-scores[best], kind="stable")].astype(np.int64)

        yield "exact", ask


PEERS: dict[str, Callable[[int], Peer]] = {
    "lexiscope": Lexiscope,
    "lexiscope by effort": LexiscopeByEffort,
    "lexiscope float32": lambda k: Lexiscope(k, "float32"),
    "seismic 250": lambda k: Seismic(k, 250),
    "seismic 500": lambda k: Seismic(k, 500),
    "seismic 1000": lambda k: Seismic(k, 1000),
    "sindi": Sindi,
    "sindi quantised, reordered": lambda k: Sindi(k, reorder=True, quantised=True),
    "splade-index": SpladeIndex,
    "scipy": Scipy,
}
