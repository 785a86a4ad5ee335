"""Lexical vectors of chapters: long texts with a title, speakers, and an episode around them.

    d_t = max( expansion_t / 2 ,  literal_t · n_t (k1 + 1) / (n_t + k1 (1 - b + b L / L̄)) ) / scale

n_t counts a term in all fields, each with its weight (BM25F: Robertson, Zaragoza and Taylor, CIKM 2004); L is
the length of the chapter and L̄ what is usual. The expansion is the text tower's, max-pooled over the windows
of the text. Title and description of the episode are what PODTILE (2024) adds to a chapter to be found by.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

if TYPE_CHECKING:
    from lexiscope.encoder import LexicalEncoder
    from lexiscope.episodes import ChapterWords

__all__ = ["chapter_vectors"]

# Tuned for search on QMSum's and Optech's training questions, all of them flat around these values.
SATURATION = 1.2  # k1 of BM25
NORMALISATION = 0.5  # b of BM25: how much long chapters are held back
USUAL_LENGTH = 800  # words: L̄, fixed, so that a vector does not depend on what else is in the index
EXPANSION = 0.5  # what the tower says counts this much against what is said
TITLE_WEIGHT = 2.0
GENERATED_TITLE_WEIGHT = 1.0
EPISODE_WEIGHT = 0.5  # its title
DESCRIPTION_WEIGHT = 0.2
MOST_TURNS = 3  # a speaker's name counts once a turn, up to this
WINDOWS_A_BATCH = 64
# Lengths come out about 1, as those of pictures do: the norm of some 250 words with their usual weights.
_TYPICAL_LENGTH = 12.0


def chapter_vectors(encoder: LexicalEncoder, chapters: Sequence[ChapterWords]) -> csr_array:
    """Encode chapters; nothing is cut off, however long they are.

    Args:
        encoder: the model.
        chapters: n chapters.

    Returns:
        (n, V) float32, weights ≥ 0. A chapter of usual length has a norm of about 1; longer ones have more.
        A model without literal weights (`lexiscope.family`) encodes title and text as it does any document.
    """
    from lexiscope.model import LexicalModel

    if not isinstance(encoder.model, LexicalModel):
        return encoder.encode_document([f"{c.title}\n{c.text}" for c in chapters], show_progress_bar=False)
    literal = encoder.model.literal.detach().float().cpu().numpy()
    scale = np.float32(_TYPICAL_LENGTH * literal.mean())
    rows = np.zeros((len(chapters), len(literal)), np.float32)
    for row, chapter in zip(rows, chapters, strict=True):
        counts = _counts(encoder, chapter)
        length = len(encoder.vocabulary.literals(chapter.text))
        terms = np.fromiter(counts, np.int64, len(counts))
        often = np.fromiter(counts.values(), np.float32, len(counts))
        held = SATURATION * (1 - NORMALISATION + NORMALISATION * length / USUAL_LENGTH)
        row[terms] = literal[terms] * often * (SATURATION + 1) / (often + held)
        np.maximum(row, EXPANSION * _expansion(encoder, chapter.text), out=row)
    return csr_array(rows / scale)


def _counts(encoder: LexicalEncoder, chapter: ChapterWords) -> dict[int, float]:
    """How often each term stands in all fields, weighted."""
    counts: defaultdict[int, float] = defaultdict(float)
    for text, weight in _fields(chapter):
        for term in encoder.vocabulary.literals(text):
            counts[term] += weight
    return counts


def _fields(chapter: ChapterWords) -> Iterator[tuple[str, float]]:
    """The fields of a chapter with what one of their words counts."""
    yield chapter.text, 1.0
    yield chapter.title, GENERATED_TITLE_WEIGHT if chapter.generated else TITLE_WEIGHT
    for name, turns in chapter.turns.items():
        yield name, float(min(turns, MOST_TURNS))
    yield chapter.episode, EPISODE_WEIGHT
    yield chapter.description, DESCRIPTION_WEIGHT


def _expansion(encoder: LexicalEncoder, text: str) -> npt.NDArray[np.float32]:
    """What the text tower says about a text, (V,), max-pooled over its windows and cut to what matters."""
    import torch

    from lexiscope.model import LexicalModel

    model, device = encoder.model, encoder.device
    if not isinstance(model, LexicalModel):
        raise TypeError("only a LexicalModel has an expansion beside literal weights")
    with torch.inference_mode():
        ids, mask, _ = model.text.tokenize([text])
        pooled = [
            model.text_weights(some.to(device), real.to(device)).amax(dim=0)
            for some, real in zip(ids.split(WINDOWS_A_BATCH), mask.split(WINDOWS_A_BATCH), strict=True)
        ]
        said = torch.stack(pooled).amax(dim=0, keepdim=True)
        kept = model.text_head.keep(said, len(encoder.vocabulary))
    wide = np.zeros(len(encoder.vocabulary), np.float32)
    wide[model.text_head.term_ids.cpu().numpy()] = kept[0].float().cpu().numpy()
    return wide
