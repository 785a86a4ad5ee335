"""`Retriever`: an index folder with its model — put files in, ask in words, in pictures, or both."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

from lexiscope.edits import Edits
from lexiscope.errors import (
    DamagedIndex,
    IndexFolderError,
    InvalidValue,
    ModelError,
    UnreadableSource,
    VocabularyMismatch,
    printable,
)
from lexiscope.feedback import Feedback, check_feedback
from lexiscope.finding import KINDS, Finder
from lexiscope.hits import Hit, Match
from lexiscope.index import Collection
from lexiscope.index.inverted import check_k
from lexiscope.indexing import AddReport, Progress, add_sources
from lexiscope.questions import Question, ask, clean
from lexiscope.sources import Skipped, source_name

if TYPE_CHECKING:
    from PIL.Image import Image

    from lexiscope.encoder import LexicalEncoder

__all__ = ["AddReport", "Edits", "Hit", "Match", "Retriever", "Skipped"]

DEFAULT_MODEL = "bundled"


class Retriever:
    """A library of pictures and episodes that answers questions.

    Args:
        collection: the index.
        model: name of the model: "bundled", a folder, or a hub id.
        encoder: the model itself where it is loaded already; else it is loaded when first needed.

    Raises:
        VocabularyMismatch: the encoder's vocabulary or weights are not the index's.
    """

    def __init__(self, collection: Collection, model: str, encoder: LexicalEncoder | None = None) -> None:
        self.collection = collection
        self.model = model
        self._encoder = encoder if encoder is None else self._fitting(encoder)

    @classmethod
    def open(
        cls, folder: str | os.PathLike[str], *, model: str | Path | None = None, create: bool = False
    ) -> Retriever:
        """Open an index folder.

        Args:
            folder: the index.
            model: "bundled", a folder, or a hub id; None takes the one the index was made with.
            create: make the index where there is none.

        Raises:
            IndexFolderError: there is no index, or it cannot be read.
            ModelError: the model cannot be loaded.
            VocabularyMismatch: the model's vocabulary is not the one the index was made with.
        """
        path = Path(folder).expanduser()
        try:
            collection = Collection.open(path)
        except IndexFolderError as error:
            # Only where nothing is: an index that lost its manifest must not be written over.
            if not create or isinstance(error, DamagedIndex) or os.path.lexists(path / "manifest.json"):
                raise
            return cls._create(path, _full_name(model or DEFAULT_MODEL))
        made_with = str(collection.meta.get("name", DEFAULT_MODEL))
        name = made_with if model is None else _full_name(model)
        # Named outright, a model that does not fit is an error even where it will not be needed.
        return cls(collection, name, None if model is None else _load(name))

    @classmethod
    def _create(cls, folder: Path, model: str) -> Retriever:
        encoder = _load(model)
        vocabulary = encoder.vocabulary
        collection = Collection.create(
            folder,
            vocabulary_size=len(vocabulary),
            fingerprint=vocabulary.fingerprint,
            model={"name": model, "weights": encoder.fingerprint},
        )
        return cls(collection, model, encoder)

    @property
    def encoder(self) -> LexicalEncoder:
        """The model, loaded when first asked for.

        Raises:
            ModelError: it cannot be loaded.
            VocabularyMismatch: its vocabulary is not the index's.
        """
        if self._encoder is None:
            try:
                loaded = _load(self.model)
            except ModelError as error:
                raise ModelError(
                    f"{error}; the index {self._name} was made with this model: name its folder with --model"
                ) from error
            self._encoder = self._fitting(loaded)
        return self._encoder

    def _fitting(self, encoder: LexicalEncoder) -> LexicalEncoder:
        meta = self.collection.meta
        made_with = str(meta.get("name", DEFAULT_MODEL))
        here = (encoder.vocabulary.fingerprint, encoder.fingerprint)
        if here == (self.collection.fingerprint, meta.get("weights")):
            return encoder
        what = "another vocabulary" if here[0] != self.collection.fingerprint else "other weights"
        advice = (
            "the model has changed since: index anew into another folder"
            if made_with == self.model
            else f"use that model (leave --model out, or name {made_with}), or index anew into another folder"
        )
        raise VocabularyMismatch(
            f"{self._name} was made with the model {made_with}, but {self.model} has {what}: {advice}"
        )

    @property
    def _name(self) -> str:
        return printable(self.collection.folder)

    def __len__(self) -> int:
        return len(self.collection)

    def counts(self) -> dict[str, int]:
        """How many pictures ("image") and chapters ("chapter") there are."""
        return {kind: self.collection.counts().get(kind, 0) for kind in KINDS}

    def add(
        self,
        sources: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
        *,
        strict: bool = False,
        progress: Progress | None = None,
    ) -> AddReport:
        """Index files and folders: add what is new, update what changed, remove what has gone.

        Args:
            sources: pictures, transcripts, Parquet data sets, and folders of them.
            strict: raise when something cannot be read, after all the rest has been indexed.
            progress: called with (done, total) as the work goes on.

        Raises:
            UnreadableSource: `strict` is set and something cannot be read; what can be is indexed.
            IndexFolderError: the index cannot be written to. What was committed before stays.
        """
        given = [sources] if isinstance(sources, str | os.PathLike) else list(sources)
        paths = [Path(source) for source in given]
        report = add_sources(self.collection, lambda: self.encoder, paths, progress)
        if strict and report.errors:
            first = report.errors[0]
            more = f" (and {len(report.errors) - 1} more)" if len(report.errors) > 1 else ""
            raise UnreadableSource(f"{first.path}: {first.reason}{more}; all the rest is indexed")
        return report

    def delete(self, sources_or_ids: Iterable[str | os.PathLike[str] | int]) -> int:
        """Remove documents by id, by source file, or by folder of sources, in one step.

        Returns:
            How many documents there were. The files themselves are not touched.

        Raises:
            IndexFolderError: the index cannot be written to.
        """
        given = list(sources_or_ids)
        ids = [int(one) for one in given if isinstance(one, int | np.integer)]
        names = [source_name(Path(one)) for one in given if isinstance(one, str | os.PathLike)]
        inside = tuple(name.rstrip(os.sep) + os.sep for name in names)
        with self.collection.write() as batch:
            stored = self.collection.stamps()
            doomed = [source for source in stored if source in names or source.startswith(inside)]
            return batch.delete(np.array(ids, np.int64)) + batch.delete_sources(doomed)

    def search(
        self,
        text: str | None = None,
        *,
        image: str | Path | bytes | Image | None = None,
        kind: str | None = None,
        k: int = 10,
        under: str | os.PathLike[str] | None = None,
        since: float | None = None,
        until: float | None = None,
        feedback: int | Feedback | None = None,
        balance: float = 0.5,
        edits: Edits | None = None,
    ) -> list[Hit]:
        """Find what fits a question best.

        Args:
            text: the question in words.
            image: a picture to find the like of.
            kind: "image" or "chapter"; None finds both.
            k: at most this many hits.
            under: only what comes from this folder, or from this file.
            since: only chapters that end after this moment of their episode, in seconds.
            until: only chapters that begin before this moment.
            feedback: ask again with the words of so many of the hits found first (see `lexiscope.feedback`);
                hits then match words that were not asked, too. 0 and None ask once.
            balance: what the words count beside a picture: 0.5 the same, 1 they alone.
            edits: words raised, muted or forbidden: `Edits.of({"beach": 2.0}, forbid=["people"])`.

        Returns:
            Hits, best first. Only what shares a word with the question is a hit.

        Raises:
            InvalidValue: there is no question, or an argument is not what it may be.
            UnreadableSource: `image` is no picture.
        """
        if kind is not None and kind not in KINDS:
            raise InvalidValue(f"kind is {kind!r}: it can be {' or '.join(KINDS)}")
        question = self.ask(text, image=image, balance=balance, edits=edits)
        kinds = KINDS if kind is None else (kind,)
        place = None if under is None else source_name(Path(under).expanduser())
        again = check_feedback(feedback)
        return self.finder.best(
            question, check_k(k), kinds, under=place, since=since, until=until, feedback=again
        )

    def ask(
        self,
        text: str | None = None,
        *,
        image: str | Path | bytes | Image | None = None,
        like: int | None = None,
        balance: float = 0.5,
        edits: Edits | None = None,
    ) -> Question:
        """Encode a question, to be asked with `finder` as often as one likes; see `search`.

        Args:
            text: the question in words.
            image: a picture to find the like of.
            like: in place of an image, the id of a document to find the like of.
            balance: what the words count beside a picture or document.
            edits: words raised, muted or forbidden.

        Raises:
            InvalidValue: there is no question, or both `image` and `like`, or the balance is outside 0…1.
            UnreadableSource: `image` is no picture.
            UnknownDocument: no document has the id `like`.
        """
        if like is None:
            return ask(self.encoder, clean(text), image, balance=balance, edits=edits)
        if image is not None:
            raise InvalidValue("the question has a picture and a document to be like: give one of them")
        row = self.collection.index.rows([like])
        return ask(self.encoder, clean(text), row, balance=balance, edits=edits, like=like)

    @property
    def finder(self) -> Finder:
        """The state of the index that is shown now, to be asked questions; it stays as it is."""
        return Finder(self.collection.index, self.collection.documents, self.encoder.vocabulary)

    def unused_words(self, text: str, hits: Sequence[Hit] = ()) -> list[str]:
        """Words of a question that no picture or chapter has, light ones (the, of) left out.

        Args:
            text: the question.
            hits: what was found; words that matched there need not be looked up.
        """
        return self.finder.unused_words(self.encoder, clean(text) or "", hits)

    def warm_up(self) -> None:
        """Load the model and the search kernels, so that the first question is as fast as the next."""
        self.search("warm up", k=1)

    def close(self) -> None:
        """Let go of the index folder."""
        self.collection.close()

    def __enter__(self) -> Retriever:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _full_name(model: str | Path) -> str:
    """A model's name as the index remembers it: folders with their full path."""
    name = str(model)
    folder = Path(name).expanduser()
    return name if name == DEFAULT_MODEL or not folder.is_dir() else str(folder.resolve())


def _load(model: str) -> LexicalEncoder:
    from lexiscope.encoder import LexicalEncoder

    return LexicalEncoder.from_pretrained(model)
