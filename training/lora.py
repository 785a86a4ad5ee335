"""Low-rank adapters in a language model (Hu et al. 2021), through peft; merged again before it is saved."""

from __future__ import annotations

from typing import Any

from torch import nn

from lexiscope.errors import RecipeError
from lexiscope.text.language_model import LanguageModel
from lexiscope.training.family_recipe import LoraSection


def add_lora(language: LanguageModel, section: LoraSection) -> Any:  # noqa: ANN401
    """Freeze a language model and put adapters into it, in place.

    Returns:
        What `merge` wants.

    Raises:
        RecipeError: peft is not installed, or the model has no layers of the names in `targets`.
    """
    try:
        from peft import LoraConfig, get_peft_model
    except ModuleNotFoundError as error:
        raise RecipeError("text.lora needs peft: pip install 'lexiscope[train]'") from error
    config = LoraConfig(
        r=section.rank, lora_alpha=section.alpha, lora_dropout=section.dropout, target_modules=section.targets
    )
    try:
        return get_peft_model(language.network, config)
    except ValueError as error:
        linear = sorted(
            {name.rpartition(".")[2] for name, part in language.network.named_modules() if _plain(part)}
        )
        raise RecipeError(
            f"text.lora.targets: no layer of this model is named {', '.join(section.targets)}; "
            f"it has {', '.join(linear)}"
        ) from error


def merge(adapted: Any) -> None:  # noqa: ANN401
    """Add the adapters to the weights that they adapt, in place, and take them out."""
    adapted.merge_and_unload()


def _plain(part: nn.Module) -> bool:
    return isinstance(part, nn.Linear)
