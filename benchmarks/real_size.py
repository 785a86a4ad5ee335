"""Parameters, memory and FLOPs of the real-size recipes, worked out on meta tensors (docs/real-size.md).

    python benchmarks/real_size.py

Nothing is downloaded: the published shapes are below, the networks are built without memory, and
`torch.utils.flop_counter` counts what one forward pass of them does.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lexiscope.torchvision_shim import ensure_torchvision_operators
from lexiscope.training.family_recipe import FamilyRecipe
from lexiscope.training.recipe import load_recipe, recipes

# The configurations that these checkpoints are published with.
SHAPES: dict[str, dict[str, Any]] = {
    "distilbert-base-uncased": {"model_type": "distilbert"},
    "bert-base-uncased": {"model_type": "bert"},
    "google/bert_uncased_L-4_H-256_A-4": {
        "model_type": "bert",
        "hidden_size": 256,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "intermediate_size": 1024,
    },
    "meta-llama/Llama-2-7b-hf": {"model_type": "llama"},
    "mistralai/Mistral-7B-v0.1": {"model_type": "mistral"},
    "Qwen/Qwen2.5-3B": {
        "model_type": "qwen2",
        "vocab_size": 151936,
        "hidden_size": 2048,
        "intermediate_size": 11008,
        "num_hidden_layers": 36,
        "num_attention_heads": 16,
        "num_key_value_heads": 2,
        "tie_word_embeddings": True,
    },
    "HuggingFaceTB/SmolLM2-135M": {
        "model_type": "llama",
        "vocab_size": 49152,
        "hidden_size": 576,
        "intermediate_size": 1536,
        "num_hidden_layers": 30,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
        "tie_word_embeddings": True,
    },
}
BYTES_TRAINED = 16  # weight, gradient and two moments in float32
RATE = 0.4 * 312e12  # of an A100 in bf16, at forty percent


def flops(network: nn.Module, *inputs: Any, **named: Any) -> int:  # noqa: ANN401
    """Floating-point operations of one forward pass."""
    with FlopCounterMode(display=False) as counter:
        network(*inputs, **named)
    return int(counter.get_total_flops())


def text_tower(recipe: FamilyRecipe) -> tuple[int, int, int]:
    """Parameters, those that are trained, and FLOPs of one text of the longest length."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForMaskedLM

    shape = dict(SHAPES[recipe.text.pretrained])
    kind = AutoModelForMaskedLM if recipe.text.kind == "masked" else AutoModelForCausalLM
    with torch.device("meta"):
        network = kind.from_config(AutoConfig.for_model(shape.pop("model_type"), **shape))
        whole = sum(p.numel() for p in network.parameters())
        copies = max(1, recipe.text.prompt.count("{text}"))
        ids = torch.zeros((1, copies * recipe.text.max_length), dtype=torch.long)
        cost = flops(network.eval(), input_ids=ids)
    if not recipe.needs_tower:
        return whole, 0, 0
    lora = recipe.text.lora
    if lora is None:
        return whole, 0 if recipe.text.frozen else whole, cost
    layers = (part for name, part in network.named_modules() if name.rpartition(".")[2] in lora.targets)
    return whole, sum(lora.rank * (part.in_features + part.out_features) for part in layers), cost


def picture_tower(recipe: FamilyRecipe) -> tuple[int, int, int]:
    """Parameters, those that are trained, and FLOPs of one picture, with the codebook of its head."""
    if recipe.vision is None or recipe.picture is None:
        return 0, 0, 0
    import timm

    side = recipe.vision.image_size or 224
    name = recipe.vision.pretrained.rpartition("/")[2].split(".")[0]
    with torch.device("meta"):
        sized = {} if "beit" in name else {"img_size": side}
        network = timm.create_model(name, num_classes=0, **sized).eval()
        cost = flops(network, torch.zeros(1, 3, side, side))
    whole = sum(p.numel() for p in network.parameters())
    return whole, 0 if recipe.vision.frozen else whole, cost


def main() -> None:
    """Print the table."""
    ensure_torchvision_operators()
    print(
        "| recipe | parameters | trained | weights, optimiser | GFLOPs a row | batch · steps | A100 hours |"
    )
    print("|---|--:|--:|--:|--:|--:|--:|")
    for name in recipes():
        recipe = load_recipe(name)
        if not isinstance(recipe, FamilyRecipe):
            continue
        parts = [text_tower(recipe), picture_tower(recipe)]
        whole, trained = (sum(part[place] for part in parts) for place in (0, 1))
        texts = (
            1
            if recipe.picture
            else (recipe.query.encoder not in ("binary", "idf")) + 1 + recipe.data.negatives
        )
        row = texts * parts[0][2] + parts[1][2]
        # Forward and backward, and once more forward where activations are made again.
        passes = 3 + bool(recipe.train.chunk or recipe.text.checkpointing)
        hours = passes * row * recipe.train.batch * recipe.train.steps / RATE / 3600
        frozen = (2 if recipe.text.dtype == "bf16" else 4) * (whole - trained)
        memory = (frozen + BYTES_TRAINED * trained) / 2**30
        size = f"{recipe.train.batch:,} · {recipe.train.steps:,}"
        print(
            f"| {name} | {whole / 1e6:,.0f} M | {trained / 1e6:,.1f} M | {memory:.1f} GiB | "
            f"{row / 1e9:,.0f} | {size} | {hours:,.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
