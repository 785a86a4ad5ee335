"""Search for texts in a BEIR folder: our vectors, BM25, both together, and with feedback.

Texts are found as the program finds chapters: their vectors are those of chapters (see
`lexiscope.chapter_vectors`), and questions are weighted by how few texts have a word.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from scipy.sparse import csr_array, vstack

from lexiscope.chapter_vectors import chapter_vectors
from lexiscope.encoder import LexicalEncoder
from lexiscope.episodes import ChapterWords
from lexiscope.evaluation import runs
from lexiscope.evaluation.beir import TextCollection
from lexiscope.evaluation.bm25 import BM25
from lexiscope.evaluation.bootstrap import Difference, Interval, Sample
from lexiscope.evaluation.encoding import progress
from lexiscope.evaluation.fusion import interpolate
from lexiscope.evaluation.measures import Float32, Float64, Int64
from lexiscope.evaluation.runs import Runs
from lexiscope.feedback import Feedback
from lexiscope.index import InvertedIndex
from lexiscope.questions import Question

__all__ = ["TextSearchReport", "evaluate_search"]

DEPTH = 1000
OURS, FLOOR = "lexiscope", "bm25"
_TEXTS_AT_A_TIME = 64

Lists = tuple[Int64, Float32]


class SystemReport(TypedDict):
    """Figures of one system, 0 to 1."""

    system: str
    measures: dict[str, float]  # nDCG@10, R@10, R@100, MRR@10
    intervals: dict[str, Interval]  # 95 %
    seconds: float  # of search; 0 for a run that was read
    over: dict[str, Difference]  # what it gains over BM25


TextSearchReport = TypedDict(
    "TextSearchReport",
    {
        "dataset": str,
        "split": str,
        "documents": int,
        "queries": int,
        "model": str,
        "nDCG@10": float,
        "R@10": float,
        "R@100": float,
        "MRR@10": float,
        "bm25": dict[str, float],
        "systems": list[SystemReport],
        "seconds": dict[str, float],  # index: encoding and indexing the texts
    },
)


@dataclass(frozen=True)
class _Vectors:
    """A collection as our vectors."""

    index: InvertedIndex
    rows: csr_array
    questions: csr_array
    seconds: float


def evaluate_search(
    collection: TextCollection,
    encoder: LexicalEncoder,
    *,
    model: str = "",
    feedback: int = 3,
    alpha: float = 0.5,
    others: Mapping[str, Runs] | None = None,
    run: Path | None = None,
    show: bool | None = None,
) -> TextSearchReport:
    """Measure search in a collection, beside BM25 (bm25s, k1 .9, b .4).

    Args:
        collection: from `read_beir`.
        encoder: the model.
        model: what the report calls it.
        feedback: documents taken for pseudo-relevance feedback; 0 leaves it out.
        alpha: what our vectors count beside BM25.
        others: further runs by name, measured beside.
        run: TREC file of our run; those of other systems go beside it, and so do the judgements.
        show: whether to show progress bars; None shows them where standard error is a terminal.

    Raises:
        LexiscopeError: a run cannot be written.
    """
    if run is not None:
        runs.check_writable(run)
    names = (list(collection.queries), list(collection.documents))
    vectors = _encode(collection, encoder, show)
    systems = _systems(collection, encoder, vectors, feedback, alpha)
    found: dict[str, tuple[Runs, float]] = {}
    for name, ask in systems.items():
        began = time.perf_counter()
        ids, scores = ask()
        found[name] = (runs.as_runs(ids, scores, *names), time.perf_counter() - began)
    found |= {name: (one, 0.0) for name, one in (others or {}).items()}
    if run is not None:
        _write_runs(run, collection, {name: one for name, (one, _) in found.items()})
    measured = {name: _measure(one, collection) for name, (one, _) in found.items()}
    sample = Sample.of(len(collection.queries))
    reports = [
        _report(name, values, measured[FLOOR], sample, found[name][1]) for name, values in measured.items()
    ]
    ours, floor = reports[0]["measures"], {name: sample.mean(one) for name, one in measured[FLOOR].items()}
    return {
        "dataset": collection.name,
        "split": collection.split,
        "documents": len(collection.documents),
        "queries": len(collection.queries),
        "model": model,
        "nDCG@10": ours["nDCG@10"],
        "R@10": ours["R@10"],
        "R@100": ours["R@100"],
        "MRR@10": ours["MRR@10"],
        "bm25": floor,
        "systems": reports,
        "seconds": {"index": vectors.seconds},
    }


def _encode(collection: TextCollection, encoder: LexicalEncoder, show: bool | None) -> _Vectors:
    began = time.perf_counter()
    texts = [ChapterWords(text, title) for title, text in collection.documents.values()]
    parts = []
    with progress(len(texts), "texts", show) as bar:
        for start in range(0, len(texts), _TEXTS_AT_A_TIME):
            parts.append(chapter_vectors(encoder, texts[start : start + _TEXTS_AT_A_TIME]))
            bar.update(parts[-1].shape[0])
    rows = csr_array(vstack(parts, format="csr"))
    index = InvertedIndex.build(rows)
    seconds = time.perf_counter() - began
    asked = list(collection.queries.values())
    understood = encoder.encode_query(asked, show_progress_bar=False)
    literal = encoder.encode_query(asked, inference_free=True, show_progress_bar=False)
    everything = index.select(index.ids)
    questions = [
        Question(None, understood[[number]], literal[[number]]).for_chapters(index, everything)
        for number in range(len(asked))
    ]
    return _Vectors(index, rows, csr_array(vstack(questions, format="csr")), seconds)


def _systems(
    collection: TextCollection, encoder: LexicalEncoder, vectors: _Vectors, feedback: int, alpha: float
) -> dict[str, Callable[[], Lists]]:
    """What is measured, ours first; each search is made when it is called."""
    texts = [f"{title} {text}" for title, text in collection.documents.values()]
    bm25, asked = BM25(texts), list(collection.queries.values())
    kept: dict[str, Lists] = {}

    def ours() -> Lists:
        kept[OURS] = vectors.index.search(vectors.questions, k=min(DEPTH, len(texts)))
        return kept[OURS]

    def floor() -> Lists:
        kept[FLOOR] = bm25.search(asked, DEPTH)
        return kept[FLOOR]

    def both(lists: Lists) -> Lists:
        return interpolate(lists, kept[FLOOR], alpha, len(kept[FLOOR][0][0]))

    systems: dict[str, Callable[[], Lists]] = {
        OURS: ours,
        FLOOR: floor,
        f"{OURS} + {FLOOR}": lambda: both(kept[OURS]),
    }
    if feedback:
        settings = Feedback(feedback)

        def again(lists: Lists) -> Lists:
            changed = settings.apply(vectors.questions, lists[0], vectors.rows)
            return vectors.index.search(changed, k=min(DEPTH, len(texts)))

        systems[f"{OURS}, feedback {feedback}"] = lambda: again(kept[OURS])
        systems[f"{OURS}, feedback {feedback} before"] = lambda: again(both(kept[OURS]))
        systems[f"{OURS} + {FLOOR}, feedback {feedback} after"] = lambda: both(again(kept[OURS]))
        systems[f"{OURS} + {FLOOR}, feedback {feedback} both"] = lambda: both(again(both(kept[OURS])))
    return systems


def _measure(found: Runs, collection: TextCollection) -> dict[str, Float64]:
    """What every query got, by ir-measures; a query that finds nothing has 0."""
    import ir_measures
    from ir_measures import RR, R, nDCG

    names = {str(nDCG @ 10): "nDCG@10", str(R @ 10): "R@10", str(R @ 100): "R@100", str(RR @ 10): "MRR@10"}
    places = {name: number for number, name in enumerate(collection.queries)}
    values = {name: np.zeros(len(places)) for name in names.values()}
    measures: list[Any] = [nDCG @ 10, R @ 10, R @ 100, RR @ 10]
    for one in ir_measures.iter_calc(measures, collection.judgements, found):
        if one.query_id in places:
            values[names[str(one.measure)]][places[one.query_id]] = one.value
    return values


def _report(
    name: str, values: dict[str, Float64], floor: dict[str, Float64], sample: Sample, seconds: float
) -> SystemReport:
    return {
        "system": name,
        "measures": {measure: sample.mean(value) for measure, value in values.items()},
        "intervals": sample.intervals(values),
        "seconds": seconds,
        "over": {} if name == FLOOR else dict(sample.compare(values, floor)),
    }


def _write_runs(run: Path, collection: TextCollection, found: Mapping[str, Runs]) -> None:
    """Our run under the name given, others beside it, and the judgements."""
    for number, (name, lists) in enumerate(found.items()):
        file = run if not number else run.with_name(f"{run.stem}.{_plain(name)}{run.suffix}")
        runs.write_run(file, lists, _plain(name))
    runs.write_graded(runs.judgements_file(run), collection.judgements)


def _plain(name: str) -> str:
    """A system's name without spaces, for files and TREC's last column."""
    return "-".join("".join(sign if sign.isalnum() else " " for sign in name).split())
