"""Search libraries side by side: latency at each recall, build time, memory, size on disk.

    python benchmarks/index_peers.py d100k.npz real.npz --out index_peers.json --plot docs/index_peers.png

A collection is a NumPy archive with indptr, idx, val (rows) and qptr, qidx, qval (queries), as `real_text.py`
makes one. Every peer runs in a process of its own, on one core, and answers one query at a time; the peers
take turns, some queries each, so that all see the same noise of the machine. The first queries are for trying
the peers' settings: the best of each peer for each recall is chosen on them, and reported on the others.

Recall@10 is against exact scores in float64; a hit is what scores no worse than the tenth best.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

sys.path.insert(0, str(Path(__file__).parent))
from peers import PEERS, Peer

Array = npt.NDArray[np.generic]

K = 10
RECALLS = (0.9, 0.95, 0.97, 0.99, 0.995, 1.0)
TRIED, TRIES = 100, 3  # queries a setting is tried on, and how often: the machine may be slow for a while
ROUNDS, A_TURN = 10, 50  # turns, and queries in each
TERMS = 30_522


class Collection(NamedTuple):
    """Rows, queries, and what the tenth best of each query scores."""

    rows: csr_array
    queries: csr_array
    tenth: npt.NDArray[np.float64]


def load(file: Path, queries: int) -> Collection:
    """Read a collection, and search it exactly."""
    rows, asked = read_collection(file)
    asked = asked[:queries]
    known = file.with_suffix(f".{queries}.npy")
    if not known.exists():
        np.save(known, _tenth(rows, asked))
    return Collection(rows, asked, np.load(known))


def read_collection(file: Path) -> tuple[csr_array, csr_array]:
    """Rows and queries of an archive."""
    with np.load(file) as arrays:
        rows = _csr(arrays["val"], arrays["idx"], arrays["indptr"])
        return rows, _csr(arrays["qval"], arrays["qidx"], arrays["qptr"])


def _tenth(rows: csr_array, queries: csr_array) -> npt.NDArray[np.float64]:
    by_term = csr_array(rows.astype(np.float64).T)
    parts = (queries[begin : begin + 20].astype(np.float64) for begin in range(0, queries.shape[0], 20))
    return np.concatenate([np.partition((part @ by_term).toarray(), -K, axis=1)[:, -K] for part in parts])


def _csr(data: Array, indices: Array, pointers: Array) -> csr_array:
    # With pointers of 64 bits scipy would make terms of 64 bits, too, and every peer a copy of them.
    kind = np.int32 if pointers[-1] < 2**31 else np.int64
    parts = data.astype(np.float32), indices.astype(kind), pointers.astype(kind)
    rows = csr_array(parts, shape=(len(pointers) - 1, TERMS))
    rows.sort_indices()
    return rows


def resident(what: str) -> float:
    """Megabytes of this process in memory: VmRSS now, VmHWM at most."""
    line = next(one for one in Path("/proc/self/status").read_text().splitlines() if one.startswith(what))
    return int(line.split()[1]) * 1024 / 1e6


class Asked:
    """One peer in this process: built, then asked."""

    def __init__(self, peer: Peer, given: Collection, folder: Path) -> None:
        self.peer, self.given, self.folder = peer, given, folder

    def build(self) -> dict[str, float]:
        """Build, and say what it took."""
        before = resident("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
        started = time.perf_counter()
        file = self.peer.build(self.given.rows, self.folder)
        seconds = getattr(self.peer, "seconds", time.perf_counter() - started)
        peak = resident("VmHWM")
        files = [file] if file.is_file() else [path for path in file.rglob("*") if path.is_file()]
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        self.settings = dict(self.peer.settings())
        size = sum(path.stat().st_size for path in files)
        return {"build_s": seconds, "file_mb": size / 1e6, "memory_mb": peak - before}

    def ask(self, name: str, first: int, last: int) -> tuple[list[float], float]:
        """Microseconds of each query, and their mean recall."""
        answer, taken, hits = self.settings[name], [], 0.0
        queries, rows = self.given.queries, self.given.rows
        for number in range(first, last):
            begin, end = queries.indptr[number : number + 2]
            terms, weights = queries.indices[begin:end].astype(np.int32), queries.data[begin:end]
            started = time.perf_counter()
            ids = answer(terms, weights)
            taken.append((time.perf_counter() - started) * 1e6)
            dense = np.zeros(TERMS)
            dense[terms] = weights
            scores = rows[ids[ids >= 0]].astype(np.float64) @ dense
            hits += (scores >= self.given.tenth[number] * (1 - 1e-5)).sum() / K
        return taken, hits / (last - first)


def serve(name: str, file: Path, queries: int, folder: Path, pipe: Connection) -> None:
    """Do what is asked through a pipe."""
    asked = Asked(PEERS[name](K), load(file, queries), folder)
    while (call := pipe.recv()) is not None:
        method, arguments = call
        pipe.send(getattr(asked, method)(*arguments) if method != "settings" else list(asked.settings))


class Remote:
    """A peer in another process."""

    def __init__(self, name: str, file: Path, queries: int, folder: Path) -> None:
        self.name = name
        self.pipe, other = multiprocessing.Pipe()
        self.process = multiprocessing.get_context("spawn").Process(
            target=serve, args=(name, file, queries, folder, other), daemon=True
        )
        self.process.start()

    def __call__(self, method: str, *arguments: str | int) -> Any:  # noqa: ANN401
        """Have a method of `Asked` called there."""
        self.pipe.send((method, arguments))
        return self.pipe.recv()

    def close(self) -> None:
        """End the process."""
        self.pipe.send(None)
        self.process.join()


class Tried(NamedTuple):
    """A setting on the first queries."""

    median: float  # µs, of the best try
    recall: float


def tried(remote: Remote, names: list[str]) -> dict[str, Tried]:
    """Try every setting, all of them once and then again."""
    tries = [{name: remote("ask", name, 0, TRIED) for name in names} for _ in range(TRIES)]
    return {
        name: Tried(min(float(np.median(one[name][0])) for one in tries), tries[0][name][1]) for name in names
    }


def chosen(settings: Mapping[str, Tried]) -> dict[float, str]:
    """The quickest setting for each recall."""
    found = {}
    for recall in RECALLS:
        enough = [(one.median, name) for name, one in settings.items() if one.recall >= recall - 1e-9]
        if enough:
            found[recall] = min(enough)[1]
    return found


def measure(remotes: list[Remote]) -> Iterator[dict[str, Any]]:
    """Try all settings on the first queries, then report the best ones on the rest, in turns."""
    best = {remote.name: chosen(tried(remote, remote("settings"))) for remote in remotes}
    pairs = [(remote, name) for remote in remotes for name in sorted(set(best[remote.name].values()))]
    taken: dict[tuple[str, str], list[float]] = {(remote.name, name): [] for remote, name in pairs}
    recalls: dict[tuple[str, str], list[float]] = {(remote.name, name): [] for remote, name in pairs}
    for turn in range(ROUNDS):
        first = TRIED + turn * A_TURN
        for remote, name in pairs:
            some, recall = remote("ask", name, first, first + A_TURN)
            taken[remote.name, name] += some[3:]  # the first ones fetch what the others pushed out
            recalls[remote.name, name].append(recall)
    for (peer, name), times in taken.items():
        yield {
            "peer": peer,
            "setting": name,
            "for": [recall for recall, setting in best[peer].items() if setting == name],
            "recall": float(np.mean(recalls[peer, name])),
            "p50_us": float(np.median(times)),
            "p99_us": float(np.percentile(times, 99)),
        }


def run(file: Path, names: list[str]) -> dict[str, Any]:
    """One collection, all peers."""
    folder = Path(tempfile.mkdtemp(prefix="peers-", dir=file.parent))
    queries, report = TRIED + ROUNDS * A_TURN, {}
    load(file, queries)  # once, for all
    remotes = []
    try:
        for name in names:
            (folder / str(len(remotes))).mkdir()
            remotes.append(Remote(name, file, queries, folder / str(len(remotes))))
            report[name] = remotes[-1]("build")
            print(file.stem, name, report[name], file=sys.stderr, flush=True)
        rows = list(measure(remotes))
        for remote in remotes:
            remote.close()
    finally:
        shutil.rmtree(folder)
    return {"collection": file.stem, "build": report, "search": rows}


def table(result: Mapping[str, Any]) -> str:
    """A Markdown table: a line a peer, the median at each recall."""
    lines = [
        f"| {result['collection']} | " + " | ".join("exact" if r == 1 else f"{r:.3g}"[1:] for r in RECALLS)
        + " | build s | file MB | build memory MB |",
        "|---|" + "--:|" * (len(RECALLS) + 3),
    ]  # fmt: skip
    for peer, built in result["build"].items():
        cells = []
        for recall in RECALLS:
            row = next(
                (one for one in result["search"] if one["peer"] == peer and recall in one["for"]), None
            )
            cells.append("–" if row is None else f"{row['p50_us']:.0f}")
        figures = f"{built['build_s']:.1f} | {built['file_mb']:.0f} | {built['memory_mb']:.0f}"
        lines.append(f"| {peer} | " + " | ".join(cells) + f" | {figures} |")
    return "\n".join(lines)


def plot(results: list[dict[str, Any]], file: Path) -> None:
    """Median latency against recall, a panel a collection."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    peers = list(dict.fromkeys(peer for result in results for peer in result["build"]))
    figure, panels = plt.subplots(1, len(results), figsize=(5.2 * len(results), 4.2), squeeze=False)
    for panel, result in zip(panels[0], results, strict=True):
        for number, peer in enumerate(peers):
            points = sorted((one["recall"], one["p50_us"]) for one in result["search"] if one["peer"] == peer)
            across = [-np.log10(max(1e-4, 1 - recall)) for recall, _ in points]
            style = {"color": f"C{number}", "marker": "osvD^<>p*"[number % 9], "label": peer}
            panel.plot(across, [us for _, us in points], **style)
        panel.set_xticks([1, 1.301, 2, 3, 4], [".9", ".95", ".99", ".999", "1"])
        panel.set(title=result["collection"], xlabel="recall@10", ylabel="median µs a query", yscale="log")
        panel.grid(alpha=0.3, which="both")
    panels[0][0].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(file, dpi=110)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("collections", nargs="+", type=Path, metavar="NPZ")
    parser.add_argument("--peers", nargs="+", default=list(PEERS), choices=list(PEERS), metavar="NAME")
    parser.add_argument("--out", type=Path, help="write all figures here, as JSON")
    parser.add_argument("--plot", type=Path, help="draw latency against recall here")
    options = parser.parse_args()
    results = []
    for file in options.collections:
        results.append(run(file.resolve(), options.peers))
        print(table(results[-1]), flush=True)
        if options.out is not None:
            options.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    if options.plot is not None:
        plot(results, options.plot)


if __name__ == "__main__":
    main()
