"""Encode pictures and captions with a model, as a collection for `index_peers.py`.

    python benchmarks/bundled_vectors.py bundled.npz DATA/*-train*.parquet --queries DATA/coco-dev.parquet

Rows are pictures, queries are captions of other pictures. Writes a NumPy archive: indptr, idx, val, qptr,
qidx, qval.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from PIL import Image
from scipy.sparse import csr_array, vstack

from lexiscope import LexicalEncoder

A_BATCH, QUERIES = 256, 2_000


def pictures(files: list[Path]) -> Iterator[list[Image.Image]]:
    """The pictures of Parquet files, some at a time."""
    for file in files:
        for batch in pq.ParquetFile(file).iter_batches(batch_size=A_BATCH, columns=["image"]):
            yield [Image.open(io.BytesIO(image["bytes"])) for image in batch.column("image").to_pylist()]


def captions(file: Path) -> list[str]:
    """The first caption of every picture."""
    return [found[0] for found in pq.read_table(file, columns=["captions"]).column("captions").to_pylist()]


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, help="the .npz to write")
    parser.add_argument("files", nargs="+", type=Path, metavar="PARQUET")
    parser.add_argument("--queries", type=Path, required=True, metavar="PARQUET")
    parser.add_argument("--model", default="bundled")
    options = parser.parse_args()
    encoder = LexicalEncoder.from_pretrained(options.model)
    rows = csr_array(vstack([encoder.encode_image(some) for some in pictures(options.files)], format="csr"))
    queries = csr_array(encoder.encode_query(captions(options.queries)[:QUERIES]))
    for found in (rows, queries):
        found.sort_indices()
    arrays = {
        "indptr": rows.indptr,
        "idx": rows.indices.astype(np.uint16),
        "val": rows.data,
        "qptr": queries.indptr,
        "qidx": queries.indices.astype(np.uint16),
        "qval": queries.data,
    }
    np.savez(options.out, allow_pickle=False, **arrays)
    sizes = [f"{some.shape[0]} of {some.nnz / some.shape[0]:.0f} terms" for some in (rows, queries)]
    print("rows: {}; queries: {}".format(*sizes))


if __name__ == "__main__":
    main()
