"""How the page's server bears load: one client's latency, then many clients at once, on loopback alone.

    python benchmarks/demo_load.py --documents 10000 --clients 50 --seconds 30

Makes an index for the bundled model, half pictures, half chapters, of made-up rows: terms by Zipf's law over
the whole words of the vocabulary (40 a picture, 150 a chapter), exponential weights, unit length. Starts
`lexiscope demo` on it in a process of its own and asks `POST /search` questions of two to five words
of the same law, all different, so that no answer can come
from a cache. Clients and server share the machine's cores.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

BLOCK = 1_000
TERMS = {"image": 40, "chapter": 150}
Words = npt.NDArray[np.int64]


def drawn(rng: np.random.Generator, words: Words, count: int) -> Words:
    """Different words, the frequent ones more often: the vocabulary is sorted by frequency."""
    places = np.minimum(rng.zipf(1.3, 4 * count) + rng.integers(0, 200, 4 * count), len(words) - 1)
    return np.unique(words[places])[:count]


def make_index(folder: Path, documents: int) -> list[str]:
    """Write the index; return the words to ask with, the frequent ones first."""
    from lexiscope import LexicalEncoder
    from lexiscope.index import Collection, Document
    from lexiscope.vocabulary import Vocabulary

    encoder = LexicalEncoder.from_pretrained("bundled", device="cpu")
    terms = encoder.vocabulary.terms
    words = np.array([n for n, term in enumerate(terms) if not Vocabulary.is_piece(term)])
    rng = np.random.default_rng(0)
    collection = Collection.create(
        folder,
        vocabulary_size=len(terms),
        fingerprint=encoder.vocabulary.fingerprint,
        model={"name": "bundled", "weights": encoder.fingerprint},
    )
    for first in range(0, documents, BLOCK):
        rows, made = [], []
        for number in range(first, min(first + BLOCK, documents)):
            kind = "image" if number % 2 else "chapter"
            ids = drawn(rng, words, TERMS[kind])
            weights = rng.exponential(size=len(ids)).astype(np.float32)
            rows.append((ids, weights / np.linalg.norm(weights)))
            name = f"/made-up/{number}"
            fields = {}
            if kind == "chapter":
                spoken = [terms[one] for one in ids]
                units = [[10.0 * at, " ".join(spoken[at : at + 10])] for at in range(0, len(spoken), 10)]
                fields = {"episode": name, "title": spoken[0], "start": 0.0, "end": 600.0, "generated": True}
                fields |= {"text": " ".join(spoken), "speakers": [], "units": units}
            made.append(Document(-1, key=name, kind=kind, source=name, stamp="0-0-0", fields=fields))
        pointers = np.cumsum([0, *(len(ids) for ids, _ in rows)])
        block = csr_array(
            (np.concatenate([w for _, w in rows]), np.concatenate([i for i, _ in rows]), pointers),
            (len(rows), len(terms)),
        )
        with collection.write() as batch:
            batch.add(block, made)
    collection.close()
    return [terms[one] for one in words]


def questions(words: list[str], seed: int) -> Iterator[str]:
    """Questions without end."""
    rng, places = np.random.default_rng(seed), np.arange(len(words))
    while True:
        yield " ".join(words[one] for one in rng.permutation(drawn(rng, places, int(rng.integers(2, 6)))))


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, int]]:
    """The server's address and process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", "lexiscope", "demo", str(folder), "--port", str(port)])
    address = f"http://127.0.0.1:{port}"
    try:
        while process.poll() is None:
            try:
                if httpx.get(f"{address}/health", timeout=60).json()["status"] == "ok":
                    break
            except httpx.TransportError:
                time.sleep(0.2)
        yield address, process.pid
    finally:
        process.terminate()
        process.wait(30)


def resident(pid: int) -> float:
    """Resident memory of a process in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS"))) / 1024


async def ask(
    address: str, words: list[str], seed: int, until: float, taken: list[float], bad: list[str]
) -> None:
    """One client: a question after another."""
    async with httpx.AsyncClient(base_url=address, timeout=60) as client:
        for text in questions(words, seed):
            if time.monotonic() > until:
                return
            began = time.perf_counter()
            try:
                answer = await client.post("/search", json={"text": text})
                if answer.status_code != 200:
                    bad.append(f"{answer.status_code} {answer.text[:100]}")
            except httpx.HTTPError as error:
                bad.append(repr(error))
            taken.append(1000 * (time.perf_counter() - began))


async def load(address: str, pid: int, words: list[str], clients: int, seconds: float) -> dict[str, object]:
    """Many clients for a while; memory is looked at after a fifth of the time and at the end."""
    taken: list[float] = []
    bad: list[str] = []
    began = time.monotonic()
    asking = [ask(address, words, seed, began + seconds, taken, bad) for seed in range(1, clients + 1)]
    whole = asyncio.gather(*asking)
    await asyncio.sleep(seconds / 5)
    early = resident(pid)
    await whole
    p50, p99 = np.percentile(taken, [50, 99])
    return {
        "clients": clients,
        "requests": len(taken),
        "errors": len(bad),
        "first_errors": bad[:3],
        "requests_per_s": round(len(taken) / (time.monotonic() - began), 1),
        "p50_ms": round(float(p50), 1),
        "p99_ms": round(float(p99), 1),
        "rss_mb_after_a_fifth": round(early),
        "rss_mb_at_the_end": round(resident(pid)),
    }


def main() -> None:
    """Measure and print one JSON object a line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=30)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        words = make_index(Path(place) / "index", asked.documents)
        with served(Path(place) / "index") as (address, pid):
            asyncio.run(load(address, pid, words, 1, 2))  # warm
            start = resident(pid)
            for clients in (1, asked.clients):
                figures = asyncio.run(load(address, pid, words, clients, asked.seconds))
                print(json.dumps({"documents": asked.documents, "rss_mb_before": round(start), **figures}))


if __name__ == "__main__":
    main()
