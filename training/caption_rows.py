"""The captions of a corpus as rows to draw: tokenised and compared once, since a step has no time for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lexiscope.training.distributed import own
from lexiscope.training.loop import epoch_rows

Rows = npt.NDArray[np.int64]
_COMPARED = 1024  # captions at once: a block of likenesses is a few hundred megabytes


class CaptionRows:
    """Every caption with the picture it is of; five captions of a picture are five samples.

    Args:
        captions: a list of captions for each picture.
        tokenize: texts to token ids (n, length) and their mask (n, length), padded on the right.
        batch: captions a step.
        seed: of their order.
        device: where batches go.
    """

    def __init__(
        self,
        captions: Sequence[Sequence[str]],
        tokenize: Callable[[list[str]], tuple[Tensor, Tensor]],
        *,
        batch: int,
        seed: int,
        device: torch.device,
    ) -> None:
        self.texts = [caption for listed in captions for caption in listed]
        self.owners = np.repeat(np.arange(len(captions)), [len(listed) for listed in captions])
        self.batch, self.seed, self.device = batch, seed, device
        ids, mask = tokenize(self.texts)
        self._lengths: npt.NDArray[np.int64] = mask.sum(dim=1).numpy()
        self._ids, self._mask = ids.to(device), mask.to(device)

    def of_step(self, step: int) -> Rows:
        """This process's share of a step's captions, as numbers of rows."""
        return own(epoch_rows(step, self.batch, len(self.texts), self.seed))

    def tokens(self, rows: Rows) -> tuple[Tensor, Tensor]:
        """Ids and mask of captions, (n, the longest of them)."""
        longest, places = max(1, int(self._lengths[rows].max())), torch.from_numpy(rows).to(self.device)
        return self._ids[places, :longest], self._mask[places, :longest]


class Presence:
    """Which of a head's terms stand in each of many texts.

    Args:
        places: for each text the numbers of its terms.
        terms: how many terms there are.
        device: where batches go.
    """

    def __init__(self, places: Sequence[npt.NDArray[np.int64]], terms: int, device: torch.device) -> None:
        self._terms = terms
        # Short rows are filled up with a term too many, which is cut off again.
        padded = np.full((len(places), max(map(len, places), default=0)), terms, dtype=np.int32)
        for row, found in enumerate(places):
            padded[row, : len(found)] = found
        self._places = torch.from_numpy(padded).to(device)

    def of(self, rows: Rows) -> Tensor:
        """(n, terms): 1 where a term stands in the text."""
        places = self._places[torch.from_numpy(rows).to(self._places.device)].long()
        presence = torch.zeros(len(rows), self._terms + 1, device=places.device)
        return presence.scatter_(1, places, 1.0)[:, : self._terms]


class Neighbourhood:
    """How often each of a head's terms stands in the captions that mean most nearly the same.

    A caption names a few of the words that fit; others of the kind name more. So a model learns which words
    go with which, where nothing else keeps it from using rare ones as a code of its own.

    Args:
        presence: of the terms in all captions.
        vectors: (captions, d) unit vectors of all captions, by a dense model.
        count: how many captions are asked.
    """

    def __init__(self, presence: Presence, vectors: Tensor, count: int) -> None:
        self._presence, self._count = presence, min(count, len(vectors) - 1)
        parts = []
        for first in range(0, len(vectors), _COMPARED):
            likeness = vectors[first : first + _COMPARED] @ vectors.T
            likeness.diagonal(first).fill_(-torch.inf)  # but not the caption itself
            parts.append(likeness.topk(self._count, dim=1).indices.cpu())
        self._nearest: Rows = torch.cat(parts).numpy()

    def of(self, rows: Rows) -> Tensor:
        """(n, terms): the share of its neighbours that have a term, 0 where one alone has it."""
        said = self._presence.of(self._nearest[rows].ravel())
        share = said.view(len(rows), self._count, -1).mean(dim=1)
        return share * (share > 1.5 / self._count)
