"""Make a learned-sparse-like collection out of real prose, for `index_peers.py`.

    python benchmarks/real_text.py DATA/text/changelog-transcripts.jsonl.gz real.npz --rows 200000

Passages of about 220 words by overlapping windows; BM25 impacts (k1 .9, b .4) of their words, and of the
words that go with these (positive pointwise mutual information) up to 120 terms. Its weights are flat, as
real text has them, and as collections made by a formula have not. Queries are passages of other transcripts,
cut to their heaviest terms after noise on the weights. Writes a NumPy archive: indptr, idx, val, qptr, qidx,
qval.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, diags_array, vstack

WORDS, TERMS, EXPANDED, NEIGHBOURS = 220, 30_522, 120, 24
K1, B = 0.9, 0.4
QUERIES, QUERY_TERMS = 2_000, 43
HELD_OUT = 20  # one transcript in as many gives the queries
EXPANSION = 0.35  # of what a word's neighbours weigh
_WORD = re.compile(r"[a-z0-9]+(?:'[a-z]+)?")


def texts(file: Path) -> Iterator[list[str]]:
    """The words of each transcript."""
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield _WORD.findall(json.loads(line)["text"].lower())


def counts(streams: list[npt.NDArray[np.int32]], rows: int) -> csr_array:
    """(rows, TERMS) how often each term stands in each window, windows evenly spread over all streams."""
    room = sum(max(0, len(stream) - WORDS) for stream in streams)
    stride = max(1, room // rows)
    windows = [stream[at : at + WORDS] for stream in streams for at in range(0, len(stream) - WORDS, stride)]
    windows = windows[:rows]
    pointers = np.arange(len(windows) + 1) * WORDS
    found = csr_array(
        (np.ones(pointers[-1], np.float32), np.concatenate(windows), pointers), (len(windows), TERMS)
    )
    found.sum_duplicates()
    return found


def as_terms(documents: list[list[str]]) -> list[npt.NDArray[np.int32]]:
    """The numbers of the words that are frequent enough to be terms."""
    frequent = Counter(word for words in documents for word in words).most_common(TERMS)
    known = {word: number for number, (word, _) in enumerate(frequent)}
    return [np.array([known[word] for word in words if word in known], np.int32) for words in documents]


def rarities(found: csr_array) -> npt.NDArray[np.float32]:
    """(TERMS,) BM25's inverse document frequency."""
    holders = np.bincount(found.indices, minlength=TERMS)
    return np.log1p((found.shape[0] - holders + 0.5) / (holders + 0.5)).astype(np.float32)


def impacts(found: csr_array, rarity: npt.NDArray[np.float32]) -> csr_array:
    """BM25 impacts of counts; every window is of the same length."""
    weights = found.copy()
    weights.data = rarity[found.indices] * found.data * (K1 + 1) / (found.data + K1)
    return weights


def neighbours(found: csr_array) -> csr_array:
    """(TERMS, TERMS) the few terms that go best with each term, by positive PMI; the best weighs 1."""
    sample = found[np.random.default_rng(1).permutation(found.shape[0])[:20_000]]
    seen = csr_array((np.ones_like(sample.data), sample.indices, sample.indptr), sample.shape)
    share = np.maximum(np.asarray(seen.sum(axis=0)).ravel(), 1.0)
    kept = np.flatnonzero((share > 8) & (share < 2_000))
    chosen = seen[:, kept]
    together = csr_array(chosen.T @ chosen)
    left = np.repeat(np.arange(len(kept)), np.diff(together.indptr))
    together.data = np.log(
        together.data * sample.shape[0] / (share[kept][left] * share[kept][together.indices])
    ) * np.minimum(1.0, together.data / 8)
    together.data[left == together.indices] = 0
    together.data = np.maximum(together.data, 0)
    strongest = cut(csr_array(together), NEIGHBOURS)
    strongest = diags_array(1 / np.maximum(strongest.max(axis=1).toarray().ravel(), 1e-6)) @ strongest
    spread = csr_array(strongest).tocoo()
    return csr_array((spread.data, (kept[spread.row], kept[spread.col])), shape=(TERMS, TERMS))


def cut(rows: csr_array, most: int) -> csr_array:
    """The heaviest terms of every row."""
    rows.eliminate_zeros()
    numbers = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
    order = np.lexsort((-rows.data, numbers))
    place = np.arange(len(order)) - np.repeat(rows.indptr[:-1], np.diff(rows.indptr))
    kept = np.sort(order[place < most])
    pointers = np.concatenate([[0], np.cumsum(np.bincount(numbers[kept], minlength=rows.shape[0]))])
    return csr_array((rows.data[kept].astype(np.float32), rows.indices[kept], pointers), rows.shape)


def expand(own: csr_array, beside: csr_array) -> csr_array:
    """Add to each row what goes with its terms, in parts that fit the memory."""
    done = []
    for begin in range(0, own.shape[0], 10_000):
        part = own[begin : begin + 10_000]
        known = csr_array((np.ones_like(part.data), part.indices, part.indptr), part.shape)
        added = cut(csr_array(cut(part.copy(), 40) @ beside), 60)
        added = csr_array(added - added.multiply(known))
        added.data *= EXPANSION / 3
        done.append(cut(csr_array(part + added), EXPANDED))
    return csr_array(vstack(done, format="csr"))


def as_queries(rows: csr_array) -> csr_array:
    """Passages as noisy questions: their heaviest terms, each with noise on its weight."""
    chance = np.random.default_rng(2)
    noisy = rows.copy()
    noisy.data = noisy.data * np.exp(0.5 * chance.normal(size=len(noisy.data))).astype(np.float32)
    return cut(noisy, QUERY_TERMS)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path, help="transcripts, .jsonl.gz with a `text` a line")
    parser.add_argument("out", type=Path, help="the .npz to write")
    parser.add_argument("--rows", type=int, default=200_000)
    options = parser.parse_args()
    streams = as_terms(list(texts(options.file)))
    asked = counts(streams[::HELD_OUT], QUERIES)
    found = counts([stream for n, stream in enumerate(streams) if n % HELD_OUT], options.rows)
    beside, rarity = neighbours(found), rarities(found)
    rows = expand(impacts(found, rarity), beside)
    queries = as_queries(expand(impacts(asked, rarity), beside))
    archive: dict[str, npt.NDArray[np.generic]] = {
        "indptr": rows.indptr, "idx": rows.indices.astype(np.uint16), "val": rows.data,
        "qptr": queries.indptr, "qidx": queries.indices.astype(np.uint16), "qval": queries.data,
    }  # fmt: skip
    np.savez(options.out, allow_pickle=False, **archive)
    sizes = [f"{some.shape[0]} of {some.nnz / some.shape[0]:.0f} terms" for some in (rows, queries)]
    print("rows: {}; queries: {}".format(*sizes))


if __name__ == "__main__":
    main()
