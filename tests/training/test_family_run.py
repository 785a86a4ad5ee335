"""Runs of the family: resumed to the bit, stopped by a bad number, saved and read again."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from lexiscope import LexicalEncoder
from lexiscope.errors import DatasetError, ModelError, RecipeError
from lexiscope.training import run
from lexiscope.training.family_stage import FamilyStage
from lexiscope.training.recipe import load_recipe
from lexiscope.training.smoke import _small_family
from lexiscope.training.smoke_rows import scenes


@pytest.fixture(scope="module", params=["splade-max", "lexlip-momentum"])
def small(request, tmp_path_factory):
    """A recipe of texts, and one of pictures with a momentum copy and queues in the checkpoint."""
    out = tmp_path_factory.mktemp("small")
    for folder in ("towers", "rows"):
        (out / folder).mkdir()
    torch.manual_seed(0)
    rules = load_recipe(request.param)
    recipe = _small_family(rules, scenes(None, 48, pictures=rules.picture is not None), out)
    recipe["train"] |= {"steps": 6, "save_every": 2}
    (out / "recipe.json").write_text(json.dumps(recipe))
    return out


def train(small, out, **arguments):
    return run(small / "recipe.json", data=small / "rows", out=out, **arguments)


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_bit(small, tmp_path, monkeypatch):
    whole = load_file(train(small, tmp_path / "whole") / "model.safetensors")
    original = FamilyStage.loss

    def killed(self, batch, step):
        if step == 3:
            raise KeyboardInterrupt
        return original(self, batch, step)

    with monkeypatch.context() as patch:
        patch.setattr(FamilyStage, "loss", killed)
        with pytest.raises(KeyboardInterrupt):
            train(small, tmp_path / "parts")
    with pytest.raises(RecipeError, match="--resume"):
        train(small, tmp_path / "parts")
    parts = load_file(train(small, tmp_path / "parts", resume=True) / "model.safetensors")
    assert parts.keys() == whole.keys()
    assert all(torch.equal(parts[name], tensor) for name, tensor in whole.items())


@pytest.mark.slow
def test_a_bad_number_stops_the_run_and_keeps_the_step_before(small, tmp_path, monkeypatch):
    original = FamilyStage.loss

    def broken(self, batch, step):
        loss, figures = original(self, batch, step)
        return loss * (float("nan") if step == 5 else 1.0), figures

    monkeypatch.setattr(FamilyStage, "loss", broken)
    with pytest.raises(RecipeError, match=r"nan at step 5.*checkpoint") as caught:
        train(small, tmp_path / "run")
    assert "\n" not in str(caught.value)
    kept = tmp_path / "run" / "family" / "checkpoint"
    assert json.loads((kept / "state.json").read_text())["step"] == 5
    assert all(
        t.isfinite().all() for t in load_file(kept / "model.safetensors").values() if t.is_floating_point()
    )


@pytest.mark.slow
def test_a_model_is_read_again_as_it_was(small, tmp_path):
    folder = train(small, tmp_path / "run")
    encoder = LexicalEncoder.from_pretrained(folder, device="cpu")
    texts = ["a red dog at the beach", "", "a boat " * 60]
    first = encoder.encode_query(texts)
    encoder.save_pretrained(tmp_path / "again")
    again = LexicalEncoder.from_pretrained(tmp_path / "again", device="cpu").encode_query(texts)
    np.testing.assert_allclose(first.toarray(), again.toarray(), atol=1e-6)
    assert first.shape == (3, len(encoder.vocabulary)) and (first.data >= 0).all()
    if encoder.model.picture is None:
        with pytest.raises(ModelError, match="no picture"):
            encoder.encode_image(["x.png"])


def test_too_few_rows_and_missing_scores_say_so(small, tmp_path):
    recipe = json.loads((small / "recipe.json").read_text())
    recipe["train"]["batch"] = 64
    recipe["supervision"]["queue"] = 0
    (tmp_path / "recipe.json").write_text(json.dumps(recipe))
    with pytest.raises(DatasetError, match=r"48 rows.*train\.batch is 64"):
        run(tmp_path / "recipe.json", data=small / "rows", out=tmp_path / "run")


def test_a_missing_model_is_one_line(small, tmp_path):
    recipe = json.loads((small / "recipe.json").read_text())
    recipe["text"]["pretrained"] = str(tmp_path / "nowhere")
    (tmp_path / "recipe.json").write_text(json.dumps(recipe))
    with pytest.raises(ModelError, match="nowhere") as caught:
        run(tmp_path / "recipe.json", data=small / "rows", out=tmp_path / "run")
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_a_run_begins_with_an_earlier_runs_model(small, tmp_path):
    earlier = train(small, tmp_path / "earlier")
    recipe = json.loads((small / "recipe.json").read_text())
    recipe["train"] |= {"learning_rate": 1e-12, "steps": 2}  # as good as none
    (tmp_path / "still.json").write_text(json.dumps(recipe))
    begun = run(
        tmp_path / "still.json", data=small / "rows", out=tmp_path / "still", start=tmp_path / "earlier"
    )
    before, after = (load_file(folder / "model.safetensors") for folder in (earlier, begun))
    assert before.keys() == after.keys()
    for name, tensor in before.items():
        torch.testing.assert_close(after[name], tensor, atol=1e-6, rtol=0)
    # What is not trained is in no checkpoint: a resumed run looks where it began.
    note = tmp_path / "still" / "family" / "start.txt"
    assert note.read_text() == str((tmp_path / "earlier").absolute())

    recipe["vocabulary"]["keep"] = "lexvla"
    (tmp_path / "other.json").write_text(json.dumps(recipe))
    for model, reason in ((earlier, "vocabulary"), ("bundled", "no model of the family")):
        with pytest.raises(RecipeError, match=reason) as caught:
            run(tmp_path / "other.json", data=small / "rows", out=tmp_path / "other", start=model)
        assert "\n" not in str(caught.value)
