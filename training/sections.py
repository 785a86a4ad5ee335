"""Sections that both kinds of recipes have."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A table of a recipe; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ScheduleSection(Section):
    """How long and how fast a stage trains (`lexiscope.training.loop.Schedule`)."""

    steps: int = Field(ge=1)
    batch: int = Field(ge=2)
    learning_rate: float = Field(1e-3, gt=0)
    weight_decay: float = Field(0.05, ge=0)
    warmup: int = Field(100, ge=0)
    cooldown: int = Field(0, ge=0)
    clip: float = Field(1.0, gt=0)
    precision: Literal["bf16", "fp32"] = "bf16"
    average: float = Field(0.0, ge=0, lt=1)
    save_every: int = Field(200, ge=1)
    evaluate_every: int = Field(1000, ge=1)
    log_every: int = Field(20, ge=1)


class AugmentSection(Section):
    """Random crops and colours."""

    smallest: float = Field(0.5, gt=0, le=1)  # least share of the picture's area
    colour: float = Field(0.3, ge=0, lt=1)
