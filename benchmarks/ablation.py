"""Which parts of a lexical vector matter? The bundled model with parts switched off (docs/ablation.md).

    python benchmarks/ablation.py DATA

DATA holds images/flickr8k-dev.parquet and podcasts/qmsum-train-val.*. Prints two Markdown tables: captions →
pictures (R@10) and questions → chapters (nDCG@10), each with the difference from the whole model and its 95 %
interval (paired bootstrap over questions), active words, postings read and milliseconds a question.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

from lexiscope import InvertedIndex, LexicalEncoder, chapter_vectors
from lexiscope.evaluation import chapter_search, open_dataset
from lexiscope.evaluation.encoding import encode_pictures

TIMED = 200
SAMPLES = 2000


def flat(rows: csr_array) -> csr_array:
    """The same words, all of one weight, rows of unit length: weighting switched off."""
    out = csr_array(rows.copy())
    counts = np.diff(out.indptr)
    out.data = np.repeat(1 / np.sqrt(np.maximum(counts, 1)), counts).astype(np.float32)
    return out


def gains(found: csr_array, answers: list[frozenset[int]], index: InvertedIndex) -> np.ndarray:
    """NDCG@10 of every question; where one document answers, its R@10 is whether this is above 0."""
    ids, _ = index.search(found, k=10)
    worth = 1 / np.log2(np.arange(10) + 2)
    best = [worth[: min(10, len(right))].sum() for right in answers]
    hits = [np.isin(row, list(right)) for row, right in zip(ids, answers, strict=True)]
    return np.array([(worth * hit).sum() / top for hit, top in zip(hits, best, strict=True)])


def cost(queries: csr_array, documents: csr_array, index: InvertedIndex) -> str:
    """Active words, postings that a full search reads, and the median time of one question."""
    lengths = np.bincount(documents.indices, minlength=documents.shape[1])
    postings = float(((queries > 0).astype(np.float64) @ lengths).mean())
    times = []
    for number in range(min(TIMED, queries.shape[0])):
        row = csr_array(queries[[number]])
        began = time.perf_counter()
        index.search(row, k=10)
        times.append(time.perf_counter() - began)
    n, m = queries.shape[0], documents.shape[0]
    words = f"{queries.nnz / n:.1f} / {documents.nnz / m:.1f}"
    return f"{words} | {postings:,.0f} | {1000 * np.median(times):.2f}"


def table(
    rows: list[tuple[str, csr_array, csr_array]], answers: list[frozenset[int]], *, recall: bool
) -> None:
    """One line a combination; the first is the whole model."""
    whole: np.ndarray | None = None
    rng = np.random.default_rng(0)
    draws = rng.integers(0, len(answers), (SAMPLES, len(answers)))
    for name, queries, documents in rows:
        index = InvertedIndex.build(documents)
        values = gains(queries, answers, index)
        if recall:
            values = (values > 0).astype(float)
        whole = values if whole is None else whole
        spread = 100 * np.quantile((values - whole)[draws].mean(axis=1), [0.025, 0.975])
        change = f"{100 * (values - whole).mean():+.1f} [{spread[0]:+.1f}, {spread[1]:+.1f}]"
        print(
            f"| {name} | {100 * values.mean():.1f} | {change} | {cost(queries, documents, index)} |",
            flush=True,
        )


def pictures(encoder: LexicalEncoder, file: Path) -> None:
    """Captions ask for their pictures; what a picture says is all expansion, so that cannot be taken away."""
    data = open_dataset(file)
    shown = encode_pictures(data, encoder, 32, False).rows
    texts = data.texts
    full = encoder.encode_query(texts, show_progress_bar=False)
    literal = encoder.encode_query(texts, inference_free=True, show_progress_bar=False)
    owners = np.repeat(np.arange(len(data)), len(texts) // len(data))
    table(
        [
            ("whole", full, shown),
            ("no query expansion", literal, shown),
            ("no query weighting", flat(full), shown),
            ("neither", flat(literal), shown),
            ("no document weighting", full, flat(shown)),
        ],
        [frozenset([int(owner)]) for owner in owners],
        recall=True,
    )


def chapters(encoder: LexicalEncoder, file: Path, queries: Path) -> None:
    """QMSum's validation questions ask for the chapters that answer them."""
    episodes = chapter_search.read_episodes(file, split="val")
    listed = chapter_search._chapters(episodes, "none", None)
    asked = chapter_search._read_queries(queries, episodes, "val")
    both = chapter_vectors.chapter_vectors(encoder, listed)
    share, chapter_vectors.EXPANSION = chapter_vectors.EXPANSION, 0.0
    own = chapter_vectors.chapter_vectors(encoder, listed)
    chapter_vectors.EXPANSION = share
    full = encoder.encode_query(asked.texts, show_progress_bar=False)
    literal = encoder.encode_query(asked.texts, inference_free=True, show_progress_bar=False)
    table(
        [
            ("whole", full, both),
            ("no query expansion", literal, both),
            ("no query weighting", flat(full), both),
            ("no query expansion, no query weighting", flat(literal), both),
            ("no document expansion", full, own),
            ("no expansion at all", literal, own),
            ("no document weighting", full, flat(both)),
        ],
        asked.answers,
        recall=False,
    )


def main(data: Path) -> None:
    """Print both tables."""
    encoder = LexicalEncoder.from_pretrained("bundled", device="cpu")
    head = "change [95 %] | words a question / document | postings read | ms |\n|---|--:|--:|--:|--:|--:|"
    print(f"| captions → pictures | R@10 | {head}")
    pictures(encoder, data / "images" / "flickr8k-dev.parquet")
    print(f"\n| questions → chapters | nDCG@10 | {head}")
    podcasts = data / "podcasts"
    chapters(encoder, podcasts / "qmsum-train-val.jsonl.gz", podcasts / "qmsum-train-val.queries.jsonl")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
