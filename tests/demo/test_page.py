"""The page in a real browser."""

import io
import re
import shutil

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect, sync_playwright

EPISODE = """WEBVTT

NOTE title: Boats

00:00:01.000 --> 00:00:09.000
<v Ann>A brown dog catches a ball on the beach while the astronaut watches.

00:01:05.000 --> 00:01:09.500
<v Ben>Nobody but Wittgenstein would sit in that boat.
"""

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs a browser: apt-get install chromium")
FLAGS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
WAIT = 30_000


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser, server):
    """A fresh profile on the page; nothing may be fetched from elsewhere, nothing may fail in a script."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(WAIT)
    expect.set_options(timeout=WAIT)
    strangers, errors = [], []
    page.on("request", lambda request: strangers.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(server[0])
    expect(page.locator(".lx-empty")).to_be_visible()
    yield page
    context.close()
    assert [u for u in strangers if not u.startswith((server[0], "data:", "blob:"))] == []
    assert errors == []


def look_for(page, text):
    page.locator("#lx-text textarea, #lx-text input").first.fill(text)
    expect(page.locator("#lx-status")).to_have_text(re.compile(r"\d+ found"))


def names(page):
    return page.locator(".lx-pictures .lx-caption b").all_inner_texts()


def picture_file(color=(200, 30, 30)):
    written = io.BytesIO()
    Image.new("RGB", (64, 48), color).save(written, "PNG")
    return written.getvalue()


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
    assert "#t=" in page.locator(".lx-dialog blockquote a").get_attribute("href")


def test_chips_raise_mute_and_forbid(page):
    look_for(page, "rocket sky")
    before = page.locator(".lx-pictures .lx-caption small").all_inner_texts()
    chip = page.locator('[data-word="sky"]')
    for edit in ("raise", "mute"):
        chip.click()
        expect(chip).to_have_attribute("data-edit", edit)
    expect(page.locator("#lx-results")).not_to_have_attribute("aria-busy", "true")
    after = page.locator(".lx-pictures .lx-caption small").all_inner_texts()
    assert before != after and not any("sky" in line for line in after)
    chip.click()
    expect(chip).to_have_attribute("data-edit", "forbid")
    look_for(page, "rocket -astronaut")
    expect(page.locator('[data-word="astronaut"]')).to_have_attribute("data-edit", "forbid")


def test_a_dropped_picture_is_a_question(page):
    page.locator("#lx-image input[type=file]").set_input_files(
        [{"name": "red.png", "mimeType": "image/png", "buffer": picture_file()}]
    )
    expect(page.locator(".lx-picture").first).to_be_visible()


def test_what_is_no_picture_gets_one_clear_line(page):
    page.locator("#lx-image input[type=file]").set_input_files(
        [{"name": "text.jpg", "mimeType": "image/jpeg", "buffer": b"this is text"}]
    )
    expect(page.locator("#lx-status.lx-error")).to_contain_text("is no picture")


def test_files_are_added_and_unreadable_ones_listed(page):
    page.get_by_role("tab", name="Add").click()
    page.locator("#lx-files").set_input_files(
        [
            {"name": "green.png", "mimeType": "image/png", "buffer": picture_file((0, 200, 0))},
            {"name": "boats.vtt", "mimeType": "text/vtt", "buffer": EPISODE.encode()},
            {"name": "broken.png", "mimeType": "image/png", "buffer": b"\x89PNG\r\n\x1a\nno"},
        ]
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
    page.locator("#lx-text textarea, #lx-text input").first.fill("boat " * 10_000)
    expect(page.locator("#lx-status.lx-error")).to_contain_text("5000")
    look_for(page, "boat")


def test_a_telephone_and_the_dark(browser, server):
    context = browser.new_context(viewport={"width": 375, "height": 800}, color_scheme="dark")
    page = context.new_page()
    page.set_default_timeout(WAIT)
    page.goto(server[0])
    expect(page.locator(".lx-empty")).to_be_visible()
    look_for(page, "a rocket taking off into the sky")
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    shade = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert sum(map(int, re.findall(r"\d+", shade)[:3])) < 200
    context.close()
