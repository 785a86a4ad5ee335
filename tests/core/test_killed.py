"""Real processes: killed in the middle, interrupted, or with nobody left to read what they print."""

import json
import signal
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from lexiscope import Retriever
from lexiscope.cli import app

# Stops the process at the n-th call of a function, before or after it; every picture is a commit of its own.
# The model is one that knows only its vocabulary, since loading torch takes longer than all the rest.
STOP_AT = """
import os, signal, sys, types
from pathlib import Path
import numpy as np
from scipy.sparse import csr_array
from lexiscope import indexing
from lexiscope.cli import main
from lexiscope.index import manifest, writer
from lexiscope.vocabulary import Vocabulary

class LexicalEncoder:
    model = types.SimpleNamespace(picture_side=32)

    def __init__(self, folder):
        self.vocabulary = Vocabulary.load(Path(folder) / "vocabulary.txt")
        self.fingerprint = {fingerprint!r}  # passes for the real model that goes on

    from_pretrained = classmethod(lambda cls, folder: cls(folder))

    def encode_image(self, pictures, **options):
        return csr_array(np.eye(len(pictures), len(self.vocabulary), dtype=np.float32))

    encode_document = encode_image

sys.modules["lexiscope.encoder"] = types.SimpleNamespace(LexicalEncoder=LexicalEncoder)
indexing.chapter_vectors = lambda encoder, chapters: encoder.encode_document(chapters)
indexing.PICTURES_A_BATCH = indexing.ITEMS_A_COMMIT = 1
owner, name, nth, after, how = {owner}, {name!r}, {nth}, {after}, {how}
real = getattr(owner, name)
calls = 0

def stop(*given, **named):
    global calls
    calls += 1
    result = real(*given, **named) if calls != nth or after else None
    if calls == nth:
        os.kill(os.getpid(), how)
    return result

setattr(owner, name, stop)
signal.signal(signal.SIGINT, signal.default_int_handler)  # a test run in the background inherits "ignore"
main()
"""


def lexiscope(*parts, program=None):
    start = [sys.executable, "-m", "lexiscope"] if program is None else [sys.executable, "-c", program]
    return subprocess.run(
        [*start, *map(str, parts)], capture_output=True, text=True, timeout=300, check=False, encoding="utf-8"
    )


@pytest.mark.parametrize(
    ("owner", "name", "nth", "after"),
    [
        ("indexing", "_open", 3, False),  # between commits
        ("writer", "write_segment", 3, True),  # in a commit, before it counts
        ("manifest.Manifest", "write", 4, True),  # in a commit, just after it counts
    ],
)
def test_killed_in_the_middle_then_the_same_command_again(
    tmp_path, files, model_folder, tiny_encoder, owner, name, nth, after
):
    command = [*map(str, ["index", files, "--out", tmp_path / "x", "--model", model_folder, "--json"])]
    place = {"owner": owner, "name": name, "nth": nth, "after": after}
    program = STOP_AT.format(**place, how="signal.SIGKILL", fingerprint=tiny_encoder.fingerprint)
    assert lexiscope(*command, program=program).returncode == -signal.SIGKILL
    with Retriever.open(tmp_path / "x") as left:
        kept = len(left)
        assert 0 < kept < 4
        assert left.collection.verify() == []
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["added"], report["unchanged"]) == (4 - kept, kept)
    with Retriever.open(tmp_path / "x") as whole:
        assert whole.collection.verify() == []
        assert sorted(whole.collection.stamps()) == sorted(str(file) for file in files.iterdir())
        assert len(whole.collection.documents.find(kind="image")) == 3


def test_interrupted(tmp_path, files, model_folder):
    place = {"owner": "indexing", "name": "_open", "nth": 2, "after": False}
    program = STOP_AT.format(**place, how="signal.SIGINT", fingerprint="")
    done = lexiscope("index", files, "--out", tmp_path / "x", "--model", model_folder, program=program)
    assert done.returncode == 130
    assert done.stderr.strip().splitlines()[-1].startswith("lexiscope: interrupted")
    assert "Traceback" not in done.stderr


def test_nobody_reads_the_answer():
    with subprocess.Popen(
        [sys.executable, "-m", "lexiscope", "train", "--list"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as writer:
        writer.stdout.close()
        errors = writer.stderr.read()
    assert writer.returncode == 141
    assert errors == b""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /dev/full")
def test_the_answer_goes_to_a_full_disk():
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "lexiscope", "train", "--list"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "lexiscope: the disk is full; make room and run the same command again\n"


def test_help_loads_nothing_heavy():
    program = (
        "import sys\n"
        "from lexiscope.cli import main\n"
        "try:\n    main()\n"
        "except SystemExit:\n    pass\n"
        "print(sorted({'torch', 'numba', 'gradio', 'transformers', 'scipy', 'numpy'} & set(sys.modules)))"
    )
    for command in (["--help"], ["index", "--help"], ["search", "--help"]):
        assert lexiscope(*command, program=program).stdout.splitlines()[-1] == "[]"
