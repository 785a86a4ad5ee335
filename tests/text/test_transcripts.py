from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lexiscope.errors import UnreadableSource
from lexiscope.text.transcript import mend_times, seconds
from lexiscope.text.transcripts import NoTranscript, Transcript, Unit, parse_transcript, read_transcript

VTT = """WEBVTT

NOTE title: Two Voices

00:00:01.000 --> 00:00:03.500
<v Ada Lovelace>Good <i>evening</i>,
Charles &amp; company.

2
00:03.500 --> 00:05.000 align:start
<v.loud Charles>Hello!</v> <v Ada Lovelace>Sit down.
"""
VTT_UNITS = (
    Unit("Good evening, Charles & company.", "Ada Lovelace", 1.0, 3.5),
    Unit("Hello!", "Charles", 3.5, 5.0),
    Unit("Sit down.", "Ada Lovelace", 3.5, 5.0),
)
SRT = """1
00:00:01,000 --> 00:00:03,500
Ada: Good <font color="red">evening</font>,
Charles.

2
00:00:03,500 --> 00:00:05,000
Charles: {\\an8}Hello!

3
00:00:05,000 --> 00:01:07,250
The ratio is 3:1, note well: yes.
"""


def units(text: str, suffix: str = "") -> tuple[Unit, ...]:
    return parse_transcript(text, suffix=suffix).units


def refusal(path: Path) -> str:
    with pytest.raises(UnreadableSource) as caught:
        read_transcript(path)
    message = str(caught.value)
    assert "\n" not in message and path.name in message
    return message


# --- WebVTT and SubRip


def test_vtt() -> None:
    transcript = parse_transcript(VTT)
    assert transcript.title == "Two Voices"
    assert transcript.units == VTT_UNITS
    assert transcript.speakers == ("Ada Lovelace", "Charles")


def test_vtt_header_and_notes() -> None:
    text = (
        "WEBVTT - A title\nKind: captions\n\nNOTE\ndescription: What\nurl: https://x.y/z\n\nNOTE nothing\n\n"
    )
    transcript = parse_transcript(text + "00:01.000 --> 00:02.000\nHi.\n")
    assert (transcript.title, transcript.description) == ("A title", "What")
    assert transcript.url == "https://x.y/z"


def test_rolling_captions_say_everything_once() -> None:
    text = """WEBVTT

00:00:00.000 --> 00:00:02.000
_
good<00:00:00.500><c> evening</c><00:00:01.000><c> all</c>

00:00:02.000 --> 00:00:02.010
good evening all
_

00:00:02.010 --> 00:00:04.000
good evening all
sit<00:00:03.000><c> down</c>
""".replace("_", " ")  # lines of one blank
    assert [unit.text for unit in units(text)] == ["good evening all", "sit down"]


def test_repeated_cues_are_kept_where_captions_do_not_roll() -> None:
    text = "WEBVTT\n\n00:01.000 --> 00:02.000\nNo.\n\n00:02.000 --> 00:03.000\nNo.\n"
    assert [unit.text for unit in units(text)] == ["No.", "No."]


def test_srt() -> None:
    assert units(SRT) == (
        Unit("Good evening, Charles.", "Ada", 1.0, 3.5),
        Unit("Hello!", "Charles", 3.5, 5.0),
        Unit("The ratio is 3:1, note well: yes.", None, 5.0, 67.25),
    )


@pytest.mark.parametrize(("whole", "kept"), [(VTT, VTT_UNITS), (SRT, units(SRT))])
def test_captions_that_break_off_are_read_that_far(
    whole: str, kept: tuple[Unit, ...], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "lexiscope"):
        found = units(whole + "\n4\n00:02:00.000 --> 00:0")
    assert found == kept
    assert "1 cues could not be read" in caplog.text
    # In the middle of its words, a cue is taken as far as it goes.
    assert units(whole.rstrip()[:-5])[-1].text == kept[-1].text[:-5].strip()


def test_vtt_without_its_first_line(tmp_path: Path) -> None:
    path = tmp_path / "a.vtt"
    path.write_text(VTT.replace("WEBVTT", ""))
    assert "WEBVTT" in refusal(path)
    path.write_text(SRT)  # SubRip under the wrong name is read all the same
    assert len(read_transcript(path).units) == 3


# --- JSON


def test_podcasting_json() -> None:
    segments = [
        {"speaker": "Ada", "startTime": 0.5, "endTime": 2, "body": "Good evening to all of you."},
        {"speaker": "Charles", "startTime": 2.5, "endTime": 4, "body": "And to you, of course."},
    ]
    assert units(json.dumps({"version": "1.0.0", "segments": segments})) == (
        Unit("Good evening to all of you.", "Ada", 0.5, 2.0),
        Unit("And to you, of course.", "Charles", 2.5, 4.0),
    )


def test_podcasting_json_word_by_word() -> None:
    spoken = [("Ada", "One two three four five six seven eight. Nine ten."), ("Charles", "Yes. Quite so.")]
    words = [(who, word) for who, text in spoken for word in text.split()]
    segments = [
        {"speaker": who, "startTime": n / 2, "endTime": n / 2 + 0.4, "body": word}
        for n, (who, word) in enumerate(words)
    ]
    assert units(json.dumps({"version": "1.0.0", "segments": segments})) == (
        Unit("One two three four five six seven eight.", "Ada", 0.0, 3.9),
        Unit("Nine ten.", "Ada", 4.0, 4.9),
        Unit("Yes. Quite so.", "Charles", 5.0, 6.4),
    )


def test_words_are_parted_by_a_pause_and_by_a_clock_that_jumps_back() -> None:
    times = [(0, 0.4), (0.5, 0.9), (3.0, 3.4), (0.0, 0.4)]
    segments = [{"startTime": a, "endTime": b, "body": f"w{n}"} for n, (a, b) in enumerate(times)]
    assert [unit.text for unit in units(json.dumps({"segments": segments}))] == ["w0 w1", "w2", "w3"]


def words_without_sentences(number: int) -> list[dict[str, object]]:
    """Words of 0.2 seconds, 0.1 apart, and after every 50th a gap of half a second."""
    starts = [round(n * 0.3 + n // 50 * 0.4, 3) for n in range(number)]
    return [
        {"word": f" w{n}", "start": start, "end": round(start + 0.2, 3)} for n, start in enumerate(starts)
    ]


def test_endless_words_are_cut_at_the_widest_gaps() -> None:
    words = words_without_sentences(125)
    for data in (
        {"words": words},
        {"segments": [{"text": "".join(f" w{n}" for n in range(125)), "words": words}]},
    ):
        found = units(json.dumps(data))
        assert [len(unit.text.split()) for unit in found] == [50, 50, 25]
        assert [(unit.start, unit.end) for unit in found] == [(0.0, 14.9), (15.4, 30.3), (30.8, 38.2)]


def test_words_that_are_not_all_replace_no_text() -> None:
    segment = {"text": "More than the words say.", "words": words_without_sentences(99)}
    assert [unit.text for unit in units(json.dumps({"segments": [segment]}))] == ["More than the words say."]


def test_segments_without_spaces_are_no_words() -> None:
    bodies = ["今天我们要谈谈比特币的未来发展", "以及它对我们生活的各种影响"]
    segments = [{"startTime": n, "endTime": n + 1, "body": body} for n, body in enumerate(bodies)]
    assert [unit.text for unit in units(json.dumps({"segments": segments}))] == bodies


def test_html_and_halves_of_characters_in_bodies() -> None:
    bodies = [
        "<p>Tea &amp; <b>cake</b></p> for you",
        "1 < 2 and <laughs> AT&T",
        "broken \ud800 half",
        "<br/>",
    ]
    found = units(json.dumps({"segments": [{"body": body, "speaker": "\udfffAda"} for body in bodies]}))
    assert [unit.text for unit in found] == ["Tea & cake for you", bodies[1], "broken \ufffd half"]
    assert found[0].speaker == "\ufffdAda"


WHISPER = {
    "text": " Good evening. Sit down.",
    "language": "en",
    "segments": [
        {
            "id": 0, "seek": 0, "start": 0.0, "end": 2.0, "text": " Good evening.", "tokens": [1, 2],
            "words": [
                {"word": " Good", "start": 0.0, "end": 0.5, "probability": 0.9},
                {"word": " evening.", "start": 0.5, "end": 2.0, "probability": 0.9},
            ],
        },
        {"id": 1, "seek": 0, "start": 2.0, "end": 4.0, "text": " Sit down, all of you."},
    ],
}  # fmt: skip


def test_whisper_json() -> None:
    expected = (Unit("Good evening.", None, 0.0, 2.0), Unit("Sit down, all of you.", None, 2.0, 4.0))
    assert units(json.dumps(WHISPER)) == expected
    assert units(json.dumps(WHISPER["segments"])) == expected  # the bare list


def test_whisperx_json_with_two_speakers_in_a_segment() -> None:
    def word(text: str, speaker: str | None, start: float | None = None) -> dict[str, object]:
        timed = {} if start is None else {"start": start, "end": start + 0.4, "score": 0.9}
        return {"word": text, **timed, **({"speaker": speaker} if speaker else {})}

    words = [
        word("Good", "S0", 0.0),
        word("evening.", "S0", 0.5),
        word("Hello", "S1", 1.0),
        word("42.", None),
    ]
    segments = [
        {"start": 0.0, "end": 2.0, "text": "Good evening. Hello 42.", "speaker": "S0", "words": words},
        {"start": 2.0, "end": 3.0, "text": "Sit down now please.", "speaker": "S0"},
    ]
    assert units(json.dumps({"segments": segments, "word_segments": words})) == (
        Unit("Good evening.", "S0", 0.0, 0.9),
        Unit("Hello 42.", "S1", 1.0, 1.4),
        Unit("Sit down now please.", "S0", 2.0, 3.0),
    )


def test_words_only_json_and_whisper_cpp() -> None:
    words = [{"word": word, "start": n, "end": n + 0.9} for n, word in enumerate("Good evening all.".split())]
    assert units(json.dumps({"text": "…", "words": words})) == (Unit("Good evening all.", None, 0.0, 2.9),)
    entry = {
        "timestamps": {"from": "00:00:01,000"},
        "offsets": {"from": 1000, "to": 2500},
        "text": " Good day sir",
    }
    assert units(json.dumps({"transcription": [entry]})) == (Unit("Good day sir", None, 1.0, 2.5),)


def test_json_that_breaks_off_is_not_taken(tmp_path: Path) -> None:
    whole = json.dumps(WHISPER, indent=1)
    path = tmp_path / "a.json"
    for length in range(1, len(whole) - 1, 7):
        path.write_text(whole[:length])
        message = refusal(path)
        assert "truncated" in message or "broken" in message, (length, message)
    path.write_text(whole.replace('"start": 0.5', '"start"= 0.5'))
    assert "broken JSON at line" in refusal(path)


@pytest.mark.parametrize(
    "other", ["{}", "[]", "3", '{"segments": []}', '{"a": {"segments": 1}}', '[{"id": 1}]', "[" * 100_000]
)
def test_json_that_is_no_transcript(tmp_path: Path, other: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(other)
    with pytest.raises(UnreadableSource, match=r"no transcript|truncated"):
        read_transcript(path)


def test_chapters_are_no_transcript(tmp_path: Path) -> None:
    path = tmp_path / "episode.json"
    path.write_text('{"version": "1.2.0", "chapters": [{"startTime": 0, "title": "Intro"}]}')
    with pytest.raises(NoTranscript, match="chapters"):
        read_transcript(path)


def test_json_with_odd_values() -> None:
    segments = [
        {"start": "00:00:01.5", "end": "x", "text": "Strings for times."},
        {"start": -3, "end": float("nan"), "text": "Impossible times here."},
        {"start": None, "end": True, "text": "No times at all.", "speaker": 7, "words": "none"},
        {"start": 9, "text": None},
        "not a segment",
    ]
    assert units(json.dumps({"segments": segments})) == (
        Unit("Strings for times.", None, 1.5, None),
        Unit("Impossible times here.", None, None, None),
        Unit("No times at all.", "7", None, None),
    )


# --- plain text and Markdown


@pytest.mark.parametrize(
    "text",
    [
        "Ada B: [00:01:20]\n\nGood evening.\n\nCharles: [00:01:25]\n\nHello!\n",
        "Ada B: [01:20]\nGood evening.\n\nCharles: [01:25]\nHello!",
        "**Ada B:** \\[01:20\\] Good evening.\n\n**Charles:** \\[01:25\\] Hello!\n",
        "**Ada B** (1:20): Good evening.\n\n**Charles** (1:25): Hello!\n",
        "Ada B (0:01:20): Good evening.\nCharles (0:01:25): Hello!\n",
        "[00:01:20] Ada B: Good evening.\n[00:01:25] Charles: Hello!\n",
        "(01:20) **Ada B:** Good evening.\n(01:25) **Charles:** Hello!\n",
        "Ada B  1:20\nGood evening.\n\nCharles  1:25\nHello!\n",
        "# Talk\n\n_2020_\n\nAda B: [00:01:20]\n\nGood evening.\n\nCharles: [00:01:25]\n\nHello!\n",
    ],
)
def test_turns_with_times_in_all_spellings(text: str) -> None:
    assert units(text)[-2:] == (
        Unit("Good evening.", "Ada B", 80.0, None),
        Unit("Hello!", "Charles", 85.0, None),
    )


def test_markdown_without_times() -> None:
    text = "---\ntitle: A Talk\n---\n\n**Ada:** Good [evening](https://x.y/z_(1)).\nAll.\n\nAnd so on.\n\n"
    text += "**Charles:** Hi."
    transcript = parse_transcript(text, suffix=".md")
    assert transcript.title == "A Talk"
    assert transcript.units == (
        Unit("Good evening. All.", "Ada"),
        Unit("And so on.", "Ada"),
        Unit("Hi.", "Charles"),
    )


def test_whisper_on_standard_output() -> None:
    text = "[00:00.000 --> 00:04.000]  Good evening.\n[00:04.000 --> 00:06.500]  Sit down.\n"
    assert units(text) == (Unit("Good evening.", None, 0.0, 4.0), Unit("Sit down.", None, 4.0, 6.5))


def test_video_site_copy_and_stamps_inside_a_line() -> None:
    assert units("0:00\ngood evening\n0:04\nsit down\n") == (
        Unit("good evening", None, 0.0),
        Unit("sit down", None, 4.0),
    )
    assert units("Ada: One. [00:10] Two.\nCharles: Three.") == (
        Unit("One.", "Ada"),
        Unit("Two.", "Ada", 10.0),
        Unit("Three.", "Charles"),
    )


def test_a_further_paragraph_has_no_time_of_its_own() -> None:
    assert units("Ada: [00:10]\n\nOne.\n\nTwo.\n") == (Unit("One.", "Ada", 10.0), Unit("Two.", "Ada", None))


def test_prose_is_read_whole_and_colons_are_no_speakers() -> None:
    text = (
        "This is what she said: nothing.\n\nNote that: at 10:30 it rained.\n\nThe end, http://a.b/c: yes.\n"
    )
    assert [unit.text for unit in units(text)] == text.strip().split("\n\n")
    assert {unit.speaker for unit in units(text)} == {None}


def test_long_prose_is_read_by_sentences_lines_or_words() -> None:
    sentence = "The keeper said: “It is late.” Then she put out the lamp and went to bed, as always! "
    found = units(sentence * 10)
    assert [unit.text for unit in found[:2]] == [
        "The keeper said: “It is late.”",
        "Then she put out the lamp and went to bed, as always!",
    ]
    assert " ".join(unit.text for unit in found) == (sentence * 10).strip()
    lines = ["the lamp went out again", "so she wrote a letter"] * 20
    assert [unit.text for unit in units("\n".join(lines))] == lines
    found = units("word " * 1000)
    assert len(found) > 20 and " ".join(unit.text for unit in found) == ("word " * 1000).strip()
    assert len(units("[00:10] " + sentence * 10)) == 1


def test_headings_inside_are_words() -> None:
    assert [unit.text for unit in units("# Title\n\n## Part one\n\nWords here.\n")] == [
        "Part one",
        "Words here.",
    ]


# --- files: encodings, emptiness, size, times


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends(tmp_path: Path, encoding: str, line_end: str) -> None:
    path = tmp_path / "a.vtt"
    text = VTT.replace("Hello", "Grüß Gott, 東京")
    path.write_bytes(text.replace("\n", line_end).encode(encoding))
    assert read_transcript(path).units[1].text == "Grüß Gott, 東京!"


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_texts_from_before_unicode(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.srt"
    path.write_bytes(SRT.replace("Hello", "Café à Besançon").encode(encoding))
    assert read_transcript(path).units[1].text == "Café à Besançon!"


def test_one_wrong_byte_costs_one_letter(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("Ada: Grüße aus 東京 ".encode() + b"caf\xe9 \x81\n" + "Bo: Señor".encode() + b"\xe6")
    assert [unit.text for unit in read_transcript(path).units] == ["Grüße aus 東京 café \x81", "Señoræ"]


@pytest.mark.parametrize("suffix", ["vtt", "srt", "json", "txt"])
def test_empty_and_blank_files(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"episode.{suffix}"
    path.touch()
    assert "0 bytes" in refusal(path)
    path.write_text(" \n\n")
    assert "no words" in refusal(path)


def test_files_without_speech_and_without_text(tmp_path: Path) -> None:
    path = tmp_path / "a.vtt"
    path.write_text("WEBVTT\n\nNOTE nothing yet\n")
    assert "no spoken words" in refusal(path)
    path = tmp_path / "a.txt"
    path.write_bytes(bytes(range(256)) * 50)
    assert "no text" in refusal(path)
    path.write_bytes(b"\0" * 5000)
    assert "no text" in refusal(path)


def test_files_that_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no such file" in refusal(tmp_path / "none.vtt")
    assert "is a folder" in refusal(tmp_path)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    assert "no permission" in refusal(tmp_path / "a.vtt")


def test_titles_from_file_names(tmp_path: Path) -> None:
    for name, title in {
        "silent-payments.whisper.json": "silent payments",
        "Ep 3 - the sea.json": "Ep 3 - the sea",
        "ep_3.en.json": "ep 3",
        "v1.2.json": "v1.2",
    }.items():
        (tmp_path / name).write_text(json.dumps(WHISPER))
        assert read_transcript(tmp_path / name).title == title


def test_times_out_of_order_keep_the_order_of_the_file(caplog: pytest.LogCaptureFixture) -> None:
    cues = [("09", "05", "One."), ("02", "04", "Two."), ("04", "05", "Three.")]
    text = "WEBVTT\n\n" + "".join(f"00:{a}.000 --> 00:{b}.000\n{words}\n\n" for a, b, words in cues)
    with caplog.at_level(logging.WARNING, "lexiscope"):
        found = parse_transcript(text, "a.vtt").units
    assert found == (
        Unit("One.", None, 9.0, None),
        Unit("Two.", None, 2.0, 4.0),
        Unit("Three.", None, 4.0, 5.0),
    )
    assert "a.vtt: 1 times are out of order" in caplog.text and "1 parts end before they start" in caplog.text


def test_nothing_is_cut_off_however_long(tmp_path: Path) -> None:
    path = tmp_path / "long.srt"
    cues = (
        f"{n}\n{n // 3600:02}:{n // 60 % 60:02}:{n % 60:02},000 --> "
        f"{n // 3600:02}:{n // 60 % 60:02}:{n % 60:02},900\nWord number {n}.\n"
        for n in range(10_000)
    )
    path.write_text("\n".join(cues))
    found = read_transcript(path).units
    assert len(found) == 10_000
    assert found[-1] == Unit("Word number 9999.", None, 9_999.0, 9_999.9)


def test_non_utf8_file_names(tmp_path: Path) -> None:
    import os

    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9-noir.json"))
    path.write_text(json.dumps(WHISPER))
    assert read_transcript(path).title == "caf\\xe9 noir"


def test_seconds() -> None:
    assert seconds("1:02:03.250") == 3723.25 and seconds("00:00:01,5") == 1.5 and seconds(" 12 ") == 12.0
    assert seconds("1:22.046") == 82.046  # as a sum of floats it would be a little less
    for nonsense in (
        10**400,
        "9" * 5000 + ":00:00",
        "9" * 400,
        "",
        "soon",
        "1:2:3:4",
        None,
        True,
        [],
        -1,
        float("inf"),
        "-3",
    ):
        assert seconds(nonsense) is None


@given(st.lists(st.builds(Unit, st.text(), st.none(), *[st.one_of(st.none(), st.floats(0, 1e5))] * 2)))
def test_mending_invents_no_time(before: list[Unit]) -> None:
    after = mend_times(before, "x")
    spoken = [unit for unit in before if unit.text.split()]
    assert len(after) == len(spoken)
    for old, new in zip(spoken, after, strict=True):
        assert new.start == old.start and new.end in (old.end, None) and new.text.split() == old.text.split()
        assert new.start is None or new.end is None or new.end >= new.start


@settings(max_examples=120, deadline=None)
@given(
    st.sampled_from([VTT, SRT, json.dumps(WHISPER), "Ada: [00:10]\n\nOne.\n\n**Bo:** Two. [01:00] Three.\n"]),
    st.data(),
)
def test_damage_anywhere_is_read_or_refused(text: str, data: st.DataObject) -> None:
    letters = list(text)
    alphabet = st.one_of(st.sampled_from('\n:-><[]{}"(),. 0*#\\'), st.characters())
    for place in data.draw(st.lists(st.integers(0, len(text) - 1), max_size=10)):
        letters[place] = data.draw(alphabet)
    suffix = data.draw(st.sampled_from(["", ".vtt", ".srt", ".json", ".txt"]))
    try:
        transcript = parse_transcript("".join(letters[: data.draw(st.integers(0, len(text)))]), suffix=suffix)
    except UnreadableSource as error:
        assert "\n" not in str(error)
    else:
        assert isinstance(transcript, Transcript) and transcript.units
        assert all(unit.text == " ".join(unit.text.split()) != "" for unit in transcript.units)
