"""Tiny towers, hardly trained, saved in the hub's own formats and loaded the way real ones are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from lexiscope.clip_tower import CONFIG, WEIGHTS, ClipTower, load_open_clip
from lexiscope.head import pool
from lexiscope.text.language_model import LanguageModel, LanguageModelConfig
from lexiscope.text.templates import SLOT
from lexiscope.torchvision_shim import ensure_torchvision_operators
from lexiscope.training.language import train_tokenizer
from lexiscope.training.loop import epoch_rows
from lexiscope.training.losses import info_nce
from lexiscope.training.smoke_rows import Scene
from lexiscope.training.supervision import query_likelihood
from lexiscope.vision.pictures import open_picture

WIDTH = 64
SIDE = 64  # pixels
_TOKENS = 800
_CLIP_STEPS = 100
_CAUSAL_STEPS = 120
_ASKED_STEPS = 80  # more, where the prompt asks for something
_MASKED_STEPS = 100
_QUIET = 4.0
_SAID = 2  # terms that a position says out loud, on average


def tiny_masked(folder: Path, texts: Sequence[str], *, like: str) -> None:
    """A masked language model of two layers, BERT or DistilBERT, with a WordPiece tokenizer of the texts."""
    ensure_torchvision_operators()
    from transformers import AutoConfig, AutoModelForMaskedLM

    tokenizer = _wordpiece(texts)
    tokenizer.save_pretrained(folder)
    shape: dict[str, Any] = {"vocab_size": len(tokenizer), "max_position_embeddings": 512}
    if "distil" in like:
        kind, sizes = "distilbert", {"dim": WIDTH, "n_layers": 2, "n_heads": 2, "hidden_dim": 2 * WIDTH}
    else:
        kind = "bert"
        sizes = {"hidden_size": WIDTH, "num_hidden_layers": 2, "num_attention_heads": 2}
        sizes["intermediate_size"] = 2 * WIDTH
    config = AutoConfig.for_model(kind, **shape, **sizes, pad_token_id=tokenizer.pad_token_id)
    network = AutoModelForMaskedLM.from_config(config)
    _fill_in(network, tokenizer, texts)  # a head that has read nothing says nothing of a word
    network.save_pretrained(folder)


def _fill_in(network: Any, tokenizer: Any, texts: Sequence[str]) -> None:  # noqa: ANN401
    """A few steps of masked language modelling: a third of the words is hidden, and all are to be said."""
    windows = tokenizer(list(texts), padding=True, truncation=True, max_length=32, return_tensors="pt")
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    generator = torch.Generator().manual_seed(0)
    for step in range(_MASKED_STEPS):
        rows = torch.from_numpy(epoch_rows(step, 32, len(texts), 0))
        ids, mask = windows["input_ids"][rows], windows["attention_mask"][rows]
        hidden = (torch.rand(ids.shape, generator=generator) < 1 / 3) & (ids > tokenizer.mask_token_id)
        seen = ids.masked_fill(hidden, tokenizer.mask_token_id)
        loss = network(input_ids=seen, attention_mask=mask, labels=ids.masked_fill(mask == 0, -100)).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    _hush(network, windows["input_ids"][:32], windows["attention_mask"][:32])


@torch.no_grad()
def _hush(network: Any, ids: Tensor, mask: Tensor) -> None:  # noqa: ANN401
    """Move all logits down by one number, so that a position says a few terms out loud, as BERT's do.

    A softmax does not see such a shift; ReLU does.
    """
    logits = network(input_ids=ids, attention_mask=mask).logits[mask > 0]
    network.get_output_embeddings().bias -= torch.quantile(
        logits[:256].flatten(), 1 - _SAID / logits.shape[1]
    )


def _wordpiece(texts: Sequence[str]) -> Any:  # noqa: ANN401
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(vocab_size=_TOKENS, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    ends = [("[CLS]", tokenizer.token_to_id("[CLS]")), ("[SEP]", tokenizer.token_to_id("[SEP]"))]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )


def tiny_causal(folder: Path, texts: Sequence[str], *, like: str, prompt: str = "{text}") -> None:
    """A causal language model of two layers (Llama, Mistral or Qwen2) with a byte-level tokenizer.

    Args:
        folder: where it is saved.
        texts: what it has read.
        like: the name of the real one.
        prompt: what the recipe puts around a text; the model has read the texts in it, as it cannot have
            learned to follow any.
    """
    ensure_torchvision_operators()
    from transformers import AutoConfig, AutoModelForCausalLM

    # The prompt's words are tokens, as they are in a real tokenizer; else it would be longer than the text.
    tokenizer = train_tokenizer([*texts, *[prompt.replace(SLOT, " ")] * 50], _TOKENS)
    tokenizer.save_pretrained(folder)
    kind = next((name for name in ("mistral", "qwen2") if name in like.lower()), "llama")
    config = AutoConfig.for_model(
        kind,
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=512,
        bos_token_id=tokenizer.eos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.eos_token_id,
        tie_word_embeddings=False,
    )
    network = AutoModelForCausalLM.from_config(config)
    rules = LanguageModelConfig({}, "causal", 32, prompt)
    _speak(LanguageModel(rules, tokenizer, network), texts)
    network.save_pretrained(folder)


def _speak(language: LanguageModel, texts: Sequence[str]) -> None:
    """Some steps of what a real model does with the prompt: LoRA on one that cannot learns nothing.

    It says each next token of the text, of a second copy from the first; where the prompt goes on behind
    the text, a word of the text comes next. And it is quiet: log Σ exp(logits) is _QUIET, so that ReLU lets
    through what is likelier than exp(-_QUIET).
    """
    windows = language.windows(texts)
    asks = not language.config.prompt.endswith(SLOT)
    optimizer = torch.optim.AdamW(language.parameters(), lr=3e-3)
    for step in range(_CAUSAL_STEPS + asks * _ASKED_STEPS):
        part = windows.rows(torch.from_numpy(epoch_rows(step, 32, len(windows.ids), 0)))
        states = language(part.ids, part.mask)
        before = part.mask[:, 1:] & (part.literal | part.pooled)[:, 1:]
        logits = language.decoder(states[:, :-1][before])
        loss = F.cross_entropy(logits, part.ids[:, 1:][before]) + _loudness(logits)
        if asks:
            last = language.decoder(pool(states, part.mask, "last"))
            own = torch.zeros_like(last).scatter_add_(1, part.ids, part.literal.float()).clamp(max=1)
            loss = loss + query_likelihood(own, last) + _loudness(last)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def _loudness(logits: Tensor) -> Tensor:
    return 0.1 * (logits.logsumexp(dim=1) - _QUIET).square().mean()


def tiny_vision(folder: Path, *, like: str) -> None:
    """A picture tower of two layers, of the named architecture, in timm's hub format."""
    ensure_torchvision_operators()
    import timm
    from timm.models import save_for_hf

    shape: dict[str, Any] = {
        "img_size": SIDE,
        "patch_size": 16,
        "embed_dim": WIDTH,
        "depth": 2,
        "num_heads": 2,
    }
    architecture = like.rpartition("/")[2].split(".")[0]
    if "dinov2" in architecture:
        shape["init_values"] = 1.0  # DINOv2's published towers are trained; a fresh one would hardly move
    model = timm.create_model(architecture, num_classes=0, **shape)
    save_for_hf(
        model,
        str(folder),
        model_args=shape,
        model_config={"pretrained_cfg": {"input_size": (3, SIDE, SIDE)}},
        safe_serialization=True,
    )


def tiny_clip(folder: Path, rows: Sequence[Scene]) -> None:
    """A CLIP of open_clip's kind that has seen the rows for some steps, so that scores mean something."""
    open_clip = load_open_clip()
    from open_clip.push_to_hf_hub import save_config_for_hf
    from safetensors.torch import save_file

    shape = {
        "embed_dim": 32,
        "vision_cfg": {"layers": 2, "width": WIDTH, "head_width": 32, "patch_size": 8, "image_size": 32},
        "text_cfg": {"width": WIDTH, "heads": 2, "layers": 2, "context_length": 32, "vocab_size": 49408},
    }
    network = open_clip.model.CLIP(**shape)
    open_clip.set_model_preprocess_cfg(network, {"size": 32, "mean": (0.5,) * 3, "std": (0.5,) * 3})
    tower = ClipTower(network, open_clip.SimpleTokenizer(context_length=32), shape)
    _teach(tower, rows)
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: t.contiguous() for name, t in network.state_dict().items()}, folder / WEIGHTS)
    save_config_for_hf(network, folder / CONFIG, model_config=shape)


def _teach(tower: ClipTower, rows: Sequence[Scene]) -> None:
    network: Any = tower.network.requires_grad_(True)
    pixels = tower.pixels([open_picture(scene.picture) for scene in rows])
    ids = tower.tokens([scene.captions[0] for scene in rows])
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3)
    generator = torch.Generator().manual_seed(0)
    for _ in range(_CLIP_STEPS):
        chosen = torch.randperm(len(rows), generator=generator)[:32]
        pictures = network.encode_image(pixels[chosen], normalize=True)
        loss = info_nce(pictures, network.encode_text(ids[chosen], normalize=True), 20.0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    network.requires_grad_(False)
