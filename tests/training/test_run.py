"""Whole runs of a tiny recipe on the real command's code: they learn, resume to the bit, and save."""

import io
import json
import math
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from lexiscope import LexicalEncoder
from lexiscope.errors import DatasetError, RecipeError
from lexiscope.training import run
from lexiscope.training.loop import Schedule, fit

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (30, 40, 220), "white": (240, 240, 240)}
PLACES = ("beach", "street", "garden")


def picture(colour, seed):
    rng = np.random.default_rng(seed)
    noise = rng.integers(-15, 15, (40, 40, 3))
    buffer = io.BytesIO()
    Image.fromarray(np.clip(np.array(COLOURS[colour]) + noise, 0, 255).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    rows = [(colour, place, seed) for seed in range(4) for colour in COLOURS for place in PLACES]
    table = pa.table(
        {
            "id": [f"{c}-{p}-{s}" for c, p, s in rows],
            "image": [{"bytes": picture(c, s), "path": None} for c, _, s in rows],
            "captions": [[f"a {c} ball", f"the ball is {c} in the {p}"] for c, p, _ in rows],
        }
    )
    pq.write_table(table, folder / "train.parquet")
    return folder


RECIPE = """
name = "tiny"
description = "four colours"
[data]
pictures = ["train.parquet"]
dev = "train.parquet"
[vocabulary]
min_count = 1
pieces = 20
spoken_min_count = 1
silent = ["a", "the"]
[vision]
architecture = "vit_small_patch14_dinov2"
arguments = { patch_size = 16, embed_dim = 32, depth = 1, num_heads = 2, init_values = 1.0 }
image_size = 32
resize = "squash"
[text]
tokenizer_size = 300
[text.language_model]
model_type = "llama"
hidden_size = 32
intermediate_size = 48
num_hidden_layers = 1
num_attention_heads = 2
num_key_value_heads = 2
[heads]
bias = -1.0
[heads.vision]
keep = "top_k"
top_k = 4
[heads.text]
keep = "top_k"
top_k = 4
[language]
steps = 3
batch = 2
length = 16
[lexical]
steps = STEPS
batch = 16
learning_rate = 5e-3
warmup = 5
average = AVERAGE
save_every = 4
evaluate_every = 100
[lexical.loss]
ramp = 10
regulariser = "REGULARISER"
expansion_steps = 10
"""


def recipe(folder, *, steps=12, average=0.9, regulariser="overuse"):
    file = folder / "tiny.toml"
    text = RECIPE.replace("STEPS", str(steps)).replace("AVERAGE", str(average))
    file.write_text(text.replace("REGULARISER", regulariser))
    return file


def figures(folder):
    return [json.loads(line) for line in (folder / "lexical" / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("regulariser", ["overuse", "flops"])
def test_a_trained_model_finds_pictures_by_their_colour(data, tmp_path, regulariser):
    file = recipe(tmp_path, steps=100, average=0.9, regulariser=regulariser)
    folder = run(file, data=data, out=tmp_path / "run")
    encoder = LexicalEncoder.from_pretrained(folder, device="cpu")
    shown = encoder.encode_image([picture(colour, 99) for colour in COLOURS])
    asked = encoder.encode_query([f"a {colour} ball" for colour in COLOURS])
    scores = (asked @ shown.T).toarray()
    assert scores.argmax(axis=1).tolist() == list(range(len(COLOURS)))
    log = figures(tmp_path / "run")
    assert log[-2]["nce"] < 0.7 * math.log(16)  # the loss of a guess in a batch of 16
    assert "dev/t2i R@10" in log[-1]
    assert "four colours" in (folder / "README.md").read_text()


@pytest.mark.slow
def test_a_resumed_run_is_the_same_to_the_bit(data, tmp_path, monkeypatch):
    whole = run(recipe(tmp_path), data=data, out=tmp_path / "whole")
    calls = 0

    from lexiscope.training.lexical import LexicalStage

    original = LexicalStage.loss

    def killed(self, batch, step):
        nonlocal calls
        calls += 1
        if calls == 7:
            raise KeyboardInterrupt
        return original(self, batch, step)

    with monkeypatch.context() as patch:
        patch.setattr(LexicalStage, "loss", killed)
        with pytest.raises(KeyboardInterrupt):
            run(recipe(tmp_path), data=data, out=tmp_path / "parts")
    resumed = run(recipe(tmp_path), data=data, out=tmp_path / "parts", resume=True)
    left, right = load_file(whole / "model.safetensors"), load_file(resumed / "model.safetensors")
    assert left.keys() == right.keys()
    for name, tensor in left.items():
        assert torch.equal(tensor, right[name]), name


def test_an_earlier_run_is_not_written_over(data, tmp_path):
    checkpoint = tmp_path / "run" / "lexical" / "checkpoint"
    checkpoint.mkdir(parents=True)
    with pytest.raises(RecipeError, match="--resume"):
        run(recipe(tmp_path), data=data, out=tmp_path / "run")
    assert checkpoint.exists()


def test_a_missing_data_file_says_what_to_name(tmp_path):
    with pytest.raises(DatasetError, match="--data"):
        run(recipe(tmp_path), data=tmp_path / "nowhere", out=tmp_path / "run")


class Diverging:
    """A stage whose loss is no number."""

    def __init__(self):
        self.module = torch.nn.Linear(2, 1)

    def batch(self, step):
        return torch.ones(1, 2)

    def loss(self, batch, step):
        return self.module(batch).sum() * float("nan"), {}

    def evaluate(self):
        return {}


def test_a_loss_that_is_no_number_stops_the_run_and_says_so(tmp_path):
    with pytest.raises(RecipeError, match="learning_rate"):
        fit(Diverging(), Schedule(steps=2), tmp_path / "stage", device=torch.device("cpu"))


def test_the_schedule_warms_up_and_ends_at_nothing():
    schedule = Schedule(steps=100, learning_rate=1.0, warmup=10)
    assert schedule.rate(0) == pytest.approx(0.1)
    assert schedule.rate(10) == pytest.approx(1.0)
    assert schedule.rate(100) == pytest.approx(0.0)
    assert all(schedule.rate(step) >= schedule.rate(step + 1) for step in range(10, 100))


def test_a_cooldown_keeps_the_rate_until_its_last_steps():
    short, longer = (Schedule(steps=n, learning_rate=1.0, warmup=10, cooldown=20) for n in (100, 200))
    assert all(short.rate(step) == longer.rate(step) for step in range(80))  # a run can be made longer
    assert short.rate(80) == 1.0 and short.rate(90) == pytest.approx(0.5)
    assert short.rate(99) == pytest.approx(0.05) and longer.rate(100) == 1.0


TEACHER = """
[distil]
teacher = "teacher.tflite"
views = 2
steps = 20
batch = 16
learning_rate = 5e-3
warmup = 2
[head_start]
steps = 40
batch = 16
learning_rate = 5e-3
warmup = 5
evaluate_every = 100
[head_start.loss]
ramp = 10
"""


@pytest.fixture
def taught(tmp_path, monkeypatch):
    """A recipe with a teacher whose maps are the pictures' colours, seen through a fixed random matrix."""

    class Colours(torch.nn.Module):
        def __init__(self):
            super().__init__()
            basis = np.random.default_rng(0).normal(size=(3, 1280)).astype(np.float32)
            self.basis = torch.nn.Parameter(torch.from_numpy(basis))

        def forward(self, pixels):
            parts = torch.nn.functional.adaptive_avg_pool2d(pixels / 128 - 1, 7)
            return torch.einsum("nchw,cd->ndhw", parts, self.basis)

    monkeypatch.setattr("lexiscope.training.teacher.read_mobilenet", lambda file: Colours())
    file = recipe(tmp_path)
    file.write_text(file.read_text().replace("[heads.vision]", "[heads.vision]\nneck = 256") + TEACHER)
    return file


def states(folder, stage):
    return load_file(folder / stage / "checkpoint" / "model.safetensors")


@pytest.mark.slow
@pytest.mark.parametrize("keep", [1.0, 0.5])
def test_heads_learn_from_the_teacher_and_then_fit_behind_the_tower(data, tmp_path, taught, keep):
    out = tmp_path / "run"
    taught.write_text(taught.read_text().replace("[distil]", f"[distil]\nkeep_patches = {keep}"))
    folder = run(taught, data=data, out=out)
    distilled, heads = states(out, "distil"), states(out, "head_start")
    for name, tensor in distilled.items():
        name = name.replace("tower.model.", "model.vision.model.")
        name = name.replace("to_teacher.", "model.vision_head.neck.")
        assert torch.equal(heads[name], tensor), name  # the head start leaves the tower alone
    log = [json.loads(line) for line in (out / "distil" / "metrics.jsonl").read_text().splitlines()]
    assert log[-1]["loss"] < 1.5  # of 2 where nothing is known
    log = [json.loads(line) for line in (out / "head_start" / "metrics.jsonl").read_text().splitlines()]
    assert log[-2]["nce"] < log[0]["nce"]
    assert "distil" not in log[0]
    assert "distil" in figures(out)[0]
    assert LexicalEncoder.from_pretrained(folder, device="cpu").encode_image([picture("red", 1)]).nnz == 4


@pytest.mark.slow
def test_a_run_with_a_teacher_goes_on_from_any_stage(data, tmp_path, taught):
    out = tmp_path / "run"
    whole = load_file(run(taught, data=data, out=out) / "model.safetensors")
    shutil.rmtree(out / "lexical")
    shutil.rmtree(out / "model")
    again = load_file(run(taught, data=data, out=out, resume=True) / "model.safetensors")
    assert all(torch.equal(again[name], tensor) for name, tensor in whole.items())


@pytest.mark.slow
def test_a_model_is_trained_on_from_where_it_stands(data, tmp_path, taught):
    first = run(taught, data=data, out=tmp_path / "first")
    untouched = taught.read_text().replace("learning_rate = 5e-3", "learning_rate = 1e-9")
    taught.write_text(untouched)
    again = run(taught, data=data, out=tmp_path / "again", start=first)
    assert not (tmp_path / "again" / "distil").exists()
    before, after = load_file(first / "model.safetensors"), load_file(again / "model.safetensors")
    for name, tensor in before.items():
        if "running_" not in name and "num_batches" not in name:
            torch.testing.assert_close(after[name], tensor, atol=1e-6, rtol=1e-5)


def test_a_start_without_a_neck_is_refused(data, tmp_path, taught, model_folder):
    with pytest.raises(RecipeError, match="neck"):
        run(taught, data=data, out=tmp_path / "run", start=model_folder)


def test_a_teacher_needs_a_neck(taught):
    taught.write_text(taught.read_text().replace("neck = 256", "neck = 8"))
    with pytest.raises(RecipeError, match="neck = 256"):
        run(taught)
