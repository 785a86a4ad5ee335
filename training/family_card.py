"""The model card of a family run."""

from __future__ import annotations

import json
from pathlib import Path

from lexiscope import __version__
from lexiscope.training.family_recipe import FamilyRecipe


def family_card(recipe: FamilyRecipe, stage: Path) -> str:
    """Write the card.

    Args:
        recipe: what was trained.
        stage: the folder with metrics.jsonl.
    """
    document = recipe.picture or recipe.document
    parts = ", ".join(f"{name} × {weight:g}" for name, weight in recipe.supervision.terms().items())
    sources = "\n".join(f"- `{name}`" for name in recipe.data.train)
    return f"""---
library_name: lexiscope
tags: [lexiscope, learned-sparse-retrieval]
license: other
---
# {recipe.name}

{recipe.description}

| | |
|---|---|
| paper | {recipe.paper} |
| differs | {recipe.differs} |
| published | {recipe.published} |
| query encoder | {recipe.query.encoder} |
| {"picture" if recipe.picture else "document"} encoder | {document.encoder} |
| supervision | {parts} |
| text tower | `{recipe.text.pretrained}` |

Trained by `lexiscope train {recipe.name}.toml` (lexiscope {__version__}): {recipe.train.steps:,} steps of \
{recipe.train.batch:,}.

## Data

{sources}

## Licence

{recipe.licence or "As the data's and the towers': see there."}

## Figures during training

{_figures(stage / "metrics.jsonl", recipe.data.dev)}
"""


def _figures(log: Path, dev: str | None) -> str:
    found: dict[str, float] = {}
    for line in log.read_text(encoding="utf-8").splitlines() if log.exists() else ():
        row = json.loads(line)
        found = {name[4:]: value for name, value in row.items() if name.startswith("dev/")} or found
    if not found:
        return "No development set was at hand."
    rows = "\n".join(f"| {name} | {value:.2f} |" for name, value in found.items())
    return f"On `{dev}`, which was not trained on:\n\n| | |\n|---|--:|\n{rows}"
