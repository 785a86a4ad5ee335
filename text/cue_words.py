"""Words that people begin, lead over to and end a subject with, in English and German, by what they do.

What each kind is worth is learned in English; German shares the weights. A cue of several words counts where
they follow each other.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["CUES", "CUE_KINDS", "cues_among"]

_CUES = {
    "topic": """topic topics subject section chapter agenda item question questions news story segment issue
        presentation update announcement feature
        thema themen frage fragen punkt nachricht nachrichten abschnitt kapitel meldung rubrik beitrag""",
    "order": """next first second third last final finally another moving_on move_on let's_move turn_to
        back_to on_to starting start_with
        nächste nächsten nächstes nächster erste ersten erstes zweite zweiten zweites dritte dritten drittes
        letzte letzten letztes weiter_geht kommen_wir zurück_zu noch_ein noch_eine noch_was los_geht anfangen
        als_nächstes machen_wir_weiter gehen_wir fangen_wir""",
    "lead": """let's let_me i_want i_wanted we'll shall_we how_about what_about speaking_of by_the_way
        talk_about going_to_talk discuss lasst_uns lass_uns ich_wollte ich_will wir_wollen reden_wir
        sprechen_wir apropos übrigens was_ist_mit wie_ist_es_mit geht_es_um ging_es_um""",
    "assent": """okay ok right alright great cool awesome excellent perfect yeah yep yes nice good sure fine
        gut super genau ja schön klar prima perfekt stimmt richtig alles_klar sehr_gut""",
    "turn": """so now well anyway then nun jetzt also dann nochmal jedenfalls naja""",
    "thanks": "thank thanks danke dank dankeschön",
    "greeting": """welcome hello hi hey today joined joining introduce guest
        willkommen hallo moin servus heute gast begrüße""",
    "farewell": """bye goodbye see_you listening wrap wrap_up that's_it summary summarize conclude episode
        tschüss ciao wiederhören zuhören folge zusammenfassung zum_schluss das_war's abschließend""",
    "asking": """what how why who when where can_you could_you do_you would_you tell_us tell_me explain
        describe curious wonder was wie warum wer wann wo wieso kannst_du könntest_du hast_du erzähl erklär
        magst_du weißt_du""",
    "going on": """and but because or which that it he she they this if like
        und aber weil oder der die das es er sie dass wenn denn sondern""",
}
CUE_KINDS = tuple(_CUES)
"""Names of the kinds, in the order of the numbers in `CUES`."""

CUES: dict[tuple[str, ...], int] = {
    tuple(cue.split("_")): number for number, words in enumerate(_CUES.values()) for cue in words.split()
}
"""Kind of each cue, lower case, apostrophes straight."""

_LONGEST = max(map(len, CUES))


def cues_among(words: Sequence[str]) -> set[int]:
    """The kinds of the cues among some words that follow each other.

    >>> sorted(CUE_KINDS[kind] for kind in cues_among("okay what about the weather".split()))
    ['asking', 'assent', 'lead']
    """
    found = set()
    for begin in range(len(words)):
        for length in range(1, min(_LONGEST, len(words) - begin) + 1):
            kind = CUES.get(tuple(words[begin : begin + length]))
            if kind is not None:
                found.add(kind)
    return found
