"""Run by test_distributed.py, once alone and once under torchrun: writes the gradients of one step."""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from lexiscope.training.distributed import average_gradients, leave, rank, start
from lexiscope.training.family_assemble import make_family
from lexiscope.training.family_draw import TextDraw
from lexiscope.training.family_stage import FamilyModule, FamilyStage
from lexiscope.training.recipe import load_recipe
from lexiscope.training.rows import open_rows


def main(folder: Path, out: Path, chunk: int) -> None:
    device = start()
    recipe = load_recipe(folder / "recipe.json")
    recipe = recipe.model_copy(update={"train": recipe.train.model_copy(update={"chunk": chunk})})
    torch.manual_seed(0)
    rows = open_rows([folder / "rows" / name for name in recipe.data.train])
    module = FamilyModule(make_family(recipe, ()), recipe).eval()  # without dropout
    stage = FamilyStage(module, recipe, TextDraw(rows, recipe, module.model, device))
    loss, _ = stage.loss(stage.batch(0), 1)
    loss.backward()
    trained = {name: p for name, p in module.named_parameters() if p.requires_grad}
    average_gradients(trained.values())
    if rank() == 0:
        save_file({name: p.grad.clone() for name, p in trained.items() if p.grad is not None}, out)
    leave()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
