"""Recipes of the family: query encoder × document encoder × regulariser × supervision.

A recipe with a `[document]` section is of the family; the others (`lexiscope.training.recipe`) train the
two-tower model that comes in the package.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from lexiscope.family_config import Adapter
from lexiscope.head import Activation, Pooling
from lexiscope.sparse_encoders import INFERENCE_FREE, EncoderKind, LiteralRule
from lexiscope.training.sections import AugmentSection, ScheduleSection, Section

Rows = Literal["auto", "mean", "ridge", "omp"]


class FamilyData(Section):
    """Files, relative to the data folder (`lexiscope.training.rows`, `lexiscope.training.webdataset`)."""

    train: list[str] = Field(min_length=1)
    dev: str | None = None  # as `train`; figures while training, never trained on
    negatives: int = Field(0, ge=0)  # hard negatives taken of each row
    expansion: bool = False  # whether the rows' `expansion` is put behind a document (expMLP)


class FamilyVocabulary(Section):
    """What a term is."""

    terms: Literal["tokens", "words"] = "tokens"  # the tokenizer's own, or a lexicon of whole words
    keep: Literal["all", "words", "lexvla"] = "all"  # of the tokens
    lexicon: str = "bundled"  # for words: a model's name or folder, or a vocabulary.txt
    rows: Rows = "auto"  # how a language model gets rows for words that it lacks (`training.transplant`)
    donor: str | None = None  # for ridge and omp: a lexiscope model with a row a word; None is `lexicon`


class LoraSection(Section):
    """Low-rank adapters of the language model, through peft."""

    rank: int = Field(16, ge=1)
    alpha: int = Field(32, ge=1)
    dropout: float = Field(0.0, ge=0, lt=1)
    targets: list[str] = Field(["q_proj", "k_proj", "v_proj", "o_proj"], min_length=1)


class FamilyText(Section):
    """The language model, or for inference-free sides its tokenizer alone."""

    pretrained: str
    kind: Literal["masked", "causal"] = "masked"
    max_length: int = Field(256, ge=2)
    prompt: str = "{text}"
    query_prompt: str | None = None  # where queries are read otherwise; takes separate = true
    separate: bool = False  # whether queries have a tower of their own
    frozen: bool = False
    lora: LoraSection | None = None
    checkpointing: bool = False  # recompute activations in the backward pass
    dtype: Literal["fp32", "bf16"] = "fp32"  # of the frozen weights in memory


class FamilyVision(Section):
    """The picture tower."""

    pretrained: str
    image_size: int | None = Field(None, ge=8)
    resize: Literal["crop", "squash"] = "crop"
    frozen: bool = False


class FamilyDense(Section):
    """A frozen open_clip model: what both heads read, or the teacher."""

    pretrained: str
    as_tower: bool = True  # False: it is only the teacher of `supervision.dense`


class SideSection(Section):
    """One side's encoder (`lexiscope.sparse_encoders`)."""

    encoder: EncoderKind
    activation: Activation = "log1p_relu"
    pooling: Pooling = "max"
    keep: Literal["all", "threshold", "top_k"] = "all"
    top_k: int = Field(256, ge=1)
    unit_length: bool = False
    hidden: int = Field(0, ge=0)
    scale: float = Field(1.0, gt=0)
    literal: LiteralRule = "none"
    importance: bool = False
    quality: bool = False
    trained: bool = False
    codebook: Literal["tower", "own"] = "tower"  # the language model's output layer, or one started from it
    adapter: Adapter = "linear"  # for codebook = "own"
    freeze_codebook: bool = False

    def rules(self) -> dict[str, Any]:
        """The fields of `lexiscope.sparse_encoders.EncoderConfig`."""
        values = self.model_dump(exclude={"encoder", "codebook", "adapter", "freeze_codebook"})
        return {"kind": self.encoder, **values}


class PenaltySection(Section):
    """A regulariser of one side."""

    kind: Literal["none", "l1", "flops", "overuse", "idf_flops"] = "none"
    weight: float = Field(0.0, ge=0)
    threshold: int = Field(0, ge=0)  # vectors with this many terms or fewer are left alone (ℓ0)


class RegulariserSection(Section):
    """What keeps vectors sparse."""

    query: PenaltySection = PenaltySection()
    document: PenaltySection = PenaltySection()  # of pictures, where the documents are pictures
    ramp: Literal["none", "linear", "quadratic"] = "quadratic"
    steps: int = Field(0, ge=0)  # of the ramp
    on: Literal["weights", "unit"] = "weights"  # as they are, or brought to unit length (LexVLA, LexLIP)


class SupervisionSection(Section):
    """What is learned from: the loss is the sum of these, each with its weight."""

    contrastive: float = Field(0.0, ge=0)  # InfoNCE
    bag_of_words: float = Field(0.0, ge=0)  # InfoNCE of queries masked to their own words (VDR)
    margin_mse: float = Field(0.0, ge=0)
    kl: float = Field(0.0, ge=0)
    ensemble: float = Field(0.0, ge=0)  # KL to several teachers, min-max normalised
    dense: float = Field(0.0, ge=0)  # cross-entropy to a dense model's scores (D2S)
    bottleneck: float = Field(0.0, ge=0)  # lexicon-bottlenecked masked language modelling (LexLIP)
    likelihood: float = Field(0.0, ge=0)  # of the query's terms (TILDE)
    term_recall: float = Field(0.0, ge=0)  # squared error to 1[term in query] (DeepCT)
    temperature: float = Field(1.0, gt=0)
    learn_temperature: bool = False
    both_ways: bool = False  # contrastive in both directions (pictures)
    in_batch: bool = True  # whether other rows' documents are negatives
    cut: bool = True  # whether vectors are cut as for the index (`keep`); where not, no term is starved
    teacher_temperature: float = Field(1.0, gt=0)
    score_scale: float = Field(1.0, gt=0)  # of the normalised teachers of `ensemble`
    queue: int = Field(0, ge=0)  # past vectors of a momentum encoder, as further negatives
    momentum: float = Field(0.99, ge=0, lt=1)
    expansion_control: float = Field(0.0, ge=0, le=1)  # over this share of the steps texts learn to expand

    def terms(self) -> dict[str, float]:
        """The parts that count."""
        names = (
            "contrastive", "bag_of_words", "margin_mse", "kl", "ensemble", "dense", "bottleneck",
            "likelihood", "term_recall",
        )  # fmt: skip
        return {name: weight for name in names if (weight := float(getattr(self, name))) > 0}


class FamilySchedule(ScheduleSection):
    """How long and how fast; `batch` is over all processes."""

    chunk: int = Field(0, ge=0)  # rows encoded at a time (grad-cache); 0 is all
    augment: AugmentSection | None = None  # of pictures


class FamilyRecipe(Section):
    """A method."""

    name: str
    description: str
    paper: str
    differs: str = "nothing that is known"
    published: str = "no figure"
    licence: str = ""
    seed: int = 0
    data: FamilyData
    vocabulary: FamilyVocabulary = FamilyVocabulary()
    text: FamilyText
    vision: FamilyVision | None = None
    dense: FamilyDense | None = None
    query: SideSection
    document: SideSection
    picture: SideSection | None = None
    regulariser: RegulariserSection = RegulariserSection()
    supervision: SupervisionSection
    train: FamilySchedule

    @property
    def shared(self) -> bool:
        """Whether queries and documents have one encoder."""
        return self.query == self.document and not self.text.separate

    @model_validator(mode="after")
    def _pictures(self) -> FamilyRecipe:
        towers = self.vision is not None or (self.dense is not None and self.dense.as_tower)
        if self.picture is None:
            if self.vision is not None:
                raise ValueError("vision: no side looks at pictures; add a [picture] section")
            return self
        if not towers:
            raise ValueError("picture: no tower sees pictures; add a [vision] or a [dense] section")
        if self.picture.encoder not in ("head", "cls"):
            raise ValueError(
                f'picture.encoder = "{self.picture.encoder}" weighs the words that stand in a text, and none '
                'stands in a picture; use "head"'
            )
        if self.picture.literal != "none" or self.picture.quality or self.picture.codebook != "own":
            raise ValueError(
                'picture: needs codebook = "own", and neither literal nor quality, of texts alone'
            )
        return self

    @model_validator(mode="after")
    def _sides(self) -> FamilyRecipe:
        sides = [self.query, self.picture or self.document]
        fixed = [side.encoder == "binary" or (side.encoder == "idf" and not side.trained) for side in sides]
        if all(fixed):
            raise ValueError("query and document: neither has a weight to train; make one an mlp or a head")
        for name, side in (("query", self.query), ("document", self.document)):
            if side.encoder == "mlp" and self.vocabulary.terms == "words":
                raise ValueError(f'{name}: mlp gives weights to tokens; it needs vocabulary.terms = "tokens"')
            if side.importance and side.encoder == "mlp":
                raise ValueError(f"{name}: importance is of head encoders")
            own = self.vocabulary.terms == "words" or (self.dense is not None and self.dense.as_tower)
            if own and side.encoder in ("head", "cls") and side.codebook != "own":
                raise ValueError(
                    f'{name}: needs codebook = "own", as its states or terms are not the language model\'s'
                )
        if self.text.query_prompt is not None and not self.text.separate:
            raise ValueError("text.query_prompt: takes text.separate = true")
        return self

    @model_validator(mode="after")
    def _supervised(self) -> FamilyRecipe:
        terms, rules = self.supervision.terms(), self.supervision
        if not terms:
            raise ValueError("supervision: nothing to learn from; give one of its parts a weight")
        pictures = self.picture is not None
        for name in ("margin_mse", "kl", "ensemble", "likelihood", "term_recall"):
            if name in terms and pictures:
                raise ValueError(f"supervision.{name}: learns from texts alone; leave [picture] out")
        if {"margin_mse"} & set(terms) and self.data.negatives < 1:
            raise ValueError("supervision.margin_mse: a margin needs data.negatives = 1 or more")
        if "dense" in terms and (self.dense is None or not pictures):
            raise ValueError("supervision.dense: needs a [dense] teacher and a [picture] section")
        if "bottleneck" in terms and (self.text.kind != "masked" or not pictures):
            raise ValueError('supervision.bottleneck: needs text.kind = "masked" and a [picture] section')
        if "term_recall" in terms and self.document.encoder != "mlp":
            raise ValueError('supervision.term_recall: needs document.encoder = "mlp"')
        if rules.queue and (rules.queue % self.train.batch or "contrastive" not in terms):
            raise ValueError("supervision.queue: a multiple of train.batch, with a contrastive part")
        return self

    @property
    def needs_scores(self) -> bool:
        """Whether the rows must come with teachers' scores."""
        return bool({"margin_mse", "kl", "ensemble"} & set(self.supervision.terms()))

    @property
    def needs_tower(self) -> bool:
        """Whether any text encoder looks at the language model's states."""
        if self.dense is not None and self.dense.as_tower:
            return False
        return any(side.encoder not in INFERENCE_FREE for side in (self.query, self.document))
