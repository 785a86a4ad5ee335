"""Sparse non-negative decomposition over a codebook: a dense vector as a few weighted words (SpLiCE).

    w = argmin_{w ≥ 0}  ½ ‖ Cᵀ w - z ‖² + λ Σ_t w_t            C (terms, d) unit rows, z (d,) of unit length

Source: Bhalla et al., "Interpreting CLIP with sparse linear concept embeddings" (NeurIPS 2024). Solved by
FISTA
(Beck and Teboulle 2009) for many vectors at once, on whatever device they are.
"""

from __future__ import annotations

import torch
from torch import Tensor


@torch.no_grad()
def decompose(vectors: Tensor, codebook: Tensor, *, penalty: float, steps: int = 200) -> Tensor:
    """Weights of the codebook's rows.

    Args:
        vectors: (n, d).
        codebook: (terms, d).
        penalty: λ; a word whose row is less like the vector than this by itself is never used.
        steps: iterations.

    Returns:
        (n, terms), ≥ 0, mostly zero.
    """
    step = 1 / _largest_eigenvalue(codebook)
    weights = torch.zeros(len(vectors), len(codebook), device=vectors.device)
    ahead, momentum = weights, 1.0
    for _ in range(steps):
        slope = (ahead @ codebook - vectors) @ codebook.T + penalty
        found = (ahead - step * slope).clamp(min=0)
        further = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
        ahead = found + (momentum - 1) / further * (found - weights)
        weights, momentum = found, further
    return weights


def _largest_eigenvalue(codebook: Tensor) -> float:
    """Of C Cᵀ, from the smaller of its two squares."""
    small = codebook.T @ codebook if codebook.shape[1] < len(codebook) else codebook @ codebook.T
    return max(float(torch.linalg.eigvalsh(small.double())[-1]), 1e-9)
