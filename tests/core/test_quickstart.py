"""The first look: three questions on real photographs and the sample episode, and commands to copy."""

import shlex
import socket
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from lexiscope import quickstart, retriever
from lexiscope.cli import app
from lexiscope.errors import LexiscopeError
from lexiscope.index.manifest import Manifest


@pytest.fixture
def tiny(monkeypatch, tiny_encoder):
    """Let the bundled model be the tiny one, and the network be cut."""

    def refuse(*_):
        raise AssertionError("the quickstart reached for the network")

    monkeypatch.setattr(retriever, "_load", lambda name: tiny_encoder)
    monkeypatch.setattr(socket.socket, "connect", refuse)


def test_three_questions_and_the_commands_that_ask_them(tiny, tmp_path):
    for _ in range(2):  # a second run finds everything in place
        done = CliRunner().invoke(app, ["quickstart", "--out", str(tmp_path / "first look")])
        assert done.exit_code == 0, (done.output, done.exception)
    assert "photographs and" in done.stdout
    commands = [line[2:] for line in done.stdout.splitlines() if line.startswith("$ ")]
    assert [shlex.split(command)[1] for command in commands] == ["index", "search", "search", "search"]
    for command in commands:
        again = CliRunner().invoke(app, shlex.split(command)[1:])
        assert again.exit_code == 0, again.output
    assert done.stdout.count("matched:") >= 3
    assert done.stdout.splitlines()[-2:] == [
        "  lexiscope index YOUR_FOLDER --out my.index",
        '  lexiscope search my.index "what you are looking for"',
    ]


def test_without_the_photographs(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(quickstart, "find_spec", lambda name: None)
    with pytest.raises(LexiscopeError, match="pip install --force-reinstall scikit-image"):
        quickstart.run(tmp_path)


def test_the_sample_is_made_anew_for_another_model(tiny, tiny_encoder, tmp_path):
    index = quickstart.sample_index(tmp_path)
    manifest = Manifest.read(index)
    replace(manifest, model={**manifest.model, "weights": "of an earlier version"}).write(index)
    assert quickstart.sample_index(tmp_path) == index
    with retriever.Retriever.open(index) as library:
        assert library.search("a rocket")
        assert library.collection.meta["weights"] == tiny_encoder.fingerprint
