"""BEIR folders: what is read, what is measured, and runs and judgements as TREC files."""

import json

import ir_measures
import pytest
from ir_measures import RR, R, nDCG
from typer.testing import CliRunner

from lexiscope.cli import app
from lexiscope.errors import DatasetError
from lexiscope.evaluation.beir import read_beir, read_qrels
from lexiscope.evaluation.text_search import evaluate_search

TEXTS = {
    "d1": "a dog runs on the beach",
    "d2": "a man rides a white horse",
    "d3": "a black cat sleeps on a chair",
    "d4": "the brown dog catches a ball",
}
QUERIES = {"q1": "dog ball", "q2": "white horse", "q3": "nobody asked"}
QRELS = "query-id\tcorpus-id\tscore\nq1\td4\t2\nq1\td1\t1\nq2\td2\t1\nq2\td3\t0\n"


@pytest.fixture
def corpus(tmp_path):
    folder = tmp_path / "tiny"
    (folder / "qrels").mkdir(parents=True)
    for name, rows in (("corpus", TEXTS), ("queries", QUERIES)):
        lines = [json.dumps({"_id": key, "title": "", "text": text}) + "\n" for key, text in rows.items()]
        (folder / f"{name}.jsonl").write_text("".join(lines))
    (folder / "qrels" / "test.tsv").write_text(QRELS)
    return folder


def test_what_is_read(corpus, tmp_path):
    found = read_beir(corpus)
    assert (found.name, found.split, list(found.documents)) == ("tiny", "test", list(TEXTS))
    assert list(found.queries) == ["q1", "q2"]  # q3 is not judged
    assert found.judgements == {"q1": {"d4": 2, "d1": 1}, "q2": {"d2": 1, "d3": 0}}
    trec = tmp_path / "x.qrels"
    trec.write_text("q1 0 d4 2\nq1 0 d1 1\nq2 0 d2 1\nq2 0 d3 0\n")
    assert read_qrels(trec) == found.judgements == read_beir(corpus, qrels=trec).judgements


def test_measures_are_those_of_the_runs_that_are_written(corpus, tmp_path, tiny_encoder):
    run = tmp_path / "run.trec"
    other = {"q1": {"d4": 1.0}, "q2": {"d3": 1.0}}
    report = evaluate_search(read_beir(corpus), tiny_encoder, run=run, others={"mine": other}, feedback=1)
    assert json.loads(json.dumps(report)) == report
    assert [one["system"] for one in report["systems"]] == [
        "lexiscope",
        "bm25",
        "lexiscope + bm25",
        "lexiscope, feedback 1",
        "lexiscope, feedback 1 before",
        "lexiscope + bm25, feedback 1 after",
        "lexiscope + bm25, feedback 1 both",
        "mine",
    ]
    measures = {nDCG @ 10: "nDCG@10", R @ 10: "R@10", R @ 100: "R@100", RR @ 10: "MRR@10"}
    judged = list(ir_measures.read_trec_qrels(str(tmp_path / "run.trec.qrels")))
    for one, name in zip(report["systems"], ["run", "run.bm25", "run.lexiscope-bm25"], strict=False):
        read = list(ir_measures.read_trec_run(str(tmp_path / f"{name}.trec")))
        values = ir_measures.calc_aggregate(list(measures), judged, read)
        assert one["measures"] == pytest.approx({measures[key]: value for key, value in values.items()})
    assert report["bm25"]["nDCG@10"] == pytest.approx(1.0)
    assert report["systems"][-1]["measures"]["R@10"] == pytest.approx(0.25)


def test_the_command_reads_runs_of_others(corpus, tmp_path, model_folder):
    (tmp_path / "mine.trec").write_text("q1 Q0 d4 1 3.5 me\nq2 Q0 d2 1 3.5 me\n")
    command = ["evaluate", "search", str(corpus), "--model", str(model_folder), "--feedback", "0"]
    done = CliRunner().invoke(app, [*command, "--beside", str(tmp_path / "mine.trec"), "--json"])
    assert done.exit_code == 0, (done.output, done.exception)
    report = json.loads(done.stdout)
    assert [one["system"] for one in report["systems"]] == ["lexiscope", "bm25", "lexiscope + bm25", "mine"]
    assert {"nDCG@10", "R@10", "R@100", "MRR@10", "bm25"} <= set(report)
    assert "over BM25" in CliRunner().invoke(app, command).stdout


def test_bad_folders(corpus, tmp_path):
    for change, says in [
        (lambda: (corpus / "qrels" / "test.tsv").write_text("q1\td1\n"), "no judgements"),
        (lambda: (corpus / "qrels" / "test.tsv").write_text("q9\td1\t1\n"), "no query that"),
        (lambda: (corpus / "qrels" / "test.tsv").rename(corpus / "qrels" / "x"), "has no judgements"),
    ]:
        change()
        with pytest.raises(DatasetError, match=says) as caught:
            read_beir(corpus)
        assert "\n" not in str(caught.value)
    (corpus / "qrels" / "test.tsv").write_text(QRELS)
    with pytest.raises(DatasetError, match="has no split 'dev'; qrels/ has test"):
        read_beir(corpus, "dev")
    with (corpus / "corpus.jsonl").open("a") as file:
        file.write('{"_id": "d1", "text": "again"}\n')
    with pytest.raises(DatasetError, match="line 5: id 'd1' stands twice"):
        read_beir(corpus)
    (corpus / "corpus.jsonl").write_text('{"_id": "d1"}\n')
    with pytest.raises(DatasetError, match="line 1: has no 'text'"):
        read_beir(corpus)
    (corpus / "corpus.jsonl").unlink()
    with pytest.raises(DatasetError, match="there is no such file"):
        read_beir(corpus)
    with pytest.raises(DatasetError, match="there is no such folder"):
        read_beir(tmp_path / "gone")
