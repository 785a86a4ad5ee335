"""What a family model's config.json says beside its towers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from lexiscope.sparse_encoders import EncoderConfig

Adapter = Literal["linear", "attention", "copied", "none"]


@dataclass(frozen=True)
class ProjectorConfig:
    """Shape of a codebook of its own (`lexiscope.sparse_encoders.CodebookProjector`)."""

    code_width: int
    adapter: Adapter = "linear"
    frozen: bool = False


@dataclass(frozen=True)
class FamilyConfig:
    """Which encoder on which side.

    Attributes:
        query: encoder of questions.
        document: encoder of texts to be found.
        picture: encoder of pictures, or None.
        shared: whether queries and documents share one encoder (and its weights).
        projectors: sides whose head has a codebook of its own; the others use the language model's head.
    """

    query: EncoderConfig
    document: EncoderConfig
    picture: EncoderConfig | None = None
    shared: bool = False
    projectors: dict[str, ProjectorConfig] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready copy."""
        return {
            "query": self.query.to_dict(),
            "document": self.document.to_dict(),
            "picture": None if self.picture is None else self.picture.to_dict(),
            "shared": self.shared,
            "projectors": {side: vars(shape) for side, shape in self.projectors.items()},
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> FamilyConfig:
        """Read what `to_dict` wrote."""
        picture = values.get("picture")
        return cls(
            EncoderConfig(**values["query"]),
            EncoderConfig(**values["document"]),
            None if picture is None else EncoderConfig(**picture),
            bool(values["shared"]),
            {side: ProjectorConfig(**shape) for side, shape in values["projectors"].items()},
        )
