"""Rows of a lexicon's words for a language model that has its own tokens: any LLM, one lexicon.

    copy    a word that is one token of the model keeps that token's row
    mean    the mean of the rows of the word's tokens                                     (LexVLA's remark)
    ridge   D_w A,  A = argmin ‖ D_S A - B_S ‖² + λ ‖A‖²            from a donor that has a row for each word
    omp     Σ_a c_a B_a,  D_w ≈ Σ_a c_a D_a over k shared words     (orthogonal matching pursuit;
    tokensurgeon)

S are words that both have, D the donor's rows, B the model's. "auto" holds out a twentieth of S and takes
what
gives those back best: by how many of a word's ten nearest words are the same ones. Measured on other spaces,
ridge
beats OMP where anchors are many, and which wins depends on the pair, so it is chosen anew each time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from lexiscope.errors import RecipeError

__all__ = ["Transplant", "transplant"]

_HELD_OUT = 0.05
_NEIGHBOURS = 10
_SPARSITY = 64  # k of OMP
_RIDGE = 1e-2  # λ, as a share of the mean squared norm of the donor's directions
_FEWEST = 20  # shared words without which nothing can be chosen


@dataclass(frozen=True)
class Transplant:
    """Rows, and how they were made.

    Attributes:
        rows: (words, width).
        method: "mean", "ridge" or "omp", for the words that were not copied.
        copied: how many were.
        overlap: held-out neighbour overlap (0 to 1) of each method that was tried.
    """

    rows: Tensor
    method: str
    copied: int
    overlap: dict[str, float]


def transplant(
    words: Sequence[str],
    tokenizer: Any,  # noqa: ANN401
    rows: Tensor,
    *,
    donor: Tensor | None = None,
    method: str = "auto",
    seed: int = 0,
) -> Transplant:
    """Make a row for each word of a lexicon.

    Args:
        words: of the lexicon.
        tokenizer: the language model's.
        rows: (tokens, width) of its output layer.
        donor: (words, d) of another space, zero where it has no row for a word; without it "mean" is all.
        method: "mean", "ridge", "omp", or "auto", which chooses.
        seed: of what is held out.

    Raises:
        RecipeError: the method needs a donor, or too few words are shared.
    """
    rows = rows.detach().float()
    spelt = [_tokens(tokenizer, word) for word in words]
    mean = torch.stack([rows[ids].mean(dim=0) if ids else rows.mean(dim=0) for ids in spelt])
    whole = torch.tensor([len(ids) == 1 for ids in spelt])
    shared = whole if donor is None else whole & (donor.norm(dim=1) > 0)
    if method == "mean" or (method == "auto" and (donor is None or int(shared.sum()) < _FEWEST)):
        return Transplant(mean, "mean", int(whole.sum()), {})
    if donor is None or int(shared.sum()) < _FEWEST:
        raise RecipeError(
            f"vocabulary.rows = {method!r}: needs a donor with {_FEWEST} words or more that are one token of "
            f'the language model (here {int(shared.sum())}); name vocabulary.donor, or use "mean"'
        )
    anchors = torch.nonzero(shared).flatten()
    overlap = _compare(words, tokenizer, rows, mean, donor.float(), anchors, seed)
    chosen = max(overlap, key=lambda name: overlap[name]) if method == "auto" else method
    made = mean.clone()
    if chosen != "mean":
        lacking = ~whole & (donor.norm(dim=1) > 0)
        made[lacking] = _MAPS[chosen](donor.float()[anchors], mean[anchors], donor.float()[lacking])
    return Transplant(made, chosen, int(whole.sum()), overlap)


def _tokens(tokenizer: Any, word: str) -> list[int]:  # noqa: ANN401
    """Tokens of a word as it stands within a sentence; of an inner piece (`~ing`) those of its letters."""
    bare = word.strip("~")
    text = bare if word.startswith("~") else f" {bare}"
    ids: list[int] = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    return ids


def _compare(
    words: Sequence[str],
    tokenizer: Any,  # noqa: ANN401
    rows: Tensor,
    mean: Tensor,
    donor: Tensor,
    anchors: Tensor,
    seed: int,
) -> dict[str, float]:
    """Neighbour overlap of every method on held-out anchors, whose rows are known."""
    order = torch.randperm(len(anchors), generator=torch.Generator().manual_seed(seed))
    n = max(2, int(len(anchors) * _HELD_OUT))
    held, known = anchors[order[:n]], anchors[order[n:]]
    truth = mean[held]
    guesses = {name: fit(donor[known], mean[known], donor[held]) for name, fit in _MAPS.items()}
    guesses["mean"] = torch.stack([_in_parts(tokenizer, rows, words[int(place)]) for place in held])
    return {name: _overlap(guess, truth, mean[known]) for name, guess in guesses.items()}


def _in_parts(tokenizer: Any, rows: Tensor, word: str) -> Tensor:  # noqa: ANN401
    """The mean row of a word that is one token, as if it were not: of its halves."""
    half = max(1, len(word) // 2)
    ids = [*_tokens(tokenizer, word[:half]), *_tokens(tokenizer, f"~{word[half:]}")]
    return rows[ids].mean(dim=0) if ids else rows.mean(dim=0)


def _overlap(guess: Tensor, truth: Tensor, others: Tensor) -> float:
    """Share of the nearest other words that a guessed row and the true one have in common."""
    k = min(_NEIGHBOURS, len(others))
    others = F.normalize(others, dim=1)
    near = [(F.normalize(side, dim=1) @ others.T).topk(k, dim=1).indices for side in (guess, truth)]
    same = (near[0][:, :, None] == near[1][:, None, :]).any(dim=2)
    return float(same.float().mean())


def ridge(donor: Tensor, base: Tensor, wanted: Tensor) -> Tensor:
    """Rows of wanted words (m, width) by the linear map from donor rows (s, d) to the model's (s, width)."""
    gram = donor.T @ donor
    gram = gram + _RIDGE * gram.diagonal().mean() * torch.eye(len(gram))
    found: Tensor = wanted @ torch.linalg.solve(gram, donor.T @ base)
    return found


def omp(donor: Tensor, base: Tensor, wanted: Tensor, k: int = _SPARSITY) -> Tensor:
    """Rows of wanted words (m, width): each is written with k of the donor's shared words, then said anew."""
    return torch.stack([_pursue(donor, row, min(k, len(donor), donor.shape[1])) @ base for row in wanted])


def _pursue(atoms: Tensor, row: Tensor, k: int) -> Tensor:
    """Coefficients (s,) of orthogonal matching pursuit: the atom most like the rest, then least squares."""
    unit = F.normalize(atoms, dim=1)
    chosen: list[int] = []
    rest, found = row, torch.zeros(0)
    for _ in range(k):
        likeness = (unit @ rest).abs()
        likeness[chosen] = -1.0
        chosen.append(int(likeness.argmax()))
        found = torch.linalg.lstsq(atoms[chosen].T, row[:, None]).solution.flatten()
        rest = row - found @ atoms[chosen]
        if float(rest.norm()) < 1e-6 * float(row.norm()):
            break
    out = torch.zeros(len(atoms))
    out[chosen] = found
    return out


_MAPS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {"ridge": ridge, "omp": omp}
