"""A picture tower that timm lacks: DINOv2's transformer behind a small convolutional stem.

A patch embedding that is one big convolution makes a small ViT slow to learn to see; four small ones with
a stride of two each cost a tenth of the whole, and learn several times faster from few pictures
(Xiao et al., "Early convolutions help transformers see better", NeurIPS 2021). Importing this module
registers the architecture with timm under its name.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from torch import nn

from lexiscope.torchvision_shim import ensure_torchvision_operators

ensure_torchvision_operators()

from timm.models import register_model  # noqa: E402  (torchvision has to be mended first)
from timm.models.vision_transformer import VisionTransformer  # noqa: E402
from timm.models.vision_transformer_hybrid import ConvStem, HybridEmbed  # type: ignore[attr-defined]  # noqa: E402

__all__ = ["vit_convstem_dinov2", "vit_convstem_dinov2_d1_32", "vit_convstem_dinov2_w320_d8_112"]


@register_model
def vit_convstem_dinov2(
    pretrained: bool = False,
    *,
    embed_dim: int = 192,
    stem: Sequence[int] = (24, 48, 96),
    **arguments: Any,  # noqa: ANN401
) -> VisionTransformer:
    """A ViT with DINOv2's layer scale behind convolutions of stride two: one token a 2^(len(stem)+1) pixels.

    Args:
        pretrained: there are no weights to load; True is refused.
        embed_dim: width of the tokens.
        stem: channels of the convolutions before the last, whose channels are the tokens.
        **arguments: of timm's `VisionTransformer` (`img_size`, `depth`, `num_heads`, …).

    Raises:
        ValueError: weights are asked for.
    """
    if pretrained:
        raise ValueError("vit_convstem_dinov2 has no published weights")
    channels = (*stem, embed_dim)
    convolutions = ConvStem(
        depth=len(channels), channels=channels, stride=(2,) * len(channels), act_layer=nn.GELU
    )
    # timm fills these in for its own models; this one has no published configuration.
    of_timm = {"pretrained_cfg", "pretrained_cfg_overlay", "cache_dir"}
    known = {name: value for name, value in arguments.items() if name not in of_timm}
    tower = VisionTransformer(
        embed_dim=embed_dim,
        patch_size=1,
        embed_layer=partial(HybridEmbed, backbone=convolutions, proj=False),
        **{"init_values": 0.1, **known},
    )
    tower.default_cfg = {}  # type: ignore[assignment]  # open_clip looks into it
    return tower


@register_model
def vit_convstem_dinov2_w320_d8_112(
    pretrained: bool = False,
    **arguments: Any,  # noqa: ANN401
) -> VisionTransformer:
    """The bundled recipe's size of `vit_convstem_dinov2`: open_clip makes timm models by name alone.

    Args:
        pretrained: there are no weights to load; True is refused.
        **arguments: of `vit_convstem_dinov2`, where not the bundled recipe's.

    Raises:
        ValueError: weights are asked for.
    """
    size = {"img_size": 112, "embed_dim": 320, "depth": 8, "num_heads": 5, "stem": (48, 96, 192)}
    tower: VisionTransformer = vit_convstem_dinov2(pretrained, **{**size, **arguments})
    return tower


@register_model
def vit_convstem_dinov2_d1_32(pretrained: bool = False, **arguments: Any) -> VisionTransformer:  # noqa: ANN401
    """One layer for 32 pixels: what `lexiscope train dense-twin.toml --smoke` tries a run with.

    Args:
        pretrained: there are no weights to load; True is refused.
        **arguments: of `vit_convstem_dinov2`, where not these.

    Raises:
        ValueError: weights are asked for.
    """
    size = {"img_size": 32, "embed_dim": 32, "depth": 1, "num_heads": 2, "stem": (8,)}
    tower: VisionTransformer = vit_convstem_dinov2(pretrained, **{**size, **arguments})
    return tower
