"""The page in a real browser."""

import io
import json
import re
import wave

import numpy as np
import pytest
from playwright.sync_api import expect

from .conftest import add_files, box, drop_picture, look_for, names, needs_browser, picture_file, settled

EPISODE = """WEBVTT

NOTE title: Boats

00:00:01.000 --> 00:00:09.000
<v Ann>A brown dog catches a ball on the beach while the astronaut watches.

00:01:05.000 --> 00:01:09.500
<v Ben>Nobody but Wittgenstein would sit in that boat.
"""

pytestmark = needs_browser


def test_words_find_pictures_and_moments(page):
    look_for(page, "why is the suit of an astronaut orange?")
    expect(page.locator(".lx-card").first).to_contain_text("astronaut")
    assert page.locator(".lx-card mark").count() > 0
    assert page.locator(".lx-picture").count() > 0


def test_a_filter(page):
    look_for(page, "astronaut")
    page.get_by_label("Chapters", exact=True).check()
    expect(page.locator(".lx-picture")).to_have_count(0)
    expect(page.locator(".lx-card").first).to_be_visible()


def test_an_opened_picture_shows_bars_a_heat_map_and_sums(page):
    look_for(page, "a rocket taking off into the sky")
    page.locator(".lx-picture").first.click()
    expect(page.locator(".lx-bars[data-ready]")).to_be_visible()
    page.locator(".lx-bar").first.focus()
    cells = page.locator(".lx-heat i")
    expect(cells.first).to_be_attached()
    opacities = cells.evaluate_all("all => all.map(cell => Number(cell.style.opacity))")
    assert max(opacities) > 0.5 and np.ptp(opacities) > 0.1
    page.locator(".lx-explain summary").click()
    score = float(page.locator(".lx-explain summary").inner_text().split()[-1])
    assert float(page.locator(".lx-sum").inner_text()) == pytest.approx(score, abs=0.002)
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)


def test_more_like_this(page):
    look_for(page, "motorcycle")
    card = page.locator(".lx-picture").first
    name = card.locator("b").inner_text()
    card.click()
    page.get_by_role("button", name="More like this").click()
    expect(page.locator(".lx-like")).to_be_visible()
    expect(page.locator(".lx-pictures .lx-caption b").first).not_to_have_text(name)
    assert name not in names(page)


def test_an_opened_chapter_is_a_timeline(page):
    look_for(page, "why is the suit of an astronaut orange?")
    page.locator(".lx-card").first.click()
    expect(page.locator(".lx-timeline li")).not_to_have_count(0)
    expect(page.locator(".lx-here")).to_have_count(1)
    # Without audio there is a time to copy, not a link that leads nowhere.
    expect(page.locator(".lx-dialog audio, .lx-dialog a")).to_have_count(0)
    expect(page.locator("button.lx-moment")).to_contain_text("copy")


def test_edits_count_in_the_timeline(page):
    look_for(page, "astronaut orange")
    chip = page.locator('#lx-chips [data-word="astronaut"]')
    for edit in ("raise", "mute"):
        chip.click()
        expect(chip).to_have_attribute("data-edit", edit)
    settled(page)
    with page.expect_response(re.compile(r"/chapters/\d+")) as asked:
        page.locator(".lx-card").first.click()
    assert "weight=astronaut%3D0" in asked.value.url
    explained = [match["word"] for hit in asked.value.json()["chapters"] for match in hit["explain"]]
    assert explained and "astronaut" not in explained


def test_keys_alone(page):
    look_for(page, "rocket")
    card = page.locator(".lx-picture").first
    card.focus()
    page.keyboard.press("Enter")
    expect(page.locator("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)
    expect(card).to_be_focused()
    page.keyboard.press("/")
    expect(box(page)).to_be_focused()


def test_leaving_the_box_asks_nothing_again(page):
    look_for(page, "rocket")
    asked = []
    page.on("request", lambda one: asked.append(one.url) if one.url.endswith("/search") else None)
    card = page.locator(".lx-picture").first
    card.evaluate("it => { it.dataset.mine = 1; it.focus() }")
    page.wait_for_timeout(600)  # longer than the page waits before it asks
    assert asked == []
    expect(page.locator(".lx-picture[data-mine]")).to_be_focused()


def test_an_old_answer_never_shows_over_a_new_question(page):
    held = []
    page.route(
        "**/search",
        lambda route: held.append(route) if "coffee" in route.request.post_data else route.continue_(),
    )
    with page.expect_request("**/search"):
        box(page).fill("coffee")
    with page.expect_event("requestfailed"):  # aborted as soon as something else is typed
        look_for(page, "rocket")
    assert held
    expect(page.locator('#lx-chips [data-word="rocket"]')).to_be_visible()
    expect(page.locator('#lx-chips [data-word="coffee"]')).to_have_count(0)


def test_the_number_of_results(page):
    look_for(page, "rocket sky")
    page.get_by_label("number input for At most").fill("4")
    page.get_by_label("number input for At most").press("Enter")
    expect(page.locator(".lx-picture")).to_have_count(4)


def test_chips_raise_mute_and_forbid(page):
    look_for(page, "rocket sky")
    before = page.locator(".lx-pictures .lx-caption small").all_inner_texts()
    chip = page.locator('[data-word="sky"]')
    for edit in ("raise", "mute"):
        chip.click()
        expect(chip).to_have_attribute("data-edit", edit)
    settled(page)
    after = page.locator(".lx-pictures .lx-caption small").all_inner_texts()
    assert before != after and not any("sky" in line for line in after)
    chip.click()
    expect(chip).to_have_attribute("data-edit", "forbid")
    look_for(page, "rocket -astronaut")
    expect(page.locator('[data-word="astronaut"]')).to_have_attribute("data-edit", "forbid")


def test_files_are_added_and_unreadable_ones_listed(page):
    add_files(
        page,
        ("green.png", picture_file((0, 200, 0))),
        ("boats.vtt", EPISODE.encode()),
        ("broken.png", b"\x89PNG\r\n\x1a\nno"),
    )
    expect(page.locator("#lx-added")).to_have_text("2 of 3 files are in the index.")
    expect(page.locator("#lx-list .lx-error")).to_contain_text("broken.png")
    page.get_by_role("tab", name="Search").click()
    look_for(page, "Wittgenstein boat")
    expect(page.locator(".lx-card").first).to_contain_text("Wittgenstein")


@pytest.mark.parametrize("text", ["😀🚀", "كلب على الشاطئ", "<img src=x onerror=alert(1)>", "a" * 300])
def test_odd_questions_are_questions(page, text):
    look_for(page, text)


def test_ten_thousand_words_are_refused_in_one_line(page):
    box(page).fill("boat " * 10_000)
    expect(page.locator("#lx-status.lx-error")).to_contain_text("50000 characters; 5000 is the most")
    look_for(page, "boat")


SOUND = """WEBVTT

NOTE title: The Foghorn

00:00:01.000 --> 00:00:03.000
<v Ann>We stand on the cliff and it is quiet here.

00:00:06.500 --> 00:00:08.000
<v Ben>That was the marzipan foghorn, if I am not mistaken.
"""


def ten_seconds():
    """A WAV file."""
    tone = (100 * np.sin(2 * np.pi * 440 * np.arange(80_000) / 8000) + 128).astype(np.uint8)
    written = io.BytesIO()
    with wave.open(written, "wb") as sound:
        sound.setparams((1, 1, 8000, 0, "NONE", ""))
        sound.writeframes(tone.tobytes())
    return written.getvalue()


def test_the_player_stands_at_the_utterance(page, server):
    add_files(page, ("foghorn.vtt", SOUND.encode()))
    server[1].with_name(server[1].name + ".files").joinpath("foghorn.wav").write_bytes(ten_seconds())
    page.get_by_role("tab", name="Search").click()
    look_for(page, "marzipan foghorn")
    page.locator(".lx-card").first.click()
    player = page.locator(".lx-dialog audio")
    expect(player).to_have_js_property("readyState", 4)  # real sound, decoded
    assert player.evaluate("it => [it.duration, it.currentTime, it.paused]") == [10, 6.5, True]
    expect(page.locator("a.lx-moment")).to_have_attribute("href", re.compile(r"/documents/\d+/audio#t=6\.5$"))
    player.evaluate("it => { it.currentTime = 0 }")
    page.locator(".lx-here button").click()
    page.wait_for_function("() => document.querySelector('audio').currentTime > 6.6")
    assert player.evaluate("it => it.currentTime") < 10
    page.keyboard.press("Escape")
    expect(player).to_have_count(0)


def test_published_audio_is_linked_at_the_utterance(page):
    segments = [
        {"startTime": 1, "endTime": 3, "body": "We stand on the cliff and it is quiet here."},
        {"startTime": 66.5, "endTime": 68, "body": "Behold the pumpernickel lighthouse."},
    ]
    about = {"title": "The Lighthouse", "audio": "https://cdn.example/lighthouse.mp3#x"}
    content = json.dumps({"version": "1.0.0", **about, "segments": segments})
    add_files(page, ("lighthouse.json", content.encode()))
    page.get_by_role("tab", name="Search").click()
    look_for(page, "pumpernickel lighthouse")
    page.locator(".lx-card").first.click()
    link = page.locator("a.lx-moment")
    expect(link).to_have_attribute("href", "https://cdn.example/lighthouse.mp3#t=66.5")
    expect(link).to_have_attribute("rel", "noreferrer")
    expect(page.locator(".lx-dialog audio")).to_have_count(0)  # nothing is fetched from elsewhere


def test_a_word_under_the_pointer_lights_its_patches(page):
    look_for(page, "a rocket taking off into the sky")
    page.locator(".lx-picture").first.click()
    expect(page.locator(".lx-bars[data-ready]")).to_be_visible()
    lit = []
    for bar in page.locator(".lx-bar").all()[:2]:
        bar.hover()
        expect(page.locator(".lx-heat")).to_have_attribute("data-word", bar.get_attribute("data-word"))
        lit.append(page.locator(".lx-heat i").evaluate_all("all => all.map(cell => cell.style.opacity)"))
    assert lit[0] != lit[1]
    page.locator(".lx-dialog h2").hover()
    expect(page.locator(".lx-heat i")).to_have_count(0)


def test_an_example_is_asked(page):
    page.locator(".lx-example").first.click()
    expect(page.locator("#lx-status")).to_have_text(re.compile(r"\d+ found"))
    expect(box(page)).to_have_value("a rocket taking off into the sky")
    expect(page.locator('#lx-chips [data-word="rocket"]')).to_be_visible()


def test_a_chip_by_keys_keeps_the_focus(page):
    look_for(page, "rocket sky")
    chip = page.locator('#lx-chips [data-word="sky"]')
    chip.focus()
    for edit in ("raise", "mute", "forbid", "normal"):
        page.keyboard.press("Enter")
        expect(chip).to_have_attribute("data-edit", edit)
        expect(chip).to_be_focused()


def test_every_picture_has_a_text_in_its_place(page):
    look_for(page, "rocket sky")
    alts = page.locator(".lx-picture img").evaluate_all("all => all.map(image => image.alt)")
    assert alts and all(re.match(r".+, found by \w+", alt) for alt in alts)
    page.locator(".lx-picture").first.click()
    expect(page.locator(".lx-stage img")).to_have_attribute("alt", re.compile(r"\w+\.\w+"))
    page.keyboard.press("Escape")
    drop_picture(page, "red.png", picture_file())
    settled(page)
    assert page.locator("img:not([alt])").count() == 0
    unnamed = "all => all.filter(it => !(it.ariaLabel || it.innerText || it.title)).map(it => it.outerHTML)"
    assert page.locator("button:visible").evaluate_all(unnamed) == []


def test_words_that_the_model_adds_faintly_are_not_shown(page):
    def with_more(route):
        answer = route.fetch()
        found = answer.json()
        most = max(word["weight"] for word in found["words"])
        for word, share in (("strongly", 0.5), ("faintly", 0.05)):
            found["words"].append({"word": word, "weight": share * most, "asked": False})
        route.fulfill(response=answer, json=found)

    page.route("**/search", with_more)
    look_for(page, "rocket")
    expect(page.locator('#lx-chips [data-word="strongly"]')).to_be_visible()
    expect(page.locator('#lx-chips [data-word="faintly"]')).to_have_count(0)
