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


def gradients(small, processes, chunk=0):
    out = small / f"gradients-{processes}-{chunk}.pt.safetensors"
    command = [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={processes}", "--standalone"]
    if processes == 1:
        command = [sys.executable]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, str(SCRIPT), str(small), str(out), str(chunk)], env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
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
