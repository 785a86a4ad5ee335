"""A dense twin as a teacher: its picture tower is taken as it is, its similarities are soft targets.

    L_twin = ½ [ KL( softmax(τ·S_twin) ‖ softmax(s·S) ) + the same of the transposed matrices ]

S are the similarities of all pictures of a batch with all its captions. The targets say of every wrong
caption how wrong it is (Hinton et al., "Distilling the knowledge in a neural network", 2015; of CLIP's
matrices: Wu et al., "TinyCLIP", ICCV 2023, section 3.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lexiscope.clip_tower import ClipTower
from lexiscope.errors import RecipeError
from lexiscope.vision.tower import VisionTower

_AT_ONCE = 512  # captions


class Twin(nn.Module):
    """A dense model whose picture tower a lexical model shares.

    Args:
        clip: open_clip's model, with a timm picture tower.
    """

    def __init__(self, clip: ClipTower) -> None:
        super().__init__()
        self.clip = clip

    def lend(self, tower: VisionTower, name: str) -> None:
        """Give a picture tower this one's weights, and freeze it; from now on both see pictures of its size.

        Args:
            tower: of the same architecture; what it has learned is lost.
            name: of this model, for the message.

        Raises:
            RecipeError: the towers differ.
        """
        trunk = getattr(self.clip.network.visual, "trunk", None)
        try:
            if trunk is None:
                raise RuntimeError("it has no timm picture tower")
            trunk.set_input_size(img_size=tower.config.image_size)
            tower.model.load_state_dict(trunk.state_dict())
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1].strip()
            raise RecipeError(
                f"{name}: its picture tower is not the recipe's ({reason}); "
                "name a dense model of the same [vision]"
            ) from error
        tower.requires_grad_(False)

    @torch.no_grad()
    def pictures(self, states: Tensor) -> Tensor:
        """Unit vectors (n, width) of pictures, from the states (n, patches, d) of all their patches."""
        visual: Any = self.clip.network.visual
        prefix = states.new_zeros(len(states), visual.trunk.num_prefix_tokens, states.shape[-1])
        found = visual.head(visual.trunk.forward_head(torch.cat([prefix, states], dim=1)))
        return F.normalize(found.float(), dim=-1)

    def captions(self, texts: Sequence[str]) -> Tensor:
        """Unit vectors (n, width) of captions."""
        return torch.cat([self.clip.texts(texts[i : i + _AT_ONCE]) for i in range(0, len(texts), _AT_ONCE)])
