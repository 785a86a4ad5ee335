"""Rows and pictures in users' formats, and what bad ones get."""

import gzip
import io
import json
import tarfile

import numpy as np
import pytest
from PIL import Image

from lexiscope.errors import DatasetError
from lexiscope.training.rows import Row, open_rows
from lexiscope.training.webdataset import open_captioned

LINE = {"query": "q", "positive": "p", "negatives": ["n", "m"], "scores": [[3, 1, 0]], "expansion": "e"}


def test_triples_with_and_without_scores(tmp_path):
    file = tmp_path / "a.tsv"
    file.write_text("what is it\tan answer\tanother\n12.5\t-3\tq\tp\tn\nno end\tline")
    rows = open_rows([file])
    assert [rows[0], rows[1], rows[2]] == [
        Row("what is it", ("an answer", "another")),
        Row("q", ("p", "n"), ((12.5, -3.0),)),
        Row("no end", ("line",)),
    ]
    assert len(rows) == 3


@pytest.mark.parametrize("ending", [".jsonl", ".jsonl.gz"])
def test_json_lines_plain_and_compressed(tmp_path, ending):
    file = tmp_path / f"a{ending}"
    data = (json.dumps(LINE) + "\n").encode() * 2
    file.write_bytes(gzip.compress(data) if ending.endswith("gz") else data)
    rows = open_rows([file, file])
    assert len(rows) == 4
    assert rows[3] == Row("q", ("p", "n", "m"), ((3.0, 1.0, 0.0),), "e")


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.tsv", "no tab here\n", "line 1: not a row"),
        ("a.jsonl", '{"query": "q"}\n', "no 'positive'"),
        ("a.jsonl", json.dumps({**LINE, "scores": [[1]]}) + "\n", "scores are not 3"),
        ("a.jsonl", "{broken\n", "line 1"),
        ("a.tsv", "", "no row"),
        ("a.csv", "x", "rows are read from"),
    ],
)
def test_bad_rows_say_file_and_line(tmp_path, name, content, expected):
    (tmp_path / name).write_text(content)
    with pytest.raises(DatasetError, match=expected) as caught:
        open_rows([tmp_path / name])[0]
    assert name in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_file_says_what_to_name(tmp_path):
    for open_ in (open_rows, lambda files: open_captioned(files, side=16)):
        with pytest.raises(DatasetError, match="--data"):
            open_([tmp_path / "nowhere.tar"])


def jpeg(colour):
    buffer = io.BytesIO()
    Image.new("RGB", (20, 12), colour).save(buffer, "JPEG")
    return buffer.getvalue()


def write_tar(file, members):
    with tarfile.open(file, "w") as tar:
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def test_a_tar_of_img2dataset_is_read_where_it_lies(tmp_path):
    file = tmp_path / "00000.tar"
    members = [
        ("000000000.jpg", jpeg("red")),
        ("000000000.json", b'{"caption": "in json too"}'),
        ("000000000.txt", b"a red one\n"),
        ("000000001.jpg", jpeg("blue")),
        ("000000001.json", b'{"caption": "a blue one"}'),
        ("000000002.json", b'{"status": "failed_to_download"}'),
    ]
    write_tar(file, members)
    for _ in range(2):  # the second time by the kept places
        found = open_captioned([file], side=16)
        assert len(found) == 2
        assert [found.captions(0), found.captions(1)] == [["a red one"], ["a blue one"]]
        assert np.asarray(found.picture(1))[6, 10, 2] > 200


def test_a_torn_tar_says_so(tmp_path):
    file = tmp_path / "torn.tar"
    file.write_bytes(b"\x01" * 700)
    with pytest.raises(DatasetError, match="not a whole tar"):
        open_captioned([file], side=16)
