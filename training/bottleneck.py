"""Lexicon-bottlenecked masked language modelling (LexLIP, ICCV 2023, phase 1).

    a = softmax( max over positions of the logits )          the text, or the picture, as a bag of words
    b = a · W_emb                                            W_emb the input embedding, without gradient
    L = CE of the masked words by a weak decoder that reads [b, masked text]

A decoder of two layers that sees half of the text can restore the rest only through b, so the words in a
must say
what the text or picture is about.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lexiscope.family import FamilyModel
from lexiscope.text.language_model import LanguageModel
from lexiscope.text.templates import Windows

ENCODER_SHARE, DECODER_SHARE = 0.3, 0.5
_LAYERS = 2
_IGNORED = -100


class WeakDecoder(nn.Module):
    """Two transformer layers over the text tower's input embedding, which speak through its output layer.

    Args:
        width: of the text tower.
        longest: positions.
    """

    def __init__(self, width: int, longest: int) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(
            width, max(1, width // 64), 4 * width, dropout=0.1, activation="gelu", batch_first=True
        )
        self.layers = nn.TransformerEncoder(layer, _LAYERS, enable_nested_tensor=False)
        self.places = nn.Parameter(torch.randn(longest, width) * 0.02)
        self.norm = nn.LayerNorm(width)

    def forward(self, language: LanguageModel, bottleneck: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        """Logits (n, length, tokens) of ids (n, length), the first position replaced by the bottleneck."""
        words = language.embeddings(ids)
        words = torch.cat([bottleneck[:, None], words[:, 1:]], dim=1)
        states = self.layers(self.norm(words + self.places[: ids.shape[1]]), src_key_padding_mask=~mask)
        found: Tensor = language.decoder(language.transform(states))
        return found


def mask_words(windows: Windows, share: float, model: FamilyModel, mask_token: int) -> tuple[Tensor, Tensor]:
    """Hide whole words: ids with the mask token in them, and the labels of what is hidden (-100 elsewhere).

    A word is a token that begins one and the pieces that go on with it; about `share` of the words are
    hidden.
    """
    begins = windows.literal & ~_pieces(model, windows)
    word = begins.long().cumsum(dim=1)
    chance = torch.rand(len(word), int(word.max()) + 1).to(word.device)
    hidden = windows.literal & (chance.gather(1, word) < share)
    labels = windows.ids.masked_fill(~hidden, _IGNORED)
    return windows.ids.masked_fill(hidden, mask_token), labels


def _pieces(model: FamilyModel, windows: Windows) -> Tensor:
    """Where a token goes on with a word: its term begins with a tilde."""
    goes_on = torch.tensor(
        [term.startswith("~") for term in model.vocabulary.terms], device=windows.ids.device
    )
    places = model.terms_at(windows)
    return goes_on[places.clamp(min=0)] & (places >= 0)


def bottleneck_loss(
    model: FamilyModel, decoder: WeakDecoder, windows: Windows, picture_logits: Tensor
) -> Tensor:
    """Masked words restored by the encoder itself, through the text's bottleneck, and through the picture's.

    Args:
        model: with a masked text tower.
        decoder: the weak decoder.
        windows: n captions' tokens.
        picture_logits: (n, V) of their pictures, max-pooled.
    """
    language = model.language("document")
    mask_token = int(language.tokenizer.mask_token_id)
    ids, labels = mask_words(windows, ENCODER_SHARE, model, mask_token)
    states = language(ids, windows.mask)
    logits = language.decoder(language.transform(states))
    own = _restored(logits, labels)
    weights = logits[..., model.token_ids].float().masked_fill(~windows.pooled[..., None], float("-inf"))
    ids, labels = mask_words(windows, DECODER_SHARE, model, mask_token)
    total = own
    for bag in (weights.amax(dim=1), picture_logits):
        words = language.embeddings.weight.detach()[model.token_ids]
        bottleneck = bag.softmax(dim=1).to(words.dtype) @ words
        total = total + _restored(decoder(language, bottleneck, ids, windows.mask), labels)
    return total


def _restored(logits: Tensor, labels: Tensor) -> Tensor:
    if not bool((labels != _IGNORED).any()):
        return logits.sum() * 0.0
    return F.cross_entropy(logits.flatten(0, 1).float(), labels.flatten(), ignore_index=_IGNORED)
