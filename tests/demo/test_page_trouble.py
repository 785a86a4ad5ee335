"""The page in a real browser when much happens at once, or something goes away."""

import re
import subprocess
import sys

import pytest
from playwright.sync_api import expect

from .conftest import WAIT, add_files, box, look_for, needs_browser, picture_file, settled

pytestmark = needs_browser

TRANSCRIPT = "WEBVTT\n\n00:00:01.000 --> 00:00:09.000\n<v Ann>The {} is here, and it is loud.\n"


def test_a_hundred_clicks_on_a_word(page):
    look_for(page, "rocket sky")
    page.locator("#lx-chips").evaluate(
        """chips => {
          for (let times = 0; times < 101; times++) chips.querySelector('[data-word="sky"]').click();
        }"""
    )
    chip = page.locator('#lx-chips [data-word="sky"]')
    expect(chip).to_have_attribute("data-edit", "raise")  # 101 steps on a way of four
    settled(page)
    expect(page.locator("#lx-status")).to_have_text(re.compile(r"\d+ found"))


def test_a_hundred_questions_at_once(page):
    statuses = page.evaluate(
        """async () => {
          const ask = async (number) => (await fetch("/search", {
            method: "POST", headers: { "content-type": "application/json" },
            body: JSON.stringify({ text: `rocket ${number}` }),
          })).status;
          return await Promise.all([...Array(100).keys()].map(ask));
        }"""
    )
    assert statuses == [200] * 100
    look_for(page, "rocket")


def test_two_browsers_at_once(visit):
    one, other = visit(), visit()
    look_for(other, "ophicleide")
    for page, text in ((one, "rocket"), (other, "coffee")):
        box(page).fill(text)
    for page, text in ((one, "rocket"), (other, "coffee")):
        expect(page.locator(f'#lx-chips [data-word="{text}"]')).to_be_visible()
    add_files(one, ("horn.vtt", TRANSCRIPT.format("ophicleide").encode()))
    look_for(other, "ophicleide")
    expect(other.locator(".lx-card").first).to_contain_text("ophicleide is here")


def test_an_index_deleted_under_the_page_and_put_back(page, server):
    look_for(page, "rocket")
    away = server[1].with_name("away")
    server[1].rename(away)
    try:
        box(page).fill("rocket sky")
        expect(page.locator("#lx-status.lx-error")).to_contain_text("the index is not there")
        add_files(page, ("lost.png", picture_file((7, 70, 7))))
        expect(page.locator("#lx-list .lx-error")).to_contain_text("the index is not there")
        page.get_by_role("tab", name="Search").click()
    finally:
        away.rename(server[1])
    look_for(page, "rocket")
    expect(page.locator(".lx-picture").first).to_be_visible()
    assert not server[1].with_name(server[1].name + ".files").joinpath("lost.png").exists()


def test_an_index_written_by_another_program_meanwhile(page, server, tmp_path):
    (tmp_path / "talk.vtt").write_text(TRANSCRIPT.format("contrabassoon"))
    look_for(page, "rocket")
    command = [sys.executable, "-m", "lexiscope", "index", str(tmp_path), "--out", str(server[1])]
    writing = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    questions = 0
    while writing.poll() is None:
        look_for(page, f"rocket sky {questions}")
        page.wait_for_timeout(200)
        questions += 1
    assert writing.communicate()[1] is not None and writing.returncode == 0
    assert questions > 1
    look_for(page, "contrabassoon")
    expect(page.locator(".lx-card").first).to_contain_text("contrabassoon is here")


def test_a_server_that_does_not_answer_is_said_and_the_page_goes_on(page):
    page.route("**/search", lambda route: route.abort())
    box(page).fill("rocket")
    expect(page.locator("#lx-status.lx-error")).to_contain_text("The server does not answer")
    page.unroute("**/search")
    look_for(page, "rocket sky")


def test_a_slow_answer_is_waited_for_visibly_and_nothing_jumps(page):
    def top():
        return page.locator("#lx-results").bounding_box()["y"]

    held, tops = [], [top()]
    page.route("**/search", lambda route: held.append(route))
    box(page).fill("rocket")
    expect(page.locator("#lx-status")).to_have_text("Searching…")
    expect(page.locator("#lx-results")).to_have_attribute("aria-busy", "true")
    tops.append(top())
    for route in held:
        route.continue_()
    settled(page)
    expect(page.locator("#lx-status")).to_have_text(re.compile(r"\d+ found"))
    tops.append(top())
    assert max(tops) - min(tops) < 2


def test_adding_shows_how_far_it_is(page):
    held = []
    page.route("**/documents", lambda route: held.append(route))
    page.get_by_role("tab", name="Add").click()
    files = [{"name": f"{n}.png", "mimeType": "", "buffer": picture_file((n, n, 99))} for n in (1, 2)]
    page.locator("#lx-files").set_input_files(files)
    for number in (0, 1):
        bar = page.locator("#lx-progress")
        expect(bar).to_be_visible()
        expect(bar).to_have_js_property("value", number)
        expect(page.locator("#lx-added")).to_have_text(f"{number + 1}.png …")
        held[number].continue_()
    expect(page.locator("#lx-added")).to_have_text("2 of 2 files are in the index.")
    expect(page.locator("#lx-progress")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_telephone_and_a_wide_window_in_both_lights(visit, scheme):
    for width, height in ((375, 800), (1280, 900)):
        page = visit(viewport={"width": width, "height": height}, color_scheme=scheme)

        def fits(page=page, width=width):
            assert page.evaluate("document.documentElement.scrollWidth") <= width

        look_for(page, "a rocket taking off into the sky")
        fits()
        shade = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", shade)[:3])) < 200) is (scheme == "dark")
        for card in (".lx-picture", ".lx-card"):
            page.locator(card).first.click()
            page.locator(".lx-bars[data-ready], .lx-timeline").wait_for(timeout=WAIT)
            page.locator(".lx-explain summary").click()
            fits()
            inside = page.locator("dialog").evaluate("it => it.scrollWidth <= it.clientWidth")
            assert inside, f"{card} is too wide at {width}"
            assert page.locator(".lx-explain").evaluate("it => it.scrollWidth <= it.clientWidth")
            page.keyboard.press("Escape")
        page.get_by_role("tab", name="Add").click()
        fits()
