"""The vocabulary (lexicon): the terms that pictures, texts and the index share.

Most terms are whole words a person can read (`dog`, `1969`, `don't`). A word that is not in the
vocabulary is spelt with pieces, whose tildes say where they were cut: `schn~`, `~or~`, `~r`. A prefix
piece is another term than the whole word with the same letters, so *carpet* never counts as *car*.
Letters that no piece covers are spelt in UTF-8 bytes (`<E4>`): no string is ever lost.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from lexiscope.errors import ModelError

if TYPE_CHECKING:
    from typing import Self

# One CJK sign or emoji is a word of its own; else letters and digits, with inner apostrophes, and the
# endings that tell C++ and C# from C.
_WORD = re.compile(
    r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\U00020000-\U0002fa1f]"
    r"|[\u2600-\u27bf\U0001f000-\U0001faff]"
    r"|[^\W_\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\U00020000-\U0002fa1f]+"
    r"(?:['’][^\W_]+)*(?:\+\+|#(?!\w))?"
)
_POSSESSIVE = re.compile(r"['’]s?$")
_LONGEST_PIECE = 6
_BYTES = tuple(f"<{byte:02X}>" for byte in range(256))


def fold(text: str) -> str:
    """Lower case without accents (NFKD), so that *Café* and *cafe* are one word."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(sign for sign in decomposed if not unicodedata.combining(sign))
    return unicodedata.normalize("NFC", bare)


def words(text: str) -> list[str]:
    """The folded words of a text in order; a possessive 's is dropped."""
    found = (_POSSESSIVE.sub("", word).replace("’", "'") for word in _WORD.findall(fold(text)))
    return [word for word in found if word]


class Vocabulary:
    """An ordered set of terms with a fingerprint.

    Args:
        terms: distinct terms; the position is the term's id.

    Raises:
        ModelError: a term occurs twice, or the list is empty.
    """

    def __init__(self, terms: Iterable[str]) -> None:
        self.terms: tuple[str, ...] = tuple(terms)
        self._ids = {term: number for number, term in enumerate(self.terms)}
        if not self.terms or len(self._ids) != len(self.terms):
            twice = next((term for term, n in Counter(self.terms).items() if n > 1), None)
            raise ModelError(
                f"vocabulary: term {twice!r} occurs twice; each term may stand on one line only"
                if twice is not None
                else "vocabulary: it has no terms"
            )
        self._spellings: dict[str, tuple[int, ...]] = {}

    def __len__(self) -> int:
        return len(self.terms)

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that differ when any term or its place differs."""
        return hashlib.sha256("\n".join(self.terms).encode()).hexdigest()[:16]

    def id_of(self, term: str) -> int | None:
        """The id of a term, or None where the vocabulary lacks it."""
        return self._ids.get(term)

    def literals(self, text: str) -> list[int]:
        """Term ids of the words of a text, in order, with repeats; unknown words become pieces."""
        return [number for word in words(text) for number in self.spell(word)]

    def spell(self, word: str) -> tuple[int, ...]:
        """Term ids of one folded word: itself where it is a term, else its pieces, longest first."""
        whole = self._ids.get(word)
        if whole is not None:
            return (whole,)
        known = self._spellings.get(word)
        if known is None:
            known = self._spellings[word] = tuple(self._pieces(word))
        return known

    def _pieces(self, word: str) -> Iterator[int]:
        start = 0
        while start < len(word):
            for end in range(min(len(word), start + _LONGEST_PIECE), start, -1):
                number = self._ids.get(piece_name(word, start, end))
                if number is not None:
                    yield number
                    break
            else:
                end = start + 1
                yield from self._bytes(word[start:end])
            start = end

    def _bytes(self, sign: str) -> Iterator[int]:
        for byte in sign.encode("utf-8", "surrogatepass"):
            number = self._ids.get(_BYTES[byte])
            if number is not None:
                yield number

    @staticmethod
    def is_piece(term: str) -> bool:
        """Whether a term is a piece of a word rather than a word."""
        return "~" in term or (len(term) == 4 and term[0] == "<" and term[-1] == ">")

    def save(self, file: Path | str) -> None:
        """Write one term a line, UTF-8."""
        Path(file).write_text("\n".join(self.terms) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, file: Path | str) -> Self:
        """Read one term a line, UTF-8.

        Raises:
            ModelError: the file is missing, empty, or names a term twice.
        """
        try:
            text = Path(file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ModelError(f"{file}: cannot read the vocabulary ({error}); save the model again") from error
        return cls(text.removesuffix("\n").split("\n") if text else ())

    @classmethod
    def from_texts(
        cls, texts: Iterable[str], *, min_count: int = 5, max_words: int = 20_000, pieces: int = 4_000
    ) -> Self:
        """Build a vocabulary from texts: frequent words whole, pieces learnt from the rare ones.

        Args:
            texts: any number of texts.
            min_count: a word must occur this often to become a term.
            max_words: at most this many whole words, the most frequent.
            pieces: number of multi-letter pieces, besides single letters, digits and bytes.
        """
        counts = Counter(word for text in texts for word in words(text))
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        kept = [word for word, count in ranked[:max_words] if count >= min_count]
        rare = {word: count for word, count in ranked[len(kept) :]}
        return cls([*kept, *_learn_pieces(rare, pieces), *_BYTES])


def piece_name(word: str, start: int, end: int) -> str:
    """The term for letters start to end of a word, with tildes where the word goes on.

    A piece that is the whole word (one letter, say) keeps a tilde: `x~`.
    """
    before = "~" if start > 0 else ""
    after = "~" if end < len(word) or not before else ""
    return f"{before}{word[start:end]}{after}"


def _learn_pieces(rare: dict[str, int], limit: int) -> list[str]:
    """The n-grams of rare words that save most signs, after every ASCII letter and digit by itself."""
    letters = [
        form.format(letter)
        for letter in "abcdefghijklmnopqrstuvwxyz0123456789"
        for form in ("{}~", "~{}~", "~{}")
    ]
    saved: Counter[str] = Counter()
    for word, count in rare.items():
        for start in range(len(word)):
            for end in range(start + 2, min(len(word), start + _LONGEST_PIECE) + 1):
                saved[piece_name(word, start, end)] += min(count, 3) * (end - start - 1)
    ranked = sorted(saved.items(), key=lambda item: (-item[1], item[0]))
    return [*letters, *(piece for piece, _ in ranked[:limit])]
