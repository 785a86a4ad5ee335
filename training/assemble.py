"""Build the vocabulary and the untrained model that a recipe describes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lexiscope.head import HeadConfig, LexiconHead
from lexiscope.model import LexicalModel
from lexiscope.text.tower import TextTower
from lexiscope.torchvision_shim import ensure_torchvision_operators
from lexiscope.training.language import train_tokenizer
from lexiscope.training.recipe import HeadSection, Recipe, TextSection, VisionSection
from lexiscope.vision.tower import VisionConfig, VisionTower
from lexiscope.vocabulary import Vocabulary, words


def make_vision(section: VisionSection) -> VisionTower:
    """The picture tower: loaded, or fresh.

    Raises:
        ModelError: timm cannot load or make it.
    """
    if section.pretrained is not None:
        return VisionTower.from_pretrained(
            section.pretrained, image_size=section.image_size, resize=section.resize
        )
    size = section.image_size or VisionConfig(str(section.architecture)).image_size
    return VisionTower(
        VisionConfig(str(section.architecture), section.arguments, size, resize=section.resize)
    )


def make_language_model(section: TextSection, texts: Iterable[str]) -> tuple[Any, nn.Module]:
    """A fresh tokenizer, trained on texts, and a fresh causal language model of the recipe's shape."""
    ensure_torchvision_operators()  # transformers imports torchvision
    from transformers import AutoConfig, AutoModelForCausalLM

    tokenizer = train_tokenizer(texts, section.tokenizer_size)
    known = dict(section.language_model or {})
    end = tokenizer.eos_token_id
    config = AutoConfig.for_model(
        known.pop("model_type"),
        **{
            "vocab_size": len(tokenizer),
            "eos_token_id": end,
            "bos_token_id": end,
            "pad_token_id": end,
            **known,
        },
    )
    return tokenizer, AutoModelForCausalLM.from_config(config)


def make_text(section: TextSection, folder: Path) -> tuple[TextTower, Tensor]:
    """The text tower and the rows of its output embedding; `folder` holds the language stage's model."""
    source = section.pretrained if section.pretrained is not None else str(folder)
    return TextTower.from_pretrained(source, max_length=section.max_length, prompt=section.prompt)


def make_vocabulary(
    recipe: Recipe, captions: Iterable[str], texts: Iterable[str]
) -> tuple[Vocabulary, list[int]]:
    """The vocabulary, and the ids (ascending) of the terms that the heads can say."""
    rules = recipe.vocabulary
    captions = list(captions)
    vocabulary = Vocabulary.from_texts(
        [*captions, *texts], min_count=rules.min_count, max_words=rules.max_words, pieces=rules.pieces
    )
    counts = Counter(word for caption in captions for word in words(caption))
    silent = set(rules.silent)
    spoken = (
        vocabulary.id_of(word)
        for word, count in counts.items()
        if count >= rules.spoken_min_count and word not in silent
    )
    return vocabulary, sorted(number for number in spoken if number is not None)


def codebook_rows(vocabulary: Vocabulary, ids: list[int], tokenizer: Any, rows: Tensor) -> Tensor:  # noqa: ANN401
    """Start of a codebook: for each term the mean of its tokens' output-embedding rows.

    A word that the language model's tokenizer knows whole gets that token's row unchanged (LexVLA).
    """
    start = torch.empty(len(ids), rows.shape[1])
    for place, number in enumerate(ids):
        tokens = tokenizer(" " + vocabulary.terms[number], add_special_tokens=False)["input_ids"]
        start[place] = rows[tokens].float().mean(dim=0) if tokens else rows.float().mean(dim=0)
    return start


def inverse_document_frequency(vocabulary: Vocabulary, texts: Iterable[str], *, top: float = 2.0) -> Tensor:
    """Start of the literal weights: log(1 + N / df) scaled so that an unseen term weighs `top`, (V,)."""
    counts = torch.zeros(len(vocabulary))
    n = 0
    for text in texts:
        n += 1
        counts[list(set(vocabulary.literals(text)))] += 1
    return top * torch.log1p(n / counts.clamp(min=1)) / math.log1p(max(1, n))


def make_model(
    recipe: Recipe,
    vocabulary: Vocabulary,
    spoken: list[int],
    vision: VisionTower,
    text: TextTower,
    rows: Tensor,
    literal: Tensor,
) -> LexicalModel:
    """Towers and heads over the vocabulary, ready to be trained."""
    start = codebook_rows(vocabulary, spoken, text.tokenizer, rows)
    heads = recipe.heads
    if heads.code_width is not None and heads.code_width < start.shape[1]:
        # Principal directions keep what tells the words apart.
        _, _, directions = torch.linalg.svd(start - start.mean(dim=0), full_matrices=False)
        start = start @ directions[: heads.code_width].T
    return LexicalModel(
        vocabulary,
        vision,
        _head(heads.vision, vision.width, spoken, start, heads.bias),
        text,
        _head(heads.text, text.width, spoken, start, heads.bias),
        literal,
    )


def _head(section: HeadSection, width: int, spoken: list[int], start: Tensor, bias: float) -> LexiconHead:
    config = HeadConfig(width=width, code_width=start.shape[1], terms=len(spoken), **section.model_dump())
    head = LexiconHead(config, torch.tensor(spoken), start)
    nn.init.constant_(head.bias, bias)
    return head
