"""Titles: from the words of a chapter, short, never empty; a language model may write them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lexiscope.errors import ModelError
from lexiscope.text.language_titles import LanguageModelTitler, parse_titles, windows
from lexiscope.text.title_phrases import FEATURES, phrases, tokenize
from lexiscope.text.title_shape import WordLists
from lexiscope.text.titles import ExtractiveTitler, fallback_title
from lexiscope.text.transcript import Transcript, Unit

LIGHTHOUSE = [
    "Next we want to talk about the Harrow Lighthouse. The Harrow Lighthouse was built in 1886.",
    "Its keeper wrote letters. The Harrow Lighthouse had one lamp, and the lamp went out.",
]
BREAD = [
    "Okay, so the next topic is sourdough starters. A sourdough starter needs flour and water every day.",
    "If the sourdough starter smells of paint, it is hungry. Feed the starter.",
]


def episode(*chapters: list[str]) -> tuple[Transcript, list[int]]:
    units = tuple(Unit(text) for chapter in chapters for text in chapter)
    cuts = [sum(len(before) for before in chapters[:number]) for number in range(len(chapters))]
    return Transcript("A talk", units), cuts


def test_titles_name_what_a_chapter_is_about():
    lighthouse, bread = ExtractiveTitler().titles(*episode(LIGHTHOUSE, BREAD))
    assert "Harrow Lighthouse" in lighthouse and "sourdough" in bread.lower()


def test_titles_are_spelt_as_the_transcript_spells_them():
    text = ["What is BIP-157? BIP-157 is about filters. With BIP-157 a wallet asks for filters."]
    titles = ExtractiveTitler().titles(*episode(text, BREAD))
    assert "BIP-157" in titles[0]


def test_german_titles_leave_function_words_out():
    text = [
        "Kommen wir zum nächsten Thema: die Bremer Stadtmusikanten.",
        "Die Bremer Stadtmusikanten waren ein Esel, ein Hund, eine Katze und ein Hahn.",
    ]
    other = ["Und jetzt geht es um das Backen von Brot.", "Das Brot braucht einen heißen Ofen."]
    first, second = ExtractiveTitler().titles(*episode(text, other))
    assert "Bremer Stadtmusikanten" in first and ("Brot" in second or "Ofen" in second)


def test_no_two_chapters_have_the_same_title_while_there_are_others():
    titles = ExtractiveTitler().titles(*episode(BREAD, BREAD, BREAD))
    assert len(set(titles)) == 3


def test_an_episode_opens_with_its_intro():
    hello = ["Hello and welcome to the show. I am Ada, and with me today is Bo."]
    assert ExtractiveTitler().titles(*episode(hello, BREAD))[0] == "Intro"


@settings(deadline=None)
@given(st.lists(st.text(max_size=60), min_size=1, max_size=6), st.sets(st.integers(0, 5)))
def test_titles_are_never_empty_whatever_the_input(texts, places):
    transcript = Transcript("", tuple(Unit(text) for text in texts))
    cuts = sorted({0, *(place for place in places if place < len(texts))})
    titles = ExtractiveTitler().titles(transcript, cuts)
    assert len(titles) == len(cuts)
    assert all(title.strip() and len(title) <= 81 and "\n" not in title for title in titles)


def test_the_fallback_is_the_first_words_or_the_number():
    assert fallback_title("well, it was so that we could do it then", 3) == "well, it was so that we could do"
    assert fallback_title(" …\n", 3) in {"…", "Chapter 4"} and fallback_title("", 3) == "Chapter 4"


def test_phrases_have_all_features_and_stay_within_clauses():
    chapter = tokenize(["The red boat, the green harbour. Why do old boats sink?"])
    found = list(phrases(chapter, chapter.counts, 2, frozenset(), WordLists()))
    assert all(len(phrase.features) == len(FEATURES) for phrase in found)
    texts = {phrase.text for phrase in found}
    assert {"red boat", "green harbour", "Why do old boats sink"} <= texts
    assert not any("boat the" in text for text in texts)


LISTS = WordLists({}, verbs=frozenset({"pick", "send"}), adjectives=frozenset({"wrong"}))


def shaped(text: str, people: frozenset[str] = frozenset()) -> set[str]:
    chapter = tokenize([text])
    return {phrase.text for phrase in phrases(chapter, chapter.counts, 2, frozenset(), LISTS, people)}


@pytest.mark.parametrize(
    ("text", "kept", "dropped"),
    [
        (
            "Silent payments is there a slight problem.",
            "Silent payments",
            "payments is there a slight problem",
        ),
        ("We chain these addresses to old keys.", "old keys", "chain these addresses"),
        ("We download headers.", None, "download headers"),
        ("They pick wallets with red covers.", "red covers", "pick wallets"),
        ("Then Berta 0.2 coins.", "Berta", "Berta 0.2"),
        ("Read about Core Ledger 24.08 today.", "Core Ledger 24.08", "24.08"),
        ("See BIP 342 there.", "BIP 342", "342"),
        ("It holds 700,000 blocks, or more.", None, "000 blocks"),
        ("The node enables multiple parties.", "multiple parties", "enables multiple parties"),
        ("A theft of lamps with keeper assistance.", "theft of lamps with keeper assistance", "theft of"),
        ("Um die alten Leuchttürme und nicht um das Brot geht es.", "Leuchttürme", "alten Leuchttürme"),
        ("Die alte Mühle und nicht das Brot ist es.", "alte Mühle", "alte"),
        ("A deal between lamps and oil.", "deal between lamps and oil", "deal between lamps"),
        ("The colours of lamps are wrong here.", "colours of lamps", "wrong"),
        ("Some lamps wrong, and lamps wrong.", "lamps", "lamps wrong"),
        ("A company called Harrow Works.", "Harrow Works", "company called Harrow Works"),
        ("It is gas versus oil lamps.", "oil lamps", "versus oil lamps"),
        ("Everybody's on the hype of oil lamps.", "hype of oil lamps", "Everybody's on the hype"),
        ("Can you explain the red lamps now?", "red lamps", "Can you explain the red lamps now"),
    ],
)
def test_phrases_have_the_shape_of_a_title(text, kept, dropped):
    found = shaped(text)
    assert (kept is None or kept in found) and dropped not in found


def test_speakers_are_no_titles():
    assert "Ada Berg" in shaped("Thanks to Ada Berg, we know.")
    assert not {"Ada Berg", "Ada"} & shaped("Thanks to Ada Berg, we know.", frozenset({"ada", "berg"}))


def test_without_any_phrase_the_words_said_most_are_the_title():
    chatter = ["You pick lamps, they always say quickly done, and lamps alright."]
    assert ExtractiveTitler().titles(*episode(BREAD, chatter))[1] == "Lamps"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 := Intro || 12 := The lamp", {0: "Intro", 12: "The lamp"}),
        ('0: "Intro"\n[12] := **The lamp**', {0: "Intro", 12: "The lamp"}),
        ("0 := || 3 := ??? || 4 := " + "word " * 40, {}),
        ("I cannot help with that.", {}),
        ("5 := First || 5 := Second", {5: "First"}),
    ],
)
def test_answers_are_read_as_models_write_them(text, expected):
    assert parse_titles(text) == expected


@settings(deadline=None)
@given(st.text(max_size=200))
def test_no_answer_breaks_the_parser(text):
    assert all(title.strip() for title in parse_titles(text).values())


def test_windows_hold_whole_chapters():
    transcript, cuts = episode(LIGHTHOUSE, BREAD, LIGHTHOUSE, BREAD)
    assert list(windows(transcript, cuts, 80)) == [(0, 4), (4, 8)]
    assert list(windows(transcript, cuts, 1)) == [(0, 2), (2, 4), (4, 6), (6, 8)]
    assert list(windows(transcript, cuts, 10_000)) == [(0, 8)]


def test_what_a_model_does_not_say_gets_the_extractive_title(language_folder):
    transcript, cuts = episode(LIGHTHOUSE, BREAD)
    titler = LanguageModelTitler(language_folder, window=60)
    titler._write = lambda prompt, chapters: "0 := Keepers and lamps" if "Harrow" in prompt else "gibberish"
    titles = titler.titles(transcript, cuts)
    assert titles[0] == "Keepers and lamps" and titles[1] == ExtractiveTitler().titles(transcript, cuts)[1]


def test_titles_before_are_carried_into_the_next_window(language_folder):
    transcript, cuts = episode(LIGHTHOUSE, BREAD)
    seen = []
    titler = LanguageModelTitler(language_folder, window=1)
    titler._write = lambda prompt, chapters: seen.append(prompt) or "0 := Something new"
    assert titler.titles(transcript, cuts) == ["Something new", "Something new"]
    assert "chapters before: none" in seen[0] and "chapters before: Something new" in seen[1]


def test_a_random_model_still_gives_titles(language_folder):
    transcript, cuts = episode(LIGHTHOUSE, BREAD)
    titles = LanguageModelTitler(language_folder).titles(transcript, cuts)
    assert len(titles) == 2 and all(titles)


def test_no_model_is_one_clear_line(tmp_path):
    with pytest.raises(ModelError, match="no causal language model"):
        LanguageModelTitler(tmp_path)
