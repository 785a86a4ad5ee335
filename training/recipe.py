"""Recipes: TOML files, validated, that say everything about a training run but where its data lie."""

from __future__ import annotations

import json
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from lexiscope.errors import RecipeError
from lexiscope.training.family_recipe import FamilyRecipe
from lexiscope.training.sections import AugmentSection, ScheduleSection, Section
from lexiscope.training.teacher import COMPONENTS


class DataSection(Section):
    """Files, relative to the data folder."""

    pictures: list[str] = Field(min_length=1)  # Parquet: id, image, captions
    texts: list[str] = Field([])  # more text for the vocabulary and the language model
    dev: str | None = None  # Parquet, evaluated during training and never trained on


class VocabularySection(Section):
    """How the vocabulary is built from the captions and texts."""

    min_count: int = Field(5, ge=1)  # a word needs as many occurrences to be a term
    max_words: int = Field(20_000, ge=1)
    pieces: int = Field(4_000, ge=0)
    spoken_min_count: int = Field(8, ge=1)  # in the captions, for a word that the heads can say
    silent: list[str] = Field([])  # words the heads never say (articles, auxiliaries)


class VisionSection(Section):
    """The picture tower: a checkpoint by name or folder, or an architecture with fresh weights."""

    pretrained: str | None = None
    architecture: str | None = None
    arguments: dict[str, Any] = Field({})
    image_size: int | None = Field(None, ge=8)
    resize: Literal["crop", "squash"] = "crop"

    @model_validator(mode="after")
    def _one_source(self) -> VisionSection:
        if (self.pretrained is None) == (self.architecture is None):
            raise ValueError("name either pretrained or architecture")
        return self


class TextSection(Section):
    """The text tower: a checkpoint by name or folder, or a configuration with fresh weights."""

    pretrained: str | None = None
    language_model: dict[str, Any] | None = None
    tokenizer_size: int = Field(8192, ge=300)
    max_length: int = Field(64, ge=2)
    prompt: str = "{text}"

    @model_validator(mode="after")
    def _one_source(self) -> TextSection:
        if (self.pretrained is None) == (self.language_model is None):
            raise ValueError("name either pretrained or language_model")
        if "{text}" not in self.prompt:
            raise ValueError("prompt must contain {text}")
        return self


class HeadSection(Section):
    """One tower's lexicon bottleneck (`lexiscope.head.HeadConfig`)."""

    activation: Literal["elu1p", "log1p_relu"] = "elu1p"
    pooling: Literal["max", "last", "sum"] = "max"
    keep: Literal["threshold", "top_k"] = "threshold"
    top_k: int = Field(64, ge=1)
    unit_length: bool = True
    hidden: int = Field(0, ge=0)
    neck: int = Field(0, ge=0)


class HeadsSection(Section):
    """Both heads."""

    code_width: int | None = Field(None, ge=1)  # None: the width of the language model's output embedding
    bias: float = 0.0  # start of every term's bias
    vision: HeadSection = HeadSection()
    text: HeadSection = HeadSection()


class PictureSection(ScheduleSection):
    """A stage that looks at pictures."""

    augment: AugmentSection = AugmentSection()
    keep_patches: float = Field(1.0, gt=0, le=1)  # share of a picture's patches that a step looks at


class DistilSection(PictureSection):
    """Stage "distil": the picture tower copies a TFLite teacher's feature map."""

    teacher: str
    views: int = Field(1, ge=1)  # of a picture that the teacher sees: whole, then through random boxes
    smallest_view: float = Field(0.4, gt=0, le=1)  # least share of the picture's area that a box shows


class LanguageSection(ScheduleSection):
    """Stage "language": next-token training of the language model."""

    length: int = Field(128, ge=2)  # tokens a row


class LossSection(Section):
    """Weights of the lexical loss (`lexiscope.training.lexical.LexicalLoss`)."""

    temperature: float = Field(0.07, gt=0)
    regulariser: Literal["overuse", "flops"] = "overuse"
    picture_weight: float = Field(5e-4, ge=0)
    text_weight: float = Field(1e-3, ge=0)
    ramp: int = Field(2000, ge=0)
    words_weight: float = Field(0.0, ge=0)
    text_words_weight: float = Field(0.0, ge=0)
    words_power: float = Field(1.0, ge=0)
    neighbours: int = Field(12, ge=1)
    distil_weight: float = Field(1.0, ge=0)
    contrast_weight: float = Field(1.0, ge=0)
    soft_weight: float = Field(0.0, ge=0)
    soft_scale: float = Field(30.0, gt=0)
    expansion_steps: int = Field(0, ge=0)


class LexicalSection(PictureSection):
    """Stage "lexical": both towers together."""

    loss: LossSection = LossSection()
    freeze_vision: bool = False
    twin: str | None = None  # a dense model that lends its picture tower and teaches, see `training.twin`

    @model_validator(mode="after")
    def _soft_targets_of_a_twin(self) -> LexicalSection:
        if bool(self.loss.soft_weight) != (self.twin is not None):
            raise ValueError("twin and loss.soft_weight go together: a dense model, and how much it counts")
        if self.loss.text_words_weight and self.twin is None:
            raise ValueError("loss.text_words_weight needs a twin, which says what captions are alike")
        return self


class DenseSection(PictureSection):
    """Stage "dense": both towers together as an open_clip model (`lexiscope.training.dense`)."""

    width: int = Field(512, ge=1)  # dimensions of a vector
    temperature: float = Field(0.07, gt=0)
    distil_weight: float = Field(1.0, ge=0)  # of the teacher's maps, where the recipe distils
    freeze_vision: bool = False


class Recipe(Section):
    """A whole training run."""

    name: str
    description: str
    licence: str = ""
    seed: int = 0
    data: DataSection
    vocabulary: VocabularySection = VocabularySection()
    vision: VisionSection
    text: TextSection
    heads: HeadsSection = HeadsSection()
    distil: DistilSection | None = None
    language: LanguageSection | None = None
    head_start: LexicalSection | None = None  # heads and text tower against the teacher's maps alone
    lexical: LexicalSection | None = None
    dense_start: DenseSection | None = None  # with freeze_vision, the dense counterpart of head_start
    dense: DenseSection | None = None  # in place of lexical: the same towers without a lexicon

    @model_validator(mode="after")
    def _one_bottleneck(self) -> Recipe:
        if (self.lexical is None) == (self.dense is None):
            raise ValueError("a recipe trains either a lexical model or a dense one; add one of the sections")
        if self.head_start is not None and self.lexical is None:
            raise ValueError("head_start comes before lexical; a dense model has dense_start")
        if self.dense_start is not None and self.dense is None:
            raise ValueError("dense_start comes before dense; a lexical model has head_start")
        if self.dense and self.dense_start and self.dense.width != self.dense_start.width:
            raise ValueError("dense_start.width and dense.width differ; they are of one model")
        return self

    @model_validator(mode="after")
    def _neck_of_the_teacher(self) -> Recipe:
        if self.lexical is not None and self.distil is not None and self.heads.vision.neck != COMPONENTS:
            raise ValueError(f"distil gives heads.vision.neck = {COMPONENTS} its weights; set it")
        stages = [stage for stage in (self.head_start, self.lexical) if stage is not None]
        if any(stage.loss.words_weight for stage in stages) and self.heads.vision.pooling != "max":
            raise ValueError('words_weight needs heads.vision.pooling = "max"')
        if any(stage.loss.text_words_weight for stage in stages) and self.heads.text.pooling != "max":
            raise ValueError('text_words_weight needs heads.text.pooling = "max"')
        if self.distil is not None and self.lexical is not None and self.lexical.twin is not None:
            raise ValueError("a tower that a twin lends is not distilled; leave distil or lexical.twin out")
        if self.head_start is not None and self.distil is None:
            raise ValueError("head_start learns from the maps of a teacher; add a distil section")
        return self


def load_recipe(name: str | Path) -> Recipe | FamilyRecipe:
    """Read a recipe by name (`bundled`), file name (`bundled.toml`) or path (TOML, or the same in JSON).

    Raises:
        RecipeError: there is none, it is not TOML, or a field is wrong.
    """
    file = _find(name)
    try:
        with file.open("rb") as stream:
            raw = json.load(stream) if file.suffix == ".json" else tomllib.load(stream)
            kind = FamilyRecipe if {"document", "supervision"} & raw.keys() else Recipe
            return kind.model_validate(raw)
    except (tomllib.TOMLDecodeError, json.JSONDecodeError) as error:
        written = file.suffix.removeprefix(".").upper()
        raise RecipeError(f"{file}: not {written} ({error}); mend that line") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "recipe"
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise RecipeError(f"{file}: {place}: {first['msg']}{more}") from error
    except OSError as error:
        raise RecipeError(f"{file}: cannot be read ({error.strerror})") from error


def recipes() -> dict[str, str]:
    """Names and one-line descriptions of the recipes that come with lexiscope."""
    found = sorted(_folder().glob("*.toml"))
    return {file.stem: load_recipe(file).description for file in found}


def _folder() -> Path:
    return Path(str(files("lexiscope.training") / "recipes"))


def _find(name: str | Path) -> Path:
    for file in (Path(name).expanduser(), _folder() / name, _folder() / f"{name}.toml"):
        if file.is_file():
            return file
    known = ", ".join(sorted(file.stem for file in _folder().glob("*.toml")))
    raise RecipeError(f"{name}: no such recipe; name a .toml file or one of: {known}")
