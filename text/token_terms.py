"""A tokenizer's tokens as the terms of a vocabulary, written so that a person can read them.

A token that begins a word is written as the word (`dog`), one that goes on with a tilde (`~ing`), whatever
the
tokenizer's own sign for it is (`##ing` in WordPiece, no `▁` in SentencePiece, no `Ġ` in byte-level BPE).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from lexiscope.errors import ModelError
from lexiscope.vocabulary import Vocabulary

TokenFilter = Literal["all", "words", "lexvla"]


def token_vocabulary(tokenizer: Any, keep: TokenFilter = "all") -> tuple[Vocabulary, list[int]]:  # noqa: ANN401
    """The vocabulary of a tokenizer, and the token behind each term, ascending.

    Args:
        tokenizer: a transformers tokenizer.
        keep: "all" but special and unused tokens; "words", those of letters and digits alone; "lexvla", of
            them the ones in Latin letters, two signs or longer, as the paper drops "unused and meaningless"
            tokens of Llama-2 (its list of 17,149 is not published).

    Raises:
        ModelError: no token is left.
    """
    special = set(tokenizer.all_special_ids)
    terms: dict[str, int] = {}
    for number, raw, readable in _tokens(tokenizer):
        if number in special or _unused(raw) or not _kept(readable, keep):
            continue
        # Two tokens that read alike (a byte and its sign): the later keeps the tokenizer's own spelling.
        name = readable if readable and readable not in terms else f"~{raw}~"
        if "\n" not in name and name not in terms:
            terms[name] = number
    if not terms:
        raise ModelError(f"vocabulary: the tokenizer has no token that passes the filter {keep!r}; use 'all'")
    return Vocabulary(terms), list(terms.values())


def _tokens(tokenizer: Any) -> Iterator[tuple[int, str, str]]:  # noqa: ANN401
    """Ids, tokens as they are, and tokens as a person reads them."""
    raw = [str(token) for token in tokenizer.convert_ids_to_tokens(range(len(tokenizer)))]
    beginning = next((sign for sign in ("▁", "Ġ") if sum(token.startswith(sign) for token in raw) > 10), "")
    for number, token in enumerate(raw):
        if not beginning:
            yield number, token, f"~{token[2:]}" if token.startswith("##") else token
            continue
        text = tokenizer.convert_tokens_to_string([token]) if beginning == "Ġ" else token.replace("▁", " ")
        bare = text.strip()
        yield number, token, bare if token.startswith(beginning) or not bare else f"~{bare}"


def _unused(raw: str) -> bool:
    return raw.startswith(("[unused", "<unused", "<0x", "<|")) or "\ufffd" in raw


def _kept(readable: str, keep: TokenFilter) -> bool:
    bare = readable.removeprefix("~")
    if keep == "all":
        return True
    if not bare or not all(sign.isalnum() for sign in bare):
        return False
    if keep == "words":
        return True
    latin = all(sign.isdigit() or sign.isascii() or "\u00c0" <= sign <= "\u024f" for sign in bare)
    return latin and len(bare) > 1
