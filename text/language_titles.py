"""Titles written by a causal language model, in the format of PODTILE (Ghazimatin et al., CIKM 2024).

The model reads the episode's title and description, the titles given so far, and a window of the transcript
with its units numbered; it writes `number := title` for the chapters that begin there, joined by `||`.
Chapters are cut beforehand and times never pass through the model, so it cannot make any up. What it does not
answer sensibly gets the title that `ExtractiveTitler` finds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from lexiscope.errors import ModelError
from lexiscope.text.chapters import Titler
from lexiscope.text.titles import ExtractiveTitler
from lexiscope.text.transcript import Transcript

__all__ = ["LanguageModelTitler", "parse_titles", "windows"]

_WINDOW = 8000  # words, as in PODTILE; less where the model reads less
_CARRIED = 10  # titles before
_DESCRIPTION = 100  # words
_LONGEST_TITLE = 12  # words
_TOKENS_A_TITLE = 24
_WORDS_A_TOKEN = 0.6  # at least, of English; what is longer still is cut at the model's limit from its middle

_INSTRUCTION = (
    "Episode title: {title}\nEpisode description: {description}\nTitles of the chapters before: {before}\n"
    "Transcript, sentences numbered:\n{text}\n\n"
    "Chapters begin at the numbers {numbers}. Give each a title of two to eight words that says what it is "
    "about, as `number := title`, joined by ` || `.\nChapters: "
)
_ANSWER = re.compile(r"(?:^|\|\|?|\n)\s*[\[(#]?(\d+)[\])]?\s*(?::=|:|=|-|–|\.)\s*([^|\n]+)")


class LanguageModelTitler:
    """Names chapters with any causal language model that transformers loads.

    Args:
        name: hub id or folder.
        fallback: names what the model does not name.
        window: words of transcript that the model reads at a time; None takes what fits, up to 8,000.

    Raises:
        ModelError: no causal language model can be loaded there.
    """

    def __init__(
        self, name: str | Path, *, fallback: Titler | None = None, window: int | None = None
    ) -> None:
        from lexiscope.torchvision_shim import ensure_torchvision_operators

        ensure_torchvision_operators()  # transformers imports torchvision
        from transformers import AutoModelForCausalLM, AutoTokenizer

        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(str(name))
            self._model: Any = AutoModelForCausalLM.from_pretrained(str(name)).eval()
        except Exception as error:  # transformers, the hub client and safetensors each raise their own
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ModelError(f"{name}: no causal language model can be loaded there ({reason})") from error
        self._fallback = fallback or ExtractiveTitler()
        self._reads = int(getattr(self._model.config, "max_position_embeddings", 0) or 4096)
        self._window = window or min(_WINDOW, max(50, int(_WORDS_A_TOKEN * self._reads) - 200))

    def titles(self, transcript: Transcript, cuts: Sequence[int]) -> list[str]:
        """One title for each chapter that begins at a cut; none is empty."""
        given = self._fallback.titles(transcript, cuts)
        for first, end in windows(transcript, cuts, self._window):
            asked = [number for number, cut in enumerate(cuts) if first <= cut < end]
            if not asked:
                continue
            prompt = _prompt(transcript, [cuts[number] for number in asked], (first, end), given[: asked[0]])
            written = parse_titles(self._write(prompt, len(asked)))
            for number in asked:
                given[number] = written.get(cuts[number] - first, given[number])
        return given

    def _write(self, prompt: str, chapters: int) -> str:
        """What the model goes on with, greedily."""
        import torch

        tokens = _TOKENS_A_TITLE * chapters
        ids = self._tokenizer(prompt, return_tensors="pt")["input_ids"]
        room = max(16, self._reads - tokens)
        if ids.shape[1] > room:  # a language with longer words: what is asked stands at both ends
            ids = torch.cat([ids[:, : room // 2], ids[:, -(room - room // 2) :]], dim=1)
        ids = ids.to(self._model.device)
        pad = self._tokenizer.pad_token_id
        with torch.inference_mode():
            whole = self._model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=tokens,
                do_sample=False,
                pad_token_id=pad if pad is not None else self._tokenizer.eos_token_id,
            )
        return str(self._tokenizer.decode(whole[0, ids.shape[1] :], skip_special_tokens=True))


def windows(transcript: Transcript, cuts: Sequence[int], size: int) -> Iterator[tuple[int, int]]:
    """Cut an episode into windows of whole chapters.

    Args:
        transcript: the episode.
        cuts: first units of its chapters, ascending.
        size: words of a window; a chapter that is longer by itself is a window by itself.

    Yields:
        First unit and end (exclusive) of each window; together they hold every chapter once.
    """
    spans = list(pairwise([*cuts, len(transcript.units)]))
    first, words = None, 0
    for begin, end in spans:
        length = sum(len(unit.text.split()) for unit in transcript.units[begin:end])
        if first is not None and words + length > size:
            yield first, begin
            first, words = None, 0
        first = begin if first is None else first
        words += length
    if first is not None:
        yield first, len(transcript.units)


def parse_titles(text: str) -> dict[int, str]:
    """Read `number := title` joined by `||`, and what models make of it: lines, brackets, quotes, colons.

    Returns:
        The titles by their numbers, the first of each; what is empty, endless or no words is left out.
    """
    found: dict[int, str] = {}
    for number, title in _ANSWER.findall(text):
        tidy = " ".join(title.split()).strip(" \"'“”„`*.,;:-–—|[]()")
        sane = any(sign.isalpha() for sign in tidy) and "\ufffd" not in tidy
        if sane and len(tidy.split()) <= _LONGEST_TITLE and len(tidy) <= 100 and len(number) < 9:
            found.setdefault(int(number), tidy)
    return found


def _prompt(transcript: Transcript, cuts: Sequence[int], span: tuple[int, int], before: Sequence[str]) -> str:
    """What the model reads: units are numbered from 0 within their window."""
    first, end = span
    lines = (f"{number} {unit.text}" for number, unit in enumerate(transcript.units[first:end]))
    return _INSTRUCTION.format(
        title=transcript.title,
        description=" ".join(transcript.description.split()[:_DESCRIPTION]),
        before=" || ".join(before[-_CARRIED:]) or "none",
        text="\n".join(lines),
        numbers=", ".join(str(cut - first) for cut in cuts),
    )
