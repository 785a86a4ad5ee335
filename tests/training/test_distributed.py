"""Two processes give the gradients of one with the batch doubled; a batch in chunks those of a whole one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).with_name("distributed_gradients.py")


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A recipe with everything that is gathered: negatives, both regularisers, a learned temperature."""
    from lexiscope.training.recipe import load_recipe
    from lexiscope.training.smoke import _small_family
    from lexiscope.training.smoke_rows import scenes

    out = tmp_path_factory.mktemp("small")
    for folder in ("towers", "rows"):
        (out / folder).mkdir()
    torch.manual_seed(0)
    recipe = _small_family(load_recipe("splade-max"), scenes(None, 40, pictures=False), out)
    recipe["supervision"] |= {"learn_temperature": True, "both_ways": True}
    recipe["regulariser"]["ramp"] = "none"
    recipe["train"]["batch"] = 8
    (out / "recipe.json").write_text(json.dumps(recipe))
    return out


def run_in(processes, *command):
    """Run a script, or `-m MODULE`, alone or under torchrun."""
    several = ["-m", "torch.distributed.run", f"--nproc-per-node={processes}", "--standalone"]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    started = [sys.executable, *(several if processes > 1 else []), *map(str, command)]
    done = subprocess.run(started, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def gradients(small, processes, chunk=0):
    out = small / f"gradients-{processes}-{chunk}.pt.safetensors"
    run_in(processes, SCRIPT, small, out, chunk)
    from safetensors.torch import load_file

    return load_file(out)


@pytest.mark.slow
def test_two_processes_and_chunks_change_no_gradient(small):
    alone = gradients(small, 1)
    assert "log_scale" in alone and max(float(g.abs().max()) for g in alone.values()) > 1e-3
    for other in (gradients(small, 2), gradients(small, 1, chunk=3)):
        assert other.keys() == alone.keys()
        for name, gradient in alone.items():
            torch.testing.assert_close(other[name], gradient, rtol=1e-4, atol=1e-6, msg=name)


@pytest.mark.slow
def test_two_processes_train_a_model_of_the_bundled_kind_as_one(tmp_path):
    """The whole command; the contrastive loss and the regularisers are over all vectors of a step."""
    from lexiscope.training.recipe import load_recipe
    from lexiscope.training.smoke import _small
    from lexiscope.training.smoke_rows import scenes

    (tmp_path / "rows").mkdir()
    recipe = _small(load_recipe("bundled"), scenes(None, 24, pictures=True), tmp_path)
    shape = {"patch_size": 16, "embed_dim": 32, "depth": 1, "num_heads": 2, "init_values": 1.0}
    # Without batch norms, whose statistics are each process's own.
    recipe["vision"] |= {"architecture": "vit_small_patch14_dinov2", "arguments": shape}
    recipe["language"] |= {"steps": 3}
    recipe["lexical"] |= {"steps": 2, "batch": 8, "keep_patches": 0.5, "learning_rate": 1e-4}
    recipe["lexical"]["augment"] |= {"colour": 0.0}  # colours are each process's own
    file = tmp_path / "recipe.json"
    file.write_text(json.dumps(recipe))
    logs = []
    for processes in (1, 2):
        out = tmp_path / f"run-{processes}"
        run_in(processes, "-m", "lexiscope", "train", file, "--data", tmp_path / "rows", "--out", out)
        assert (out / "model" / "model.safetensors").is_file()
        lines = (out / "lexical" / "metrics.jsonl").read_text().splitlines()
        logs.append([json.loads(line) for line in lines if "nce" in line])
    assert len(logs[0]) == 2 and logs[0][0]["nce"] > 0.1
    for alone, together in zip(*logs, strict=True):
        for name in ("nce", "use_i", "use_t", "scale", "norm"):
            assert together[name] == pytest.approx(alone[name], rel=1e-3), (name, alone, together)
