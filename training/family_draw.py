"""Batches of family recipes: a step's number says which rows, whatever happened before.

Pictures are decoded by several threads, the next step's while this one is computed.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import torch
from PIL.Image import Image
from torch import Tensor

from lexiscope.errors import DatasetError, UnreadableSource
from lexiscope.family import FamilyModel
from lexiscope.training.augment import crop, jitter, random_boxes
from lexiscope.training.distributed import own, rank, world
from lexiscope.training.family_recipe import FamilyRecipe
from lexiscope.training.family_stage import FamilyBatch, Side
from lexiscope.training.loop import epoch_rows
from lexiscope.training.rows import Row, Rows
from lexiscope.training.webdataset import Captioned
from lexiscope.vision.tower import Preprocessor

_THREADS = 8
_TRIES = 20  # samples after a damaged one that stand in for it


def own_rows(step: int, recipe: FamilyRecipe, n: int) -> npt.NDArray[np.int64]:
    """This process's rows of a step's batch.

    Raises:
        DatasetError: there are fewer rows than a batch takes.
        RecipeError: the processes cannot share a batch evenly.
    """
    batch = recipe.train.batch
    if n < batch:
        raise DatasetError(f"data.train: {n} rows, but train.batch is {batch}; name more data or lower it")
    return own(epoch_rows(step, batch, n, recipe.seed))


def text_side(model: FamilyModel, name: str, texts: list[str], device: torch.device) -> Side:
    """Texts with the first window of their tokens."""
    windows = model.windows(name, texts)
    return Side(name, texts, None if windows is None else windows.first().to(device))


class TextDraw:
    """Questions with their answers and others.

    Args:
        rows: what to draw from.
        recipe: how many, and what of them.
        model: whose tokenizers are used.
        device: where the batch goes.
    """

    def __init__(self, rows: Rows, recipe: FamilyRecipe, model: FamilyModel, device: torch.device) -> None:
        self.rows, self.recipe, self.model, self.device = rows, recipe, model, device

    def __call__(self, step: int) -> FamilyBatch:
        """This process's share of a step."""
        numbers = own_rows(step, self.recipe, len(self.rows))
        chosen = [self._choose(self.rows[int(number)], int(number), step) for number in numbers]
        documents = [text for _, texts, _ in chosen for text in texts]
        scores = None
        if self.recipe.needs_scores:
            scores = torch.tensor([listed for _, _, listed in chosen], device=self.device)
        return FamilyBatch(
            text_side(self.model, "query", [query for query, _, _ in chosen], self.device),
            text_side(self.model, "document", documents, self.device),
            1 + self.recipe.data.negatives,
            scores,
        )

    def _choose(self, row: Row, number: int, step: int) -> tuple[str, list[str], list[list[float]]]:
        """A row's question, its documents and their scores (teachers, group)."""
        wanted, have = self.recipe.data.negatives, len(row.documents) - 1
        if have < wanted:
            raise DatasetError(
                f"data.train: row {number + 1} has {have} documents that do not answer it, and "
                f"data.negatives is {wanted}; lower it, or mine more"
            )
        if self.recipe.needs_scores and not row.scores:
            raise DatasetError(
                f"data.train: row {number + 1} has no teacher's scores, which this recipe learns from; "
                "write them into the rows, or use a contrastive recipe"
            )
        others = np.random.default_rng([step, number]).permutation(have)[:wanted] + 1
        places = [0, *(int(place) for place in others)]
        texts = [row.documents[place] for place in places]
        if self.recipe.data.expansion:
            texts[0] = f"{texts[0]} {row.expansion}"
        scores = [[teacher[place] for place in places] for teacher in row.scores]
        return row.query, texts, scores if self.recipe.needs_scores else []


class PictureDraw:
    """Captions with their pictures; of a picture with several captions one, another in another epoch.

    Args:
        captioned: what to draw from.
        recipe: how many, and how pictures are varied.
        model: whose tokenizer and picture size are used.
        device: where the batch goes.
    """

    def __init__(
        self, captioned: Captioned, recipe: FamilyRecipe, model: FamilyModel, device: torch.device
    ) -> None:
        self.captioned, self.recipe, self.model, self.device = captioned, recipe, model, device
        self._pool = ThreadPoolExecutor(_THREADS)
        self._ahead = ThreadPoolExecutor(1)
        self._next: tuple[int, Future[tuple[list[str], Tensor]]] | None = None
        vision = model.vision
        self._preprocess = None if vision is None else Preprocessor(vision.config)

    def __call__(self, step: int) -> FamilyBatch:
        """This process's share of a step."""
        if self._next is not None and self._next[0] == step:
            captions, pixels = self._next[1].result()
        else:
            captions, pixels = self._load(step)
        self._next = (step + 1, self._ahead.submit(self._load, step + 1))
        query = text_side(self.model, "query", captions, self.device)
        return FamilyBatch(query, Side("picture", pixels=self._vary(pixels.to(self.device), step)))

    def _load(self, step: int) -> tuple[list[str], Tensor]:
        numbers = own_rows(step, self.recipe, len(self.captioned))
        samples = list(self._pool.map(lambda number: self._sample(int(number), step), numbers))
        pictures = [picture for _, picture in samples]
        if self.model.dense is not None:
            return [caption for caption, _ in samples], self.model.dense.pixels(pictures)
        if self._preprocess is None:
            raise ValueError("no tower sees pictures")
        squares = self._preprocess.squares(pictures)
        return [caption for caption, _ in samples], squares

    def _sample(self, number: int, step: int) -> tuple[str, Image]:
        """A caption and its picture; a damaged one is stood in for by the next that can be read."""
        for place in range(number, number + _TRIES):
            place %= len(self.captioned)
            try:
                captions, picture = self.captioned.captions(place), self.captioned.picture(place)
            except UnreadableSource as error:
                damaged = error
                continue
            return captions[(step + place) % len(captions)], picture
        raise DatasetError(f"data.train: {_TRIES} pictures in a row cannot be read ({damaged})") from damaged

    def _vary(self, pixels: Tensor, step: int) -> Tensor:
        """Random crops, mirrorings and colours, where the recipe asks for them; normalised."""
        if self._preprocess is None:
            return pixels
        augment = self.recipe.train.augment
        if augment is not None:
            generator = torch.Generator().manual_seed(step * world() + rank())
            theta = random_boxes(len(pixels), smallest=augment.smallest, generator=generator).to(self.device)
            pixels = crop(pixels.float(), theta, pixels.shape[-1])
            pixels = jitter(pixels, strength=augment.colour, generator=generator)
        return self._preprocess.normalise(pixels)
