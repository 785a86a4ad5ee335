"""How the index grows: build time, memory, size, opening, first query, latency and threads against the rows.

    python benchmarks/index_scale.py d1m.npz --sizes 1000 10000 100000 1000000 --plot scale.png

The collection is an archive as `index_peers.py` takes it; each size is its first rows. Building and searching
happen in fresh processes. Memory is the peak of the build above what the rows themselves take.
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
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from index_peers import K, read_collection, resident

QUERIES, BATCH = 500, 1_000
RECALLS: dict[str, float | None] = {"exact": None, ".99": 0.99, ".95": 0.95, ".9": 0.9}


def build(file: Path, n: int, weights: str, folder: Path) -> dict[str, float]:
    """Build and save the first n rows."""
    from lexiscope import InvertedIndex

    rows = read_collection(file)[0][:n]
    few = InvertedIndex.build(rows[:10], weights=weights)
    few.search(rows[:1])  # so that all kernels are loaded, those of calibration, too
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    started = time.perf_counter()
    index = InvertedIndex.build(rows, weights=weights)
    built = time.perf_counter() - started
    peak = resident("VmHWM") - before
    index.save(folder)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    return {"build_s": built, "peak_mb": peak, "file_mb": size, "peak_to_file": peak / size}


def search(file: Path, folder: Path) -> dict[str, float]:
    """Open, ask for the first time, then one by one on one core, then many on one core and on all."""
    from lexiscope import InvertedIndex

    queries = read_collection(file)[1]
    parts = [queries[[number]] for number in range(QUERIES)]
    figures: dict[str, float] = {}
    figures["open_ms"] = _milliseconds(lambda: InvertedIndex.load(folder))
    index = InvertedIndex.load(folder)
    figures["first_query_ms"] = _milliseconds(lambda: index.search(parts[0], K))
    for name, recall in RECALLS.items():
        ask, taken = index.searcher(K, recall=recall), []
        for part in parts:
            started = time.perf_counter()
            ask(part.indices, part.data)
            taken.append((time.perf_counter() - started) * 1e6)
        figures[f"p50_us {name}"] = float(np.median(taken))
        figures[f"p99_us {name}"] = float(np.percentile(taken, 99))
    many = queries[np.arange(BATCH) % queries.shape[0]]
    for threads in (1, os.cpu_count() or 1):
        os.environ["NUMBA_NUM_THREADS"] = str(threads)
        times = [_milliseconds(lambda: index.search(many, K, recall=0.99)) for _ in range(5)]
        figures[f"batch_ms {threads} threads"] = float(np.median(times))
    return figures


def _milliseconds(what: Callable[[], object]) -> float:
    started = time.perf_counter()
    what()
    return (time.perf_counter() - started) * 1e3


def _apart(function: Callable[..., dict[str, float]], *arguments: Any) -> dict[str, float]:  # noqa: ANN401
    """Call a function in a fresh process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def plot(rows: list[Mapping[str, Any]], file: Path) -> None:
    """Latency, build time, memory and size against the rows."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, 3, figsize=(13, 4))
    sizes = [row["rows"] for row in rows]
    drawn = (
        ("median µs a query", [f"p50_us {name}" for name in RECALLS]),
        ("seconds", ["build_s"]),
        ("MB", ["peak_mb", "file_mb"]),
    )
    for panel, (label, names) in zip(panels, drawn, strict=True):
        for name in names:
            panel.plot(sizes, [row[name] for row in rows], marker="o", label=name.removeprefix("p50_us "))
        panel.set(xlabel="rows", ylabel=label, xscale="log", yscale="log")
        panel.legend()
        panel.grid(alpha=0.3, which="both")
    figure.tight_layout()
    figure.savefig(file, dpi=110)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("collection", type=Path, metavar="NPZ")
    parser.add_argument("--sizes", nargs="+", type=int, default=[1_000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--weights", choices=["float32", "uint8"], default="uint8")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    rows = []
    for n in options.sizes:
        folder = Path(tempfile.mkdtemp(prefix="scale-", dir=options.collection.resolve().parent))
        try:
            built = _apart(build, options.collection, n, options.weights, folder / "index")
            rows.append({"rows": n, **built, **_apart(search, options.collection, folder / "index")})
        finally:
            shutil.rmtree(folder)
        print(json.dumps({name: round(value, 3) for name, value in rows[-1].items()}), flush=True)
    if options.out is not None:
        options.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    if options.plot is not None:
        plot(rows, options.plot)


if __name__ == "__main__":
    main()
