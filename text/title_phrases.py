"""Phrases of a chapter that may be its title, each with what can be counted about it.

A phrase is a run of words within a clause that begins and ends with a word of content and has the shape of
a title (`title_shape`), or a short question as it was asked. Nothing here knows a subject or a show, but for
the words that say nothing (`function_words`), those that lead to a subject (`LEADS`) and what words are like
in general (`WordLists`).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from lexiscope.text.function_words import FUNCTION_WORDS
from lexiscope.text.title_shape import WordLists, asks_well, is_german, noun_like

__all__ = ["FEATURES", "ChapterText", "Phrase", "Token", "WordLists", "key", "phrases", "tokenize"]

LONGEST = 8  # words of a phrase
_LONGEST_QUESTION = 11
_READ = 250  # words from the beginning: further on, only what is said again can be a title

_TOO_COMMON = 0.5  # of a title of one word

_TOKEN = re.compile(r"#?[^\W_]+(?:(?:['’./&+-]|(?<=\w)_(?=\w)|(?<=\d),(?=\d))[^\W_]+)*[+#]*")
_SENTENCE = re.compile(r"[.?!…。！？]")
_BREAK = re.compile(r"[,.;:?!…()\[\]{}\"“”„«»—–|。、，！？]|\s-+\s")
_ASKS = frozenset(
    "what what's how why who where which when is are do does can could should was wie warum wieso weshalb"
    " wer wo welche welcher welches wann ist sind kann".split()
)
LEADS = frozenset(
    "about on called titled named regarding concerning discuss discussing cover topic introduce introducing"
    " to into is for with über zu zum zur namens heißt thema um bei von".split()
)
_ANNOUNCES = frozenset(
    "next first second third last final finally another topic question item subject section let's talk"
    " discuss discussion move turn start titled called nächste nächsten nächstes erste ersten letzte letzten"
    " thema themen frage punkt sprechen reden kommen weiter".split()
)

FEATURES = (
    *(f"words={count}" for count in range(1, LONGEST + 1)),
    *(
        "question",
        "asked",
        "where",
        "within 15",
        "within 40",
        "within 100",
        "said",
        "said twice",
        "said often",
    ),
    *(
        "said together",
        "words said",
        "word said most",
        "rarest here",
        "rare here",
        "rare",
        "rarest",
        "commonest",
    ),
    *("function words", "capitals", "capital first", "code", "acronym", "opens", "ends", "after lead"),
    *("after article", "announced", "quoted", "cut before", "cut after", "in episode title", "-ing first"),
    *("-ing last", "-ly", "unknown words", "first turn", "whole clause"),
    *("after to", "before article", "several said twice", "single common", "verb-like"),
)
"""What is counted of each phrase, in order."""

_ARTICLES = frozenset("the a an this that these our der die das den dem ein eine einen einem einer".split())


@dataclass(frozen=True)
class Token:
    """A word with what stands around it."""

    text: str  # as written
    key: str  # by which it is counted
    content: bool  # says something about the subject
    opens: bool  # the first of a clause
    ends: bool  # the last of a clause
    sentence: int  # number of its sentence
    turn: int  # number of the unit
    plain: str  # lower case, with a straight apostrophe


@dataclass(frozen=True)
class Phrase:
    """A possible title."""

    text: str
    keys: tuple[str, ...]
    features: tuple[float, ...]


@dataclass(frozen=True)
class ChapterText:
    """The words of a chapter."""

    tokens: Sequence[Token]
    counts: Counter[str]  # of keys of content
    asked: frozenset[int]  # sentences that end with a question mark
    cued: frozenset[int]  # sentences with a word that announces a subject
    quoted: frozenset[int]  # tokens right after an opening quotation mark
    german: bool  # so nouns have capital letters


def key(word: str) -> str:
    """What a word is counted by: its first letters, so that endings do not matter."""
    bare = word.casefold().replace("’", "'").removesuffix("'s").strip("#")
    return bare if any(sign.isdigit() for sign in bare) else bare[:6]


def tokenize(texts: Sequence[str]) -> ChapterText:
    """Take the units of a chapter apart."""
    tokens: list[Token] = []
    asked, cued, quoted = set[int](), set[int](), set[int]()
    sentence = 0
    for turn, text in enumerate(texts):
        sentence += 1
        found = list(_TOKEN.finditer(text))
        opens = True
        for number, match in enumerate(found):
            word = match[0]
            until = found[number + 1].start() if number + 1 < len(found) else len(text)
            gap = text[match.end() : until]
            ends = number + 1 == len(found) or _BREAK.search(gap) is not None
            lower = word.casefold().replace("’", "'")
            content = lower.removesuffix("'s") not in FUNCTION_WORDS and (
                len(lower) > 1 or not lower.isascii() or lower.isdigit()
            )
            if text[max(0, match.start() - 1) : match.start()] in set('"“„«'):
                quoted.add(len(tokens))
            if lower in _ANNOUNCES:
                cued.add(sentence)
            tokens.append(Token(word, key(word), content, opens, ends, sentence, turn, lower))
            opens = ends
            if "?" in gap or "？" in gap:
                asked.add(sentence)
            sentence += _SENTENCE.search(gap) is not None
    counts = Counter(token.key for token in tokens if token.content)
    german = is_german([token.plain for token in tokens])
    return ChapterText(tokens, counts, frozenset(asked), frozenset(cued), frozenset(quoted), german)


def phrases(
    chapter: ChapterText,
    chapters_with: Mapping[str, int],
    chapters: int,
    about: frozenset[str],
    lists: WordLists,
    people: frozenset[str] = frozenset(),
) -> Iterator[Phrase]:
    """Find what may be the title of a chapter.

    Args:
        chapter: its words.
        chapters_with: in how many chapters of the episode each key of content stands.
        chapters: how many chapters the episode has.
        about: keys of the episode's title.
        lists: what words are like in general.
        people: keys of the speakers' names, which alone are no title.

    Yields:
        Each run of words once, as it stands first, with its features.
    """
    tokens = chapter.tokens
    spans = list(_spans(chapter))
    said = Counter(_keys(tokens, span) for span in spans)
    known: set[tuple[str, ...]] = set()
    loudest = max(chapter.counts.values(), default=1)
    for span in spans:
        keys = _keys(tokens, span)
        if keys in known or (span[0] >= _READ and said[keys] < 2):
            continue
        known.add(keys)
        if not _could_be_title(chapter, span, lists, people, repeated=said[keys] > 1):
            continue
        inside = [token for token in tokens[slice(*span)] if token.content]
        here = [chapter.counts[token.key] for token in inside]
        rare = [math.log(chapters / chapters_with.get(token.key, 1)) for token in inside]
        general = [1 - lists.commonness.get(token.key, 0.0) for token in inside]
        values = (
            *_shape(chapter, span),
            *_place(span, said[keys]),
            sum(min(n, chapter.counts[k]) for n, k in [(said[keys], token.key) for token in inside])
            / sum(here),
            math.log(sum(here) / len(here)),
            max(here) / loudest,
            max(rare) / math.log(chapters + 1),
            sum(rare) / len(rare) / math.log(chapters + 1),
            sum(general) / len(general),
            max(general),
            min(general),
            *_writing(chapter, span, inside, about, lists, said[keys]),
        )
        yield Phrase(" ".join(token.text for token in tokens[slice(*span)]), keys, values)


def _could_be_title(
    chapter: ChapterText,
    span: tuple[int, int],
    lists: WordLists,
    people: frozenset[str],
    *,
    repeated: bool,
) -> bool:
    """Whether a run has the shape of a title, and is neither a speaker's name nor one common word."""
    run = chapter.tokens[slice(*span)]
    if not run[0].content:  # a question
        return asks_well(run) and run[-1].key not in people
    if not noun_like(chapter.tokens, span, lists, german=chapter.german, repeated=repeated):
        return False
    if len(run) == 1 and lists.commonness.get(run[0].key, 0.0) > _TOO_COMMON:
        return False
    return any(token.content and token.key not in people for token in run)


def _keys(tokens: Sequence[Token], span: tuple[int, int]) -> tuple[str, ...]:
    return tuple(token.key for token in tokens[slice(*span)])


def _spans(chapter: ChapterText) -> Iterator[tuple[int, int]]:
    """Runs of words within a clause that begin and end with content, and short questions, whole."""
    tokens = chapter.tokens
    for begin, token in enumerate(tokens):
        if token.opens and token.plain in _ASKS and token.sentence in chapter.asked:
            end = begin + 1
            while end < len(tokens) and not tokens[end - 1].ends:
                end += 1
            if LONGEST // 2 < end - begin <= _LONGEST_QUESTION:
                yield begin, end
        if not token.content:
            continue
        for end in range(begin + 1, min(begin + LONGEST, len(tokens)) + 1):
            if tokens[end - 1].content:
                yield begin, end
            if tokens[end - 1].ends:
                break


def _shape(chapter: ChapterText, span: tuple[int, int]) -> Iterator[float]:
    """How long it is, and whether it is a question."""
    begin, end = span
    question = not chapter.tokens[begin].content
    for count in range(1, LONGEST + 1):
        yield float(not question and end - begin == count)
    yield float(question)
    yield float(chapter.tokens[begin].sentence in chapter.asked)


def _place(span: tuple[int, int], times: int) -> Iterator[float]:
    """Where it is said first, and how often."""
    yield math.log1p(span[0]) / 5
    yield from (float(span[0] < limit) for limit in (15, 40, 100))
    yield math.log(times)
    yield float(times > 1)
    yield float(times > 3)


def _writing(
    chapter: ChapterText,
    span: tuple[int, int],
    inside: Sequence[Token],
    about: frozenset[str],
    lists: WordLists,
    times: int,
) -> Iterator[float]:
    """How it is written, and what stands around it."""
    tokens, (begin, end) = chapter.tokens, span
    first, last, size = tokens[begin], tokens[end - 1], end - begin
    before = None if first.opens or not begin else tokens[begin - 1]
    after = None if last.ends or end == len(tokens) else tokens[end]
    capitals = [token for token in inside if token.text[0].isupper() or token.text[0] in "#0123456789"]
    yield 1 - len(inside) / size
    yield sum(not token.opens for token in capitals) / len(inside)
    yield float(first.text[0].isupper() and not first.opens)
    yield float(any(sign.isdigit() for token in inside for sign in token.text))
    yield float(any(len(token.text) > 1 and token.text.isupper() for token in inside))
    yield float(first.opens)
    yield float(last.ends)
    lead = before.text.casefold() if before else ""
    yield float(lead in LEADS)
    yield float(lead in _ARTICLES)
    yield float(first.sentence in chapter.cued)
    yield float(begin in chapter.quoted)
    yield float(before is not None and before.content)
    yield float(after is not None and after.content)
    yield sum(token.key in about for token in inside) / len(inside)
    yield float(first.text.endswith("ing"))
    yield float(last.text.endswith("ing"))
    yield float(any(token.text.endswith("ly") for token in (first, last)))
    yield sum(token.key not in lists.commonness for token in inside) / len(inside)
    yield float(first.turn == 0)
    yield float(first.opens and last.ends)
    yield float(lead == "to" and first.text.islower())
    yield float(after is not None and after.plain in _ARTICLES)
    yield float(size > 1 and times > 1)
    yield float(size == 1 and not first.text[0].isupper() and first.key in lists.commonness)
    yield float(any(token.plain in lists.verbs for token in inside))
