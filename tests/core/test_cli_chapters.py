"""`lexiscope chapters` as people call it."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from lexiscope.cli import app

VTT = """WEBVTT

NOTE title: A talk

00:01.000 --> 00:09.000
<v Ada>The old lighthouse has one lamp. The old lighthouse stands alone.
"""


@pytest.fixture
def talk(tmp_path):
    (tmp_path / "talk.vtt").write_text(VTT, encoding="utf-8")
    return tmp_path / "talk.vtt"


def run(*arguments):
    return CliRunner().invoke(app, ["chapters", *map(str, arguments)])


def test_generated_chapters_are_labelled(talk):
    done = run(talk, "--format", "json")
    assert done.exit_code == 0, done.output
    (chapter,) = json.loads(done.stdout)["chapters"]
    assert chapter["startTime"] == 1 and chapter["generated"] is True and "lighthouse" in chapter["title"]


def test_the_creators_chapters_are_kept(talk):
    mine = {"version": "1.2.0", "chapters": [{"startTime": 2.5, "title": "Mine"}]}
    talk.with_name("talk.chapters.json").write_text(json.dumps(mine), encoding="utf-8")
    (chapter,) = json.loads(run(talk, "--format", "json").stdout)["chapters"]
    assert (chapter["startTime"], chapter["title"]) == (2.5, "Mine") and "generated" not in chapter


@pytest.mark.parametrize(("form", "begins"), [("vtt", b"WEBVTT"), ("text", b"("), ("id3", b"ID3")])
def test_files_of_all_formats(talk, form, begins, tmp_path):
    done = run(talk, "--format", form, "--out", tmp_path / "out")
    assert done.exit_code == 0 and not done.stdout
    assert (tmp_path / "out").read_bytes().startswith(begins)


def test_a_tag_does_not_go_on_the_screen(talk):
    assert run(talk, "--format", "id3").exit_code == 2
    assert run(talk, "--audio", "a.mp3").exit_code == 2


def test_without_times_json_is_refused_in_one_line(tmp_path):
    (tmp_path / "talk.txt").write_text("Ada: Good evening to all.\nBo: Hello!\nAda: Sit.\n", encoding="utf-8")
    done = run(tmp_path / "talk.txt", "--format", "json")
    assert done.exit_code == 1 and "no start time" in done.stderr and done.stderr.count("\n") == 1


def test_a_language_model_writes_titles(talk, language_folder):
    done = run(talk, "--llm", language_folder)
    assert done.exit_code == 0 and done.stdout.strip()
    done = run(talk, "--llm", talk.parent)
    assert done.exit_code == 1 and "no causal language model" in done.stderr
