"""Any open_clip model as a lexical encoder, without training.

The model's own embeddings of the vocabulary's words are the codebook; a picture's or text's embedding becomes
the few words whose weighted sum comes near it (`lexiscope.decomposition`, after SpLiCE). Pictures and texts
lie
in two cones of CLIP's space, so each kind is centred by its own mean first: the words' mean for texts, the
mean of photographs for pictures (those in scikit-image's wheel, until `centre_on` is given better ones).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lexiscope import storage
from lexiscope.clip_tower import ClipTower
from lexiscope.decomposition import decompose
from lexiscope.errors import ModelError, VocabularyMismatch
from lexiscope.vocabulary import Vocabulary

if TYPE_CHECKING:
    from PIL.Image import Image

#: λ of the decomposition. SpLiCE uses 0.15 to 0.35 and keeps about ten to thirty words.
PENALTY = 0.2
#: Weight of a word that stands in a text, beside those of the decomposition, whose largest is 1.
LITERAL = 0.5
_WORDS_A_PASS = 256
_PHOTOGRAPHS = (
    "astronaut.png",
    "brick.png",
    "camera.png",
    "chelsea.png",
    "coffee.png",
    "coins.png",
    "grass.png",
    "gravel.png",
    "motorcycle_left.png",
    "rocket.jpg",
)


class ClipLexicon(nn.Module):
    """A CLIP, a vocabulary, and the words' embeddings.

    Args:
        clip: the open_clip model.
        vocabulary: the terms.
        term_ids: (terms,) ids of the terms that have a row in the codebook, ascending.
        codebook: (terms, width) unit embeddings of these terms, centred.
        text_mean: (width,) mean embedding of the terms, before centring.
        picture_mean: (width,) mean embedding of pictures.
    """

    term_ids: Tensor
    codebook: Tensor
    text_mean: Tensor
    picture_mean: Tensor

    def __init__(
        self,
        clip: ClipTower,
        vocabulary: Vocabulary,
        term_ids: Tensor,
        codebook: Tensor,
        text_mean: Tensor,
        picture_mean: Tensor,
    ) -> None:
        super().__init__()
        self.clip, self.vocabulary = clip, vocabulary
        self.register_buffer("term_ids", term_ids.long())
        for name, tensor in (
            ("codebook", codebook),
            ("text_mean", text_mean),
            ("picture_mean", picture_mean),
        ):
            self.register_buffer(name, tensor.float())

    @classmethod
    def from_clip(cls, name: str, *, vocabulary: Vocabulary | None = None) -> ClipLexicon:
        """Make one from an open_clip model; nothing is trained.

        Args:
            name: a folder in open_clip's format, `hf-hub:OWNER/MODEL`, or open_clip's `MODEL/WEIGHTS`.
            vocabulary: the terms; None takes the bundled model's, and of them the words that it says.

        Raises:
            ModelError: there is no such model, or open_clip is not installed.
        """
        clip = ClipTower.from_pretrained(name)
        if vocabulary is None:
            vocabulary, sayable = _bundled_words()
        else:
            sayable = [n for n, term in enumerate(vocabulary.terms) if not Vocabulary.is_piece(term)]
        rows = torch.cat(
            [
                clip.texts([vocabulary.terms[number] for number in sayable[start : start + _WORDS_A_PASS]])
                for start in range(0, len(sayable), _WORDS_A_PASS)
            ]
        )
        mean = rows.mean(dim=0)
        model = cls(
            clip,
            vocabulary,
            torch.tensor(sayable),
            F.normalize(rows - mean, dim=-1),
            mean,
            torch.zeros_like(mean),
        )
        model.centre_on(list(_photographs()))
        return model.eval()

    @torch.no_grad()
    def centre_on(self, pictures: Sequence[Image]) -> None:
        """Take the mean embedding of these pictures as the middle of all; a few hundred of your own are best.

        Args:
            pictures: RGB; none leaves the middle where the words have theirs.
        """
        if pictures:
            pixels = self.clip.pixels(pictures).to(self.codebook.device)
            self.picture_mean.copy_(self.clip.pictures(pixels).mean(dim=0))

    @property
    def picture_side(self) -> int:
        """Side in pixels of the square that the picture tower sees."""
        return self.clip.side

    def picture_rows(self, pictures: Sequence[Image]) -> Tensor:
        """Lexical vectors (n, V) of RGB pictures, of unit length."""
        pixels = self.clip.pixels(pictures).to(self.codebook.device)
        return F.normalize(self._words(self.clip.pictures(pixels), self.picture_mean), dim=-1)

    def text_rows(self, texts: Sequence[str], *, document: bool, inference_free: bool) -> Tensor:
        """Lexical vectors (n, V) of texts, of unit length: what the model says, and what stands there."""
        literal = torch.zeros(len(texts), len(self.vocabulary), device=self.codebook.device)
        for row, text in enumerate(texts):
            literal[row, self.vocabulary.literals(text)] = 1.0 if inference_free else LITERAL
        if inference_free:
            return F.normalize(literal, dim=-1)
        said = self._words(self.clip.texts(texts), self.text_mean)
        said = said / said.amax(dim=1, keepdim=True).clamp(min=1e-6)
        return F.normalize(torch.maximum(said, literal), dim=-1)

    def _words(self, embeddings: Tensor, mean: Tensor) -> Tensor:
        centred = F.normalize(embeddings - mean, dim=-1)
        wide = torch.zeros(len(embeddings), len(self.vocabulary), device=embeddings.device)
        wide[:, self.term_ids] = decompose(centred, self.codebook, penalty=PENALTY)
        return wide

    def save(self, folder: Path, *, half: bool = False, card: str | None = None) -> None:
        """Write the model folder, the open_clip model in `dense/`."""
        folder.mkdir(parents=True, exist_ok=True)
        self.clip.save(folder / "dense")
        self.vocabulary.save(folder / storage.VOCABULARY)
        own = {name: t for name, t in self.state_dict().items() if not name.startswith("clip.")}
        storage.write_weights(folder, own, half=half)
        if card is not None:
            (folder / storage.CARD).write_text(card, encoding="utf-8")
        config: dict[str, Any] = {"vocabulary": self.vocabulary.fingerprint, "clip_lexicon": 1}
        storage.write_config(folder, config)

    @classmethod
    def load(cls, folder: Path) -> ClipLexicon:
        """Read a model folder.

        Raises:
            ModelError: a file is missing or damaged.
            VocabularyMismatch: vocabulary.txt is not the codebook's.
        """
        config = storage.read_config(folder)
        vocabulary = Vocabulary.load(folder / storage.VOCABULARY)
        if config.get("vocabulary") != vocabulary.fingerprint:
            raise VocabularyMismatch(
                f"{folder / storage.VOCABULARY}: not the codebook's; copy the model again"
            )
        weights = storage.read_weights(folder)
        names = ("term_ids", "codebook", "text_mean", "picture_mean")
        if not set(names) <= set(weights):
            raise ModelError(f"{folder / storage.WEIGHTS}: a tensor is missing; save the model again")
        clip = ClipTower.from_pretrained(str(folder / "dense"))
        return cls(clip, vocabulary, *(weights[name] for name in names)).eval()


def _bundled_words() -> tuple[Vocabulary, list[int]]:
    folder = storage.resolve(storage.BUNDLED)
    sayable: list[int] = storage.read_weights(folder)["text_head.term_ids"].tolist()
    return Vocabulary.load(folder / storage.VOCABULARY), sayable


def _photographs() -> Iterator[Image]:
    """The photographs in scikit-image's wheel, where it is installed."""
    from lexiscope.vision.pictures import open_picture

    if find_spec("skimage") is None:
        return
    folder = Path(str(files("skimage") / "data"))
    for name in _PHOTOGRAPHS:
        if (folder / name).is_file():
            yield open_picture(folder / name)
