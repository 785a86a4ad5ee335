"""What a step looks at: augmented pictures, the patches of them that count, and the teacher's view of those.

A step may look at some patches of a picture only, drawn anew for every picture and step (FLIP, Li et al.,
"Scaling language-image pre-training via masking", CVPR 2023): a step of half the patches costs little more
than half, and twice as many pictures are worth more than twice as many patches of each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lexiscope.training.augment import crop, crop_states, inside, jitter, random_boxes
from lexiscope.training.corpus import Corpus, held
from lexiscope.training.distributed import rank, world
from lexiscope.training.teacher import TeacherViews
from lexiscope.vision.tower import Preprocessor


@dataclass(frozen=True)
class Pictures:
    """One step's pictures."""

    pixels: Tensor  # (n, 3, side, side), normalised
    kept: Tensor | None  # (n, m) numbers of the patches to look at; None: all of them
    teacher: Tensor | None  # (n, m, c) what the teacher says of those patches; None: there is no teacher


class Seen:
    """A corpus and what its teacher says of it, where batches are wanted; shared by the stages of a run.

    Args:
        corpus: the pictures.
        teacher: what the teacher says; None: there is none.
        device: where batches go.
    """

    def __init__(self, corpus: Corpus, teacher: TeacherViews | None, device: torch.device) -> None:
        self.corpus, self.teacher, self.device = corpus, teacher, device
        self.squares = held([shard.squares for shard in corpus.shards], device)
        self.maps = None if teacher is None else held(teacher.maps, device)


@dataclass(frozen=True)
class _Chance:
    """What is drawn for a step's pictures."""

    boxes: Tensor  # (n, 2, 3) what is seen of a picture
    views: npt.NDArray[np.int64]  # (n,) rows of the teacher's maps
    within: Tensor  # (n, 2, 3) what is seen of that view
    kept: Tensor | None
    generator: torch.Generator  # of the colours


class PictureBatches:
    """Draws pictures of a corpus; what is drawn depends on the rows, the step and the process alone.

    Args:
        seen: the pictures and the teacher.
        preprocess: of the tower.
        grid: rows and columns of the tower's patches.
        smallest: least share of a picture's area, or of the teacher's view of it, that a crop shows.
        colour: how far colours are changed.
        keep: share of the patches that a step looks at.
    """

    def __init__(
        self,
        seen: Seen,
        preprocess: Preprocessor,
        grid: tuple[int, int],
        *,
        smallest: float,
        colour: float,
        keep: float = 1.0,
    ) -> None:
        self.seen, self.corpus, self.device = seen, seen.corpus, seen.device
        self.preprocess, self.grid = preprocess, grid
        self.smallest, self.colour, self.keep = smallest, colour, keep

    def draw(self, rows: npt.NDArray[np.int64], step: int) -> Pictures:
        """Pictures of the given rows of the corpus."""
        chance = self._chance(rows, step)
        squares = self.seen.squares(rows).permute(0, 3, 1, 2).float()
        pixels = crop(squares, chance.boxes.to(self.device), self.preprocess.config.image_size)
        pixels = jitter(pixels, strength=self.colour, generator=chance.generator)
        return Pictures(self.preprocess.normalise(pixels), chance.kept, self._teacher(chance))

    def draw_teacher(self, rows: npt.NDArray[np.int64], step: int) -> Tensor:
        """What `draw` would give as the teacher's view, (n, m, c), without the pictures.

        Raises:
            ValueError: there is no teacher.
        """
        found = self._teacher(self._chance(rows, step))
        if found is None:
            raise ValueError("these pictures come without a teacher's maps")
        return found

    def _chance(self, rows: npt.NDArray[np.int64], step: int) -> _Chance:
        """Views, crops and patches of a step, and the source of colours.

        All processes draw for all rows and take their own, so that together they see what one alone would;
        on the CPU, for the same numbers on any device.
        """
        generator = torch.Generator().manual_seed(step)
        n, own = len(rows) * world(), slice(rank(), None, world())
        boxes = within = random_boxes(n, smallest=self.smallest, generator=generator)[own]
        views, teacher = rows, self.seen.teacher
        if teacher is not None:
            drawn = torch.randint(teacher.views, (n,), generator=generator)[own]
            views = rows * teacher.views + drawn.numpy()
            boxes = inside(teacher.boxes[torch.from_numpy(views)], within)
        kept = None
        if self.keep < 1:
            patches = self.grid[0] * self.grid[1]
            order = torch.rand(n, patches, generator=generator)[own].argsort(dim=1)
            kept = order[:, : max(1, round(self.keep * patches))].to(self.device)
        generator.manual_seed(step * world() + rank())
        return _Chance(boxes, views, within, kept, generator)

    def _teacher(self, chance: _Chance) -> Tensor | None:
        if self.seen.maps is None:
            return None
        maps = self.seen.maps(chance.views).float()
        return crop_states(maps, chance.within.to(self.device), self.grid[0], chance.kept)
