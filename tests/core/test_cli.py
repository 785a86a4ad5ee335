"""The command line: what it prints, its exit codes, and one clear line for every bad input."""

import errno
import json
import os
import shutil

import pytest
from typer.testing import CliRunner

from lexiscope.cli import app
from lexiscope.index import files as index_files
from lexiscope.retriever import Retriever


@pytest.fixture
def run():
    """Run a command in this process; returns exit code, standard output and standard error."""

    def invoke(*parts):
        return CliRunner().invoke(
            app, [os.fspath(part) if hasattr(part, "__fspath__") else str(part) for part in parts]
        )

    return invoke


@pytest.fixture
def index_command(run, tmp_path, model_folder):
    """`lexiscope index … --out x --model tiny`."""
    return lambda *parts: run("index", *parts, "--out", tmp_path / "x", "--model", model_folder)


def one_line(done, code=1):
    """The one line of an error: no traceback, the exit code as promised."""
    assert done.exit_code == code, (done.output, done.exception)
    assert "Traceback" not in done.stderr
    return done.stderr.strip().splitlines()[-1]


def test_index_then_search_as_json(index_command, run, files, tmp_path):
    done = index_command(files, "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report.pop("seconds") > 0
    assert report == {
        "added": 4,
        "updated": 0,
        "unchanged": 0,
        "removed": 0,
        "skipped": [],
        "pictures": 3,
        "chapters": 1,
    }
    done = run("search", tmp_path / "x", "a brown dog", "--kind", "chapter", "--json")
    answer = json.loads(done.stdout)
    assert list(answer) == ["query", "took_ms", "hits"]
    assert answer["query"] == "a brown dog"
    assert answer["took_ms"] > 0
    (hit,) = answer["hits"]
    assert (hit["rank"], hit["kind"], hit["episode"], hit["start"]) == (1, "chapter", "Dogs and boats", 1.0)
    assert hit["source"] == str(files / "episode.vtt")


def test_answers_for_people(index_command, run, files, tmp_path):
    done = index_command(files)
    assert "4 added" in done.stdout
    assert "3 pictures and 1 chapter" in done.stdout
    assert "lexiscope search" in done.stdout
    done = run("search", tmp_path / "x", "a brown dog zyxwv", "--kind", "chapter")
    assert "(generated)  0:01–1:09" in done.stdout and "Dogs and boats · " in done.stdout
    assert "“A brown dog catches a ball on the beach." in done.stdout
    assert "matched:" in done.stdout
    assert "no picture or chapter uses: zyxwv" in done.stderr
    done = run("search", tmp_path / "x", "--image", files / "cat.jpg", "--explain", "-k", 1)
    assert str(files / "cat.jpg") in done.stdout
    assert "query   document   share" in done.stdout


def test_what_is_skipped_is_listed_and_the_rest_goes_on(index_command, files, tmp_path):
    whole = (files / "cat.jpg").read_bytes()
    (files / "half.jpg").write_bytes(whole[: len(whole) // 2])
    (files / "empty.png").write_bytes(b"")
    (files / "film.mp4").write_bytes(b"\0\0\0\x18ftypmp42")
    done = index_command(files, tmp_path / "nowhere")
    assert done.exit_code == 0
    assert "4 added" in done.stdout
    assert "3 sources could not be read" in done.stderr
    for name in ("half.jpg: ", "empty.png: ", "nowhere: does not exist"):
        assert name in done.stderr
    assert "passed over 1 file" in done.stderr


def test_strict_is_an_error_and_nothing_is_lost(index_command, files, tmp_path):
    (files / "empty.png").write_bytes(b"")
    done = index_command(files, "--strict", "--json")
    assert "empty.png" in one_line(done)
    report = json.loads(done.stdout)
    assert report["added"] == 4
    assert [os.path.basename(entry["path"]) for entry in report["skipped"]] == ["empty.png"]
    assert len(Retriever.open(tmp_path / "x")) == 4


def test_only_paths_that_do_not_exist(index_command, tmp_path):
    assert "nowhere: does not exist; check the path" in one_line(index_command(tmp_path / "nowhere"))
    assert not (tmp_path / "x").exists()


def test_a_folder_without_rights(index_command, files, monkeypatch, tmp_path):
    def refuse(path):
        raise PermissionError(errno.EACCES, "Permission denied", os.fspath(path))

    monkeypatch.setattr(os, "scandir", refuse)
    assert "no permission to read it; change its rights" in one_line(index_command(files))
    done = index_command(files, files / "cat.jpg")
    assert done.exit_code == 0
    assert "1 added" in done.stdout


def test_names_that_are_not_utf8(index_command, run, files, tmp_path):
    odd = os.fsencode(files) + b"/caf\xe9.jpg"
    try:
        shutil.copyfile(os.fsencode(files / "cat.jpg"), odd)
    except OSError:
        pytest.skip("this file system takes only UTF-8 names")
    done = index_command(files, "--json")
    assert json.loads(done.stdout)["added"] == 5
    assert json.loads(index_command(files, "--json").stdout)["unchanged"] == 5
    done = run("search", tmp_path / "x", "--image", os.fsdecode(odd), "--json")
    assert any(hit["source"].endswith(r"caf\xe9.jpg") for hit in json.loads(done.stdout)["hits"])


def test_an_index_made_with_another_vocabulary(library, run, files, tmp_path, model_folder, monkeypatch):
    from lexiscope.index import Collection

    monkeypatch.setattr(Collection, "fingerprint", property(lambda self: "0" * 16))
    folder = library.collection.folder
    for command in (["search", folder, "dog"], ["index", files, "--out", folder, "--model", model_folder]):
        line = one_line(run(*command))
        assert str(folder) in line
        assert "index anew into another folder" in line


@pytest.mark.parametrize("harm", ["altered", "cut", "gone"])
def test_a_damaged_segment(library, run, files, harm):
    folder = library.collection.folder
    file = next(folder.rglob("posting_buckets.npy"))
    data = bytearray(file.read_bytes())
    data[-1] ^= 0xFF
    if harm == "gone":
        file.unlink()
    else:
        file.write_bytes(data if harm == "altered" else data[:-4])
    for command in (["search", folder, "dog"], ["index", files, "--out", folder]):
        assert "posting_buckets.npy" in one_line(run(*command))


def test_a_full_disk_keeps_what_was_there(library, run, files, monkeypatch):
    def full(path, payload):
        raise OSError(errno.ENOSPC, "No space left on device", os.fspath(path))

    shutil.copyfile(files / "cat.jpg", files / "new.jpg")
    folder = library.collection.folder
    with monkeypatch.context() as patch:
        patch.setattr(index_files, "replace_file", full)
        patch.setattr("lexiscope.index.manifest.replace_file", full)
        line = one_line(run("index", files, "--out", folder))
    assert "full" in line or "space" in line.lower()
    with Retriever.open(folder) as again:
        assert len(again) == 4
        assert again.collection.verify() == []
    assert run("index", files, "--out", folder).exit_code == 0


def test_an_empty_index_and_an_empty_answer_say_so(library, run, files):
    folder = library.collection.folder
    library.delete([files / "episode.vtt"])
    done = run("search", folder, "dog", "--kind", "chapter")
    assert done.exit_code == 0
    assert "nothing found as chapter (leave --kind out to look everywhere)" in done.stderr
    library.delete([files])
    done = run("search", folder, "dog", "--json")
    assert json.loads(done.stdout)["hits"] == []
    assert "is empty: add files with `lexiscope index SOURCE… --out" in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        ["search", "DIR"],
        ["search", "DIR", "  "],
        ["search", "DIR", "dog", "-k", "0"],
        ["search", "DIR", "dog", "--kind", "film"],
        ["index", "DIR"],
        ["train"],
        ["nonsense"],
    ],
)
def test_wrong_usage(run, command):
    done = run(*command)
    assert done.exit_code == 2
    assert "Traceback" not in done.output


def test_what_is_no_index_and_what_is_no_picture(library, run, tmp_path, files):
    assert "holds no index" in one_line(run("search", tmp_path / "none", "dog"))
    assert "episode.vtt: is no picture" in one_line(
        run("search", library.collection.folder, "--image", files / "episode.vtt")
    )


def test_what_is_no_model(run, files, tmp_path):
    done = run("index", files, "--out", tmp_path / "x", "--model", tmp_path)
    assert "no config.json there" in one_line(done)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_what_the_system_refuses_is_one_line(run, monkeypatch, code):
    def refused(out):
        raise OSError(code, os.strerror(code), "/some/where")

    monkeypatch.setattr("lexiscope.quickstart.run", refused)
    assert "lexiscope: /some/where: " in one_line(run("quickstart"))


def test_a_bug_is_not_hidden(run, monkeypatch):
    def broken(out):
        raise ZeroDivisionError

    monkeypatch.setattr("lexiscope.quickstart.run", broken)
    assert isinstance(run("quickstart").exception, ZeroDivisionError)


def test_an_interruption(run, monkeypatch):
    def stopped(out):
        raise KeyboardInterrupt

    monkeypatch.setattr("lexiscope.quickstart.run", stopped)
    assert "interrupted" in one_line(run("quickstart"), code=130)


def test_recipes_are_listed(run):
    done = run("train", "--list")
    assert done.exit_code == 0
    assert "bundled" in done.stdout


def test_train_passes_on_what_it_was_told(run, monkeypatch, tmp_path):
    told = {}

    def train(recipe, **options):
        told.update(options, recipe=recipe)
        return tmp_path / "model"

    monkeypatch.setattr("lexiscope.training.run", train, raising=False)
    done = run(
        "train", "bundled", "--data", tmp_path, "--out", tmp_path / "o", "--resume", "--start", "bundled"
    )
    assert done.exit_code == 0, done.output
    expected = {"recipe": "bundled", "data": tmp_path, "out": tmp_path / "o", "resume": True}
    assert told == {**expected, "start": "bundled"}
    assert str(tmp_path / "model") in done.stdout


def test_evaluate_retrieval(run, files, tmp_path, model_folder):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pictures = [{"bytes": (files / name).read_bytes(), "path": None} for name in ("cat.jpg", "beach.png")]
    captions = [["a cat on a chair"], ["a dog on the beach", "the beach"]]
    data = tmp_path / "set.parquet"
    pq.write_table(pa.table({"id": ["cat", "beach"], "image": pictures, "captions": captions}), data)
    done = run(
        "evaluate", "retrieval", data, "--model", model_folder, "--run", tmp_path / "run.trec", "--json"
    )
    assert done.exit_code == 0, (done.output, done.exception)
    report = json.loads(done.stdout)
    assert (report["images"], report["captions"]) == (2, 3)
    assert set(report["text_to_image"]) == set(report["image_to_text"]) == {"R@1", "R@5", "R@10"}
    assert (tmp_path / "run.trec").is_file()
    done = run("evaluate", "retrieval", data, "--model", model_folder)
    assert "text → image" in done.stdout


def test_check_says_what_is_wrong_and_mends_it(library, run):
    folder = library.collection.folder
    assert run("check", folder).stdout.strip().endswith(": whole")
    assert json.loads(run("check", folder, "--json").stdout) == {"problems": [], "repaired": False}
    file = next(folder.rglob("posting_lists.npy"))
    file.write_bytes(file.read_bytes()[:-1])
    damaged = run("check", folder)
    assert "--repair" in one_line(damaged)
    assert "posting_lists.npy" in damaged.stderr
    mended = json.loads(run("check", folder, "--repair", "--json").stdout)
    assert mended["repaired"] and mended["lost"] == 0 < mended["kept"]
    next(folder.rglob("row_codes.npy")).unlink()
    assert "0 documents kept" in run("check", folder, "--repair").stdout
    assert run("check", folder).exit_code == 0
