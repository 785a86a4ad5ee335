"""A causal language model as a text tower of open_clip, which by itself holds encoders only (BERT, T5).

open_clip makes a text tower from the transformers configuration in the folder that `text_cfg.hf_model_name`
names. Importing this module registers one kind of configuration with transformers and open_clip: it wraps
the configuration of any causal language model, without its output layer. It has to be imported before
`open_clip.create_model_and_transforms("local-dir:FOLDER")` reads such a folder.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from lexiscope.text.tower import make_decoder
from lexiscope.torchvision_shim import ensure_torchvision_operators

ensure_torchvision_operators()

from open_clip.hf_configs import arch_dict  # noqa: E402  (torchvision has to be mended first)
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel  # noqa: E402

__all__ = ["OpenClipDecoder", "OpenClipDecoderConfig"]


class OpenClipDecoderConfig(PreTrainedConfig):
    """Configuration of a wrapped language model.

    Args:
        decoder: the language model's own configuration, with its model_type.
        **settings: of every transformers configuration; `pad_token_id` tells open_clip what to leave out.
    """

    model_type = "lexiscope_decoder"

    def __init__(self, decoder: dict[str, Any] | None = None, **settings: Any) -> None:  # noqa: ANN401
        super().__init__(**settings)
        self.decoder = decoder or {}
        for name in ("hidden_size", "vocab_size", "max_position_embeddings"):  # open_clip asks for these
            setattr(self, name, self.decoder.get(name, 0))


class OpenClipDecoder(PreTrainedModel):
    """The language model without its output layer.

    Args:
        config: what to build, with random weights.
        add_pooling_layer: open_clip says False; pooling is its own affair.
    """

    config_class = OpenClipDecoderConfig

    def __init__(self, config: OpenClipDecoderConfig, add_pooling_layer: bool = False) -> None:
        super().__init__(config)
        self.decoder = make_decoder(config.decoder)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Any:  # noqa: ANN401
        """What the language model returns; open_clip takes its `last_hidden_state`."""
        return self.decoder(input_ids=input_ids, attention_mask=attention_mask, use_cache=False)


AutoConfig.register(OpenClipDecoderConfig.model_type, OpenClipDecoderConfig)
AutoModel.register(OpenClipDecoderConfig, OpenClipDecoder)
arch_dict[OpenClipDecoderConfig.model_type] = {
    "config_names": {"width": "hidden_size", "vocab_size": "vocab_size"},
    "pooler": "mean_pooler",
}
