"""`lexiscope train RECIPE --smoke`: the whole of a recipe in seconds, small but real.

Towers of the same architectures, tiny and hardly trained, in the hub's formats; two hundred steps; a few
hundred rows in the recipe's own file format. What is checked is what a real run lives on: the loss falls, the
model is saved, its vectors go into an index and are found there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lexiscope.encoder import LexicalEncoder
from lexiscope.index import InvertedIndex
from lexiscope.training.family_recipe import FamilyRecipe
from lexiscope.training.recipe import Recipe, load_recipe
from lexiscope.training.smoke_rows import Scene, scenes, write_pictures, write_rows
from lexiscope.training.smoke_towers import SIDE, tiny_causal, tiny_clip, tiny_masked, tiny_vision
from lexiscope.vocabulary import Vocabulary

STEPS, BATCH = 200, 16
_TEXT_ROWS, _PICTURE_ROWS = 600, 256
_SEARCHED = 200


@dataclass(frozen=True)
class SmokeResult:
    """What a small run of a recipe came to.

    Attributes:
        model: the folder of the trained model.
        first: the loss, without the regulariser, over the first tenth of the steps.
        last: the same over the last tenth.
        recall: share of the questions whose document is among the first ten of `searched`.
        searched: documents that were searched.
        words: mean number of words of a question and of a document.
    """

    model: Path
    first: float
    last: float
    recall: float
    searched: int
    words: tuple[float, float]

    @property
    def chance(self) -> float:
        """The recall of a guess."""
        return 10 / self.searched


def smoke(recipe: str | Path, *, data: Path | None, out: Path) -> SmokeResult:
    """Run a recipe small.

    Args:
        recipe: a name that `recipes()` lists, or a TOML file.
        data: folder with real rows (`lexiscope.training.smoke_rows`); without them rows are made.
        out: an empty folder for towers, rows, checkpoints and the model.

    Raises:
        RecipeError: the recipe is not valid, or `out` holds an earlier run.
    """
    from lexiscope.training.pipeline import run

    rules = load_recipe(recipe)
    torch.manual_seed(0)
    pictures = not isinstance(rules, FamilyRecipe) or rules.picture is not None
    rows = scenes(data, _PICTURE_ROWS if pictures else _TEXT_ROWS, pictures=pictures)
    for folder in ("towers", "rows"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    small = _small_family(rules, rows, out) if isinstance(rules, FamilyRecipe) else _small(rules, rows, out)
    file = out / f"{rules.name}.json"
    file.write_text(json.dumps(small), encoding="utf-8")
    model = run(file, data=out / "rows", out=out / "run")
    stage = "family" if isinstance(rules, FamilyRecipe) else "dense" if rules.dense is not None else "lexical"
    first, last = _losses(out / "run" / stage / "metrics.jsonl")
    dense = isinstance(rules, Recipe) and rules.dense is not None
    return SmokeResult(
        model, first, last, *_searched(model, rows[:_SEARCHED], pictures=pictures, dense=dense)
    )


def _small_family(recipe: FamilyRecipe, rows: list[Scene], out: Path) -> dict[str, Any]:
    """The recipe as a dictionary, scaled down, its towers and files written."""
    small = recipe.model_dump()
    towers = out / "towers"
    texts = [caption for scene in rows for caption in scene.captions]
    if recipe.text.kind == "masked":
        tiny_masked(towers / "text", texts, like=recipe.text.pretrained)
    else:
        tiny_causal(towers / "text", texts, like=recipe.text.pretrained, prompt=recipe.text.prompt)
    small["text"] |= {"pretrained": str(towers / "text"), "max_length": 32, "dtype": "fp32"}
    if recipe.vision is not None:
        tiny_vision(towers / "vision", like=recipe.vision.pretrained)
        # A frozen tower with random weights sees nothing.
        small["vision"] |= {"pretrained": str(towers / "vision"), "image_size": SIDE, "frozen": False}
    if recipe.dense is not None:
        tiny_clip(towers / "dense", rows)
        small["dense"]["pretrained"] = str(towers / "dense")
    endings = {"".join(Path(name).suffixes) for name in recipe.data.train}
    name = f"train{'.tar' if '.tar' in endings else Path(recipe.data.train[0]).suffix}"
    (write_rows if recipe.picture is None else write_pictures)(rows, out / "rows" / name)
    small["data"] |= {"train": [name], "dev": None}
    if recipe.vocabulary.terms == "words":
        lexicon = Vocabulary.from_texts(texts, min_count=2, pieces=100)
        lexicon.save(out / "rows" / "vocabulary.txt")
        small["vocabulary"] |= {"lexicon": str(out / "rows" / "vocabulary.txt"), "donor": "bundled"}
    _shorten(small)
    return small


def _shorten(small: dict[str, Any]) -> None:
    """Steps, batches, and what goes with the size of the vocabulary or the length of a run."""
    for side in ("query", "document", "picture"):
        if small[side] is not None:
            small[side]["top_k"] = min(small[side]["top_k"], 64)
    small["regulariser"]["steps"] = 2 * STEPS  # random towers are pushed to silence before they have learned
    for side in ("query", "document"):
        small["regulariser"][side]["threshold"] //= 10
    if small["supervision"]["queue"]:
        small["supervision"]["queue"] = 4 * BATCH
    schedule: dict[str, Any] = {
        "steps": STEPS,
        "batch": BATCH,
        "warmup": 10,
        "save_every": 100,
        "evaluate_every": STEPS,
        "log_every": 1,
    }
    schedule["precision"] = "fp32"  # nothing is won by less, this small
    chunk = BATCH // 2 * (1 + small["data"]["negatives"])
    # Towers as narrow as these learn at rates that would tear real ones apart; squared margins pull harder.
    rate = 1e-3 if small["supervision"]["margin_mse"] else 3e-3
    small["train"] |= {**schedule, "learning_rate": rate, "chunk": chunk if small["train"]["chunk"] else 0}


def _small(recipe: Recipe, rows: list[Scene], out: Path) -> dict[str, Any]:
    """As `_small_family`, of a recipe of the two-tower model; what a teacher is needed for is left out."""
    small = recipe.model_dump(exclude_none=True)
    write_pictures(rows, out / "rows" / "train.parquet")
    small["data"] = {"pictures": ["train.parquet"], "texts": [], "dev": None}
    small["vocabulary"] |= {"min_count": 1, "pieces": 200, "spoken_min_count": 2}
    for stage in ("distil", "head_start", "dense_start"):
        small.pop(stage, None)
    small["heads"]["vision"]["neck"] = 0
    small["vision"] = {"architecture": "vit_convstem_dinov2_d1_32", "image_size": 32, "resize": "squash"}
    model = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2}
    small["text"] |= {"tokenizer_size": 800, "max_length": 32}
    small["text"]["language_model"] |= {**model, "num_key_value_heads": 2}
    if recipe.lexical is not None and recipe.lexical.twin is not None:
        small["lexical"]["twin"] = str(_twin(rows, out / "twin"))
    if "language" in small:
        small["language"] |= {"steps": 20, "batch": 8, "length": 32, "warmup": 5}
    for stage in ("lexical", "dense"):
        if stage in small:
            schedule: dict[str, Any] = {
                "steps": STEPS,
                "batch": BATCH,
                "warmup": 10,
                "cooldown": 0,  # a recipe's own is longer than all these steps
                "save_every": 100,
                "log_every": 1,
                "precision": "fp32",
            }
            small[stage] |= {**schedule, "evaluate_every": STEPS, "learning_rate": 3e-3, "average": 0.0}
    return small


def _twin(rows: list[Scene], out: Path) -> Path:
    """The dense twin that a recipe learns from, trained as small."""
    from lexiscope.training.pipeline import run

    (out / "rows").mkdir(parents=True)
    recipe = load_recipe("dense-twin")
    assert isinstance(recipe, Recipe)
    file = out / "dense-twin.json"
    file.write_text(json.dumps(_small(recipe, rows, out)), encoding="utf-8")
    return run(file, data=out / "rows", out=out / "run")


def _losses(log: Path) -> tuple[float, float]:
    """The mean supervised loss of the first and of the last tenth of the steps."""
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    values = [row.get("supervised", row.get("nce", row.get("loss"))) for row in lines if "loss" in row]
    tenth = len(values) // 10
    return float(np.mean(values[:tenth])), float(np.mean(values[-tenth:]))


def _searched(
    model: Path, rows: list[Scene], *, pictures: bool, dense: bool
) -> tuple[float, int, tuple[float, float]]:
    """Recall at ten of each row's first caption for its document, over an index of all."""
    questions = [scene.captions[0] for scene in rows]
    if dense:
        return _dense_search(model, rows, questions)
    encoder = LexicalEncoder.from_pretrained(model, device="cpu")
    asked = encoder.encode_query(questions, show_progress_bar=False)
    documents = (
        encoder.encode_image([scene.picture for scene in rows], show_progress_bar=False)
        if pictures
        else encoder.encode_document([scene.captions[1] for scene in rows], show_progress_bar=False)
    )
    found, _ = InvertedIndex.build(documents).search(asked, k=10)
    hits = (np.asarray(found) == np.arange(len(rows))[:, None]).any(axis=1)
    return float(hits.mean()), len(rows), (asked.nnz / len(rows), documents.nnz / len(rows))


def _dense_search(
    model: Path, rows: list[Scene], questions: list[str]
) -> tuple[float, int, tuple[float, float]]:
    from lexiscope.evaluation.dense import DenseEncoder

    encoder = DenseEncoder.from_pretrained(model, device="cpu")
    asked = encoder.encode_query(questions, show_progress_bar=False)
    shown = encoder.encode_image([scene.picture for scene in rows], show_progress_bar=False)
    best = np.argsort(-(asked @ shown.T), axis=1)[:, :10]
    hits = (best == np.arange(len(rows))[:, None]).any(axis=1)
    return float(hits.mean()), len(rows), (float(asked.shape[1]), float(shown.shape[1]))
