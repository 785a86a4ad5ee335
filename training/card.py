"""The model card (README.md of a model folder): what it is, what it was trained on, its licence."""

from __future__ import annotations

import json
from pathlib import Path

from lexiscope import __version__
from lexiscope.training.recipe import Recipe

_KINDS = {
    "lexical": ("lexiscope", "learned-sparse-retrieval, image-text-retrieval, lexical-representation"),
    "dense": ("open_clip", "clip, image-text-retrieval"),
}


def model_card(recipe: Recipe, out: Path) -> str:
    """Write the card of a run.

    Args:
        recipe: what was trained.
        out: the run's folder, for the last development figures.
    """
    sources = "\n".join(f"- `{name}`" for name in [*recipe.data.pictures, *recipe.data.texts])
    teacher = f"\nTeacher: `{recipe.distil.teacher}` (not shipped).\n" if recipe.distil else ""
    stages = (recipe.distil, recipe.lexical, recipe.dense_start, recipe.dense)
    samples = sum(s.steps * s.batch for s in stages if s is not None)
    library, tags = _KINDS["lexical" if recipe.dense is None else "dense"]
    return f"""---
library_name: {library}
tags: [{tags}]
license: other
---
# {recipe.name}

{recipe.description}

Trained by `lexiscope train {recipe.name}.toml` (lexiscope {__version__}); {samples:,} pictures seen.

## Data

{sources}
{teacher}
## Licence

{recipe.licence or "As the data's: see the sources above."}

## Figures during training

{_figures(recipe, out)}
"""


def _figures(recipe: Recipe, out: Path) -> str:
    log = out / ("lexical" if recipe.dense is None else "dense") / "metrics.jsonl"
    found: dict[str, float] = {}
    if log.exists():
        for line in log.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if any(name.startswith("dev/") for name in row):
                found = {name[4:]: value for name, value in row.items() if name.startswith("dev/")}
    if not found:
        return "No development set was at hand."
    rows = "\n".join(f"| {name} | {value:.2f} |" for name, value in found.items())
    return f"On `{recipe.data.dev}`, which was not trained on:\n\n| | |\n|---|--:|\n{rows}"
