"""Build the untrained model that a family recipe describes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lexiscope import storage
from lexiscope.clip_tower import ClipTower
from lexiscope.errors import RecipeError
from lexiscope.family import FamilyModel
from lexiscope.family_config import FamilyConfig, ProjectorConfig
from lexiscope.sparse_encoders import EncoderConfig
from lexiscope.text.language_model import LanguageModel
from lexiscope.text.token_terms import token_vocabulary
from lexiscope.training.family_recipe import FamilyRecipe, FamilyText, SideSection
from lexiscope.training.transplant import transplant
from lexiscope.vision.tower import VisionTower
from lexiscope.vocabulary import Vocabulary

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def make_family(recipe: FamilyRecipe, texts: Iterable[str]) -> FamilyModel:
    """Towers loaded, heads started.

    Args:
        recipe: what to build.
        texts: documents that document frequencies are counted in, where a side needs them.

    Raises:
        ModelError: a tower cannot be loaded.
        RecipeError: parts of the recipe do not fit each other's sizes.
    """
    text = _language(recipe.text, recipe.text.prompt)
    query_text = None
    if recipe.text.separate:
        query_text = _language(recipe.text, recipe.text.query_prompt or recipe.text.prompt)
    vocabulary, token_ids = _vocabulary(recipe, text)
    rows = _rows(recipe, text, vocabulary, token_ids)
    model = FamilyModel(
        _config(recipe, text, rows),
        vocabulary,
        token_ids=token_ids,
        text=text,
        query_text=query_text,
        vision=_vision(recipe),
        dense=_dense(recipe),
        rows={"query": rows, "document": rows, "picture": rows},
    )
    if "idf" in (recipe.query.encoder, recipe.document.encoder):
        model.idf.copy_(idf(model, texts))
        for side in (model.query, model.document):
            if side.config.kind == "idf":
                side.idf.data.copy_(model.idf)
    return _frozen(recipe, model)


def idf(model: FamilyModel, texts: Iterable[str], *, at_a_time: int = 256) -> Tensor:
    """Inverse document frequency of every term: log( 1 + (N - df + ½) / (df + ½) ), (V,)."""
    frequency, n = torch.zeros(len(model.vocabulary)), 0
    chunk: list[str] = []
    for text in [*texts, None]:
        if text is not None:
            chunk.append(text)
        if chunk and (text is None or len(chunk) == at_a_time):
            windows = model.language("document").windows(chunk) if len(model.token_ids) else None
            frequency += (model.counts(chunk, windows) > 0).sum(dim=0)
            n, chunk = n + len(chunk), []
    return torch.log1p((n - frequency + 0.5) / (frequency + 0.5))


def _language(section: FamilyText, prompt: str) -> LanguageModel:
    language = LanguageModel.from_pretrained(
        section.pretrained,
        kind=section.kind,
        max_length=section.max_length,
        prompt=prompt,
        dtype=_DTYPES[section.dtype],
    )
    if section.checkpointing:
        network: Any = language.network
        # transformers renames it in its sixth version
        name = "activation_checkpointing_enable"
        enable = getattr(network, name, None) or network.gradient_checkpointing_enable
        enable()
        network.enable_input_require_grads()
    return language


def _vocabulary(recipe: FamilyRecipe, text: LanguageModel) -> tuple[Vocabulary, Tensor | None]:
    rules = recipe.vocabulary
    if rules.terms == "tokens":
        vocabulary, ids = token_vocabulary(text.tokenizer, rules.keep)
        rows = text.decoder.out_features
        if max(ids) >= rows:
            raise RecipeError(
                f"{recipe.text.pretrained}: its tokenizer has {max(ids) + 1} tokens, its output layer "
                f"{rows} rows; "
                "this is not the tokenizer that the model was trained with"
            )
        return vocabulary, torch.tensor(ids)
    place = Path(rules.lexicon).expanduser()
    file = place if place.is_file() else storage.resolve(rules.lexicon) / storage.VOCABULARY
    return Vocabulary.load(file), None


def _rows(recipe: FamilyRecipe, text: LanguageModel, vocabulary: Vocabulary, ids: Tensor | None) -> Tensor:
    """Start of the codebooks: the output layer's rows of the terms, (V, width)."""
    rows = text.decoder.weight.detach().float()
    if ids is not None:
        return rows[ids]
    donor = _donor(recipe, vocabulary)
    made = transplant(
        vocabulary.terms, text.tokenizer, rows, donor=donor, method=recipe.vocabulary.rows, seed=recipe.seed
    )
    return made.rows


def _donor(recipe: FamilyRecipe, vocabulary: Vocabulary) -> Tensor | None:
    """Rows (V, d) of the words in another lexiscope model, zero where it has none."""
    name = recipe.vocabulary.donor or recipe.vocabulary.lexicon
    if recipe.vocabulary.rows == "mean" or Path(name).expanduser().is_file():
        return None
    folder = storage.resolve(name)
    weights = storage.read_weights(folder)
    if "text_head.codebook" not in weights:
        return None
    known = Vocabulary.load(folder / storage.VOCABULARY).terms
    book, places = weights["text_head.codebook"], weights["text_head.term_ids"].tolist()
    donor = torch.zeros(len(vocabulary), book.shape[1])
    for row, place in zip(book, places, strict=True):
        number = vocabulary.id_of(known[place])
        if number is not None:
            donor[number] = row
    return donor


def _vision(recipe: FamilyRecipe) -> VisionTower | None:
    section = recipe.vision
    if section is None:
        return None
    return VisionTower.from_pretrained(
        section.pretrained, image_size=section.image_size, resize=section.resize
    )


def _dense(recipe: FamilyRecipe) -> ClipTower | None:
    section = recipe.dense
    return ClipTower.from_pretrained(section.pretrained) if section is not None and section.as_tower else None


def _config(recipe: FamilyRecipe, text: LanguageModel, rows: Tensor) -> FamilyConfig:
    sides = {"query": recipe.query, "document": recipe.document, "picture": recipe.picture}
    projectors = {
        name: _projector(recipe, name, side, text, rows)
        for name, side in sides.items()
        if side is not None and side.codebook == "own" and side.encoder in ("head", "cls")
    }
    encoders = {name: EncoderConfig(**side.rules()) for name, side in sides.items() if side is not None}
    return FamilyConfig(
        encoders["query"], encoders["document"], encoders.get("picture"), recipe.shared, projectors
    )


def _projector(
    recipe: FamilyRecipe, name: str, side: SideSection, text: LanguageModel, rows: Tensor
) -> ProjectorConfig:
    if side.adapter == "copied" and not text.transforming():
        raise RecipeError(
            f'{name}.adapter = "copied": a causal language model has no head to copy; use "linear"'
        )
    of_text = name != "picture" and recipe.dense is None and text.width == rows.shape[1]
    if side.adapter == "none" and not of_text:
        raise RecipeError(
            f'{name}.adapter = "none": only a language model\'s own states are in the space of its output '
            'rows; use "linear"'
        )
    return ProjectorConfig(rows.shape[1], side.adapter, side.freeze_codebook)


def _frozen(recipe: FamilyRecipe, model: FamilyModel) -> FamilyModel:
    """Take what is not to be trained out of training."""
    for language in (model.text, model.query_text):
        if language is not None and (recipe.text.frozen or not recipe.needs_tower):
            language.requires_grad_(False)
    if model.vision is not None and recipe.vision is not None and recipe.vision.frozen:
        model.vision.requires_grad_(False)
    return model
