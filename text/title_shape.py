"""Which runs of words have the shape of a title: no sentence, no piece of one, no number by itself.

There is no tagger. What stands in for one: the words that may join others within a name (`JOINTS`), words
that are rarely nouns, as counted in talk shows (`WordLists`), German's capital letters, and what stands
before the run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lexiscope.text.title_phrases import Token

__all__ = [
    "ARTICLES",
    "PREPOSITIONS",
    "SUBJECTS",
    "WordLists",
    "asks_well",
    "is_german",
    "noun_like",
    "topical",
]

PREPOSITIONS = frozenset(
    "of for in on with from via versus vs over under between against without into at by to as"
    " von für mit zu zum zur im in auf bei über aus am vom ohne gegen gegenüber zwischen unter an".split()
)
JOINTS = PREPOSITIONS | frozenset("and or & und oder sowie".split())
ARTICLES = frozenset(
    "the a an der die das des dem den ein eine einen einem einer eines".split()
)  # within a phrase only after a preposition

# After these a verb comes: "we pick a wallet".
SUBJECTS = frozenset(
    "i you we they he she who guys i'll you'll we'll they'll it'll he'll she'll i'd you'd we'd they'd i've"
    " you've we've they've will would can could should must might may can't couldn't won't wouldn't don't"
    " doesn't didn't do does did let's shouldn't gonna please ich du wir sie ihr man".split()
)
# Say what somebody thinks of it, when, or nothing; their first and last place is not in a title.
_HOLLOW = frozenset(
    "alright excellent awesome perfect cool nice hi hello hey sorry wow fine fun super amazing fantastic"
    " fascinating interesting nervous quick quickly sec bit guys folks everybody tomorrow yesterday tonight"
    " first next previous last final another certain particular"
    " part parts kinds types type towards toward onto across during along per despite among behind"
    " throughout unless elsewhere instead anymore anyway afterwards ahead twice soon course"
    " mr mrs ms madam sir whereas plus minus lately episode show"
    " am is are was were be been being has had have does did stuff thing things example examples way ways"
    " bunch couple kind reason reasons question questions"
    " week weeks month months year years day days minute minutes hour hours second seconds morning"
    " huh nah wow whoa oops yup nope damn gosh anyways laughs laughter laughing crosstalk"
    " inaudible unintelligible vocalsound disfmarker yeah um uh hmm cetera etc"
    " prima perfekt genau super klasse gut cool toll spannend bisschen beispiel mal minuten stunden sekunden"
    " thema themen nächste nächster nächsten nächstes erste erster ersten erstes letzte"
    " letzter letzten letztes woche wochen tage jahre jahren gestern morgen heute".split()
)
_BETWEEN, _AND = frozenset({"between", "zwischen"}), frozenset({"and", "und"})
_EMPTY = _HOLLOW | PREPOSITIONS
_NUMERALS = frozenset(
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
    " seventeen eighteen nineteen twenty thirty forty fifty"
    " sixty seventy eighty ninety hundred thousand million billion percent"
    " dollars dollar euro euros cents pounds bucks"
    " zwei drei vier fünf sechs sieben acht neun zehn elf zwölf zwanzig dreißig hundert tausend"
    " prozent".split()
)
_QUANTITY = re.compile(r"\d+(?:[.,/-]\d+)?[%kmxKM]?")  # 3 · 0.2 · 50% · 6-7, but neither 1.2.3 nor #12 nor v2
_NAMES = frozenset("called named titled namens genannt".split())  # what follows is the title
_VAGUE = frozenset(
    "i me my mine it it's its that that's this these those here now guys he she his her him they them"
    " i'm i'll i'd i've ich mir mich mein meine das dies es er sie jetzt hier".split()
)
_AUXILIARIES = frozenset("can could should would do does did is are kann ist sind".split())
_SEVERAL = frozenset("i you we they ich du wir sie ihr".split())
_GERMAN = frozenset("der die das und ist nicht ich wir auch ein eine auf mit für es zu".split())
_INFLECTED = ("e", "en", "er", "es", "em")  # German adjectives before a noun
_OBLIQUE = ("en", "em")  # the same, where they need an article: "alten Leuchtturm"
_NO_NOUN = ("ly", "ed")
_SHORT = 5  # letters: seed, speed, fly, reply
_NOT_PLURAL = ("ss", "us", "is", "ics", "news", "'s", "sales")


@dataclass(frozen=True)
class WordLists:
    """What words are like in general."""

    commonness: Mapping[str, float] = field(default_factory=dict)  # by key: 0 rare … 1 the most frequent
    verbs: frozenset[str] = frozenset()  # lower case: verbs, adverbs, all that is rarely a noun
    adjectives: frozenset[str] = frozenset()  # lower case: rarely the last of a noun phrase


def is_german(words: Sequence[str]) -> bool:
    """Whether so many words are German function words that nouns will have capital letters."""
    return sum(word in _GERMAN for word in words) > 0.08 * len(words)


def noun_like(
    tokens: Sequence[Token], span: tuple[int, int], lists: WordLists, *, german: bool, repeated: bool
) -> bool:
    """Whether a run of words could be a noun with what belongs to it.

    Args:
        tokens: of the chapter.
        span: the run, its end exclusive; it begins and ends with content.
        lists: what words are like in general.
        german: nouns have capital letters.
        repeated: it is said more than once.
    """
    begin, end = span
    run = tokens[begin:end]
    first, last = run[0], run[-1]
    if not {first.plain, last.plain}.isdisjoint(_EMPTY) or last.plain in SUBJECTS:
        return False
    said = [token.key for token in run if token.content]
    if any(token.plain in _NAMES for token in run):
        return False
    if len(said) > len(set(said)) or (len(run) == 1 and not repeated and not _named(first)):
        return False
    if all(token.plain in _NUMERALS or _QUANTITY.fullmatch(token.text) for token in run):
        return False
    if not _counts_well(run, repeated=repeated) or not _joined(run):
        return False
    if german:
        if not _named(first) and first.text.endswith(_OBLIQUE):
            return False
        return _named(last) and all(
            _named(token) or not token.content or token.text.endswith(_INFLECTED) for token in run
        )
    return not _verbal(tokens, span, lists.verbs) and not _hangs(run, lists.adjectives)


def asks_well(run: Sequence[Token]) -> bool:
    """Whether a question says by itself what it asks about, and asks nobody to do something."""
    words = [token.plain for token in run]
    if any(word in _VAGUE for word in words) or (words[0] in _AUXILIARIES and words[1] in _SEVERAL):
        return False
    return sum(token.content for token in run) > 1 and run[-1].plain not in _HOLLOW


def topical(tokens: Sequence[Token], counts: Mapping[str, int], lists: WordLists) -> Iterator[list[Token]]:
    """The pairs of neighbours that could be nouns, and then such words alone, most said first.

    This is what is left where no run of words has the shape of a title.
    """
    empty = _EMPTY | lists.verbs
    for size in (2, 1):
        runs = (list(tokens[place : place + size]) for place in range(len(tokens) - size + 1))
        fit = [
            run
            for run in runs
            if all(token.content and token.plain not in empty for token in run)
            and run[-1].plain not in lists.adjectives
            and not any(token.ends for token in run[:-1])
        ]
        yield from sorted(fit, key=lambda run: -sum(counts[token.key] for token in run))


def _named(token: Token) -> bool:
    return token.text[0].isupper() or token.text[0] in "#0123456789"


def _joined(run: Sequence[Token]) -> bool:
    """Only prepositions, "and", and articles after prepositions stand between words of content."""
    words = [token.plain for token in run]
    if not _BETWEEN.isdisjoint(words) and _AND.isdisjoint(words):
        return False
    for left, token in pairwise(run):
        if token.content:
            continue
        if token.plain in JOINTS and (left.content or token.plain in ARTICLES):
            continue
        if not (token.plain in ARTICLES and left.plain in PREPOSITIONS):
            return False
    return True


def _counts_well(run: Sequence[Token], *, repeated: bool) -> bool:
    """A number begins a title that is said again, and ends one after a name (BIP 342)."""
    if not repeated and (run[0].plain in _NUMERALS or _QUANTITY.fullmatch(run[0].text)):
        return False
    if not _QUANTITY.fullmatch(run[-1].text):
        return True
    if len(run) == 1 or not run[-2].content:
        return False
    name = run[-2].text
    return repeated or (name.isupper() and len(name) > 1) or (len(run) > 2 and all(map(_named, run)))


def _verbal(tokens: Sequence[Token], span: tuple[int, int], verbs: frozenset[str]) -> bool:
    """Whether some word is rarely a noun, or the first follows what verbs follow."""
    begin, end = span
    run = tokens[begin:end]
    if begin and not run[0].opens and tokens[begin - 1].plain in SUBJECTS and not _named(run[0]):
        return True
    for place, token in enumerate(run):
        if token.text[0].isupper() and not token.opens:
            continue
        inner = 0 < place < len(run) - 1
        if token.plain in verbs and not (inner and token.plain.endswith(("ing", "ed"))):
            return True
        if place == len(run) - 1 and token.plain.endswith(_NO_NOUN) and len(token.text) > _SHORT:
            return True
        if place + 1 < len(run) and _governs(token, run[place + 1], first=place == 0):
            return True
    return False


def _hangs(run: Sequence[Token], adjectives: frozenset[str]) -> bool:
    """Whether an adjective has no noun: "colour slightly wrong", "creative with colour"."""
    followers: list[Token | None] = [*run[1:], None]
    return any(
        token.text in adjectives and (after is None or after.plain in PREPOSITIONS)
        for token, after in zip(run, followers, strict=True)
    )


def _governs(token: Token, after: Token, *, first: bool) -> bool:
    """Whether a word is a verb by its ending and the next word: "enables parties", "linked to an owner"."""
    if after.content:
        plural = token.plain.endswith("s") and not token.plain.endswith(_NOT_PLURAL)
        return plural and token.text[1:].islower() and not _QUANTITY.match(after.text.strip("#"))
    return first and token.plain.endswith("ed") and after.plain in PREPOSITIONS
