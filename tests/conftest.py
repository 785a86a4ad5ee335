"""Tiny models, made here in the hub's own formats and loaded the way real ones are."""

import hashlib
import os
import tempfile
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test may reach for the network

# Kernels are compiled into one another, and numba looks at the age of the outermost one's file alone: a cache
# for each state of all of them.
_KERNELS = sorted((Path(__file__).parents[1] / "index").glob("*.py"))
_STATE = hashlib.sha256(b"".join(path.read_bytes() for path in _KERNELS)).hexdigest()[:12]
os.environ.setdefault("NUMBA_CACHE_DIR", str(Path(tempfile.gettempdir()) / f"lexiscope-numba-{_STATE}"))

SENTENCES = [
    "a dog runs on the beach",
    "a man rides a white horse",
    "two children play with a red ball in the park",
    "the brown dog catches a ball",
    "a woman in a red dress walks along the street",
    "a black cat sleeps on a chair",
    "people sit in a boat on the water",
    "a boy jumps into the blue water",
]


@pytest.fixture(scope="session")
def vision_folder(tmp_path_factory):
    """A random two-layer DINOv2-architecture ViT in timm's hub format: 32 px, 4 × 4 patches."""
    from lexiscope.torchvision_shim import ensure_torchvision_operators

    ensure_torchvision_operators()
    import timm
    import torch
    from timm.models import save_for_hf

    torch.manual_seed(0)
    shape = {"img_size": 32, "patch_size": 8, "embed_dim": 32, "depth": 2, "num_heads": 2}
    model = timm.create_model("vit_small_patch14_dinov2", num_classes=0, **shape)
    folder = tmp_path_factory.mktemp("vision")
    save_for_hf(
        model,
        str(folder),
        model_args=shape,
        model_config={"pretrained_cfg": {"input_size": (3, 32, 32)}},
        safe_serialization=True,
    )
    return folder


@pytest.fixture(scope="session")
def language_folder(tmp_path_factory):
    """A random two-layer Llama in transformers' hub format, with its tokenizer."""
    import torch

    from lexiscope.training.assemble import make_language_model
    from lexiscope.training.recipe import TextSection

    torch.manual_seed(0)
    section = TextSection(
        tokenizer_size=400,
        language_model={
            "model_type": "llama",
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
        },
    )
    tokenizer, model = make_language_model(section, SENTENCES)
    folder = tmp_path_factory.mktemp("language")
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_vocabulary():
    """Every word of SENTENCES, and pieces for the rest."""
    from lexiscope.vocabulary import Vocabulary

    return Vocabulary.from_texts(SENTENCES, min_count=1, pieces=50)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory, vision_folder, language_folder, tiny_vocabulary):
    """A whole lexiscope model folder with untrained towers."""
    import torch

    from lexiscope.head import HeadConfig, LexiconHead
    from lexiscope.model import LexicalModel
    from lexiscope.text.tower import TextTower
    from lexiscope.vision.tower import VisionTower

    torch.manual_seed(0)
    text, rows = TextTower.from_pretrained(language_folder, max_length=16)
    vision = VisionTower.from_pretrained(vision_folder, image_size=32)
    spoken = torch.arange(20)
    shape = {"code_width": rows.shape[1], "terms": 20, "keep": "top_k", "top_k": 6}
    model = LexicalModel(
        tiny_vocabulary,
        vision,
        LexiconHead(HeadConfig(width=vision.width, **shape), spoken, rows[:20]),
        text,
        LexiconHead(HeadConfig(width=text.width, **shape), spoken, rows[:20]),
        torch.ones(len(tiny_vocabulary)),
    )
    folder = tmp_path_factory.mktemp("model")
    model.save(folder, card="# tiny\n")
    return folder


@pytest.fixture(scope="session")
def tiny_encoder(model_folder):
    """The model of `model_folder`, loaded."""
    from lexiscope import LexicalEncoder

    return LexicalEncoder.from_pretrained(model_folder, device="cpu")
