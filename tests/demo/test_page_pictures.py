"""Pictures as questions, in a real browser: how they come into the page, and what is none."""

import base64
import io
import re

import pytest
from PIL import Image
from playwright.sync_api import expect

from .conftest import box, drop_picture, look_for, names, needs_browser, picture_file

pytestmark = needs_browser

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>alert(1)</script></svg>'
HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + b"\x00" * 64


def two_hundred_megapixels():
    written = io.BytesIO()
    Image.new("1", (20_000, 10_000)).save(written, "PNG")
    return written.getvalue()


def answered(page):
    """A picture is in the box, and pictures like it are found."""
    expect(page.locator("#lx-image img")).to_be_visible()
    expect(page.locator("#lx-status")).to_have_text(re.compile(r"\d+ found"))
    expect(page.locator(".lx-picture").first).to_be_visible()


def on_the_clipboard(page, color):
    """Put a picture on the clipboard."""
    page.evaluate(
        """async (data) => {
          const blob = await (await fetch(`data:image/png;base64,${data}`)).blob();
          await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
        }""",
        base64.b64encode(picture_file(color)).decode(),
    )


@pytest.mark.parametrize(
    ("name", "kind", "content", "said"),
    [
        ("huge.png", "image/png", two_hundred_megapixels, "huge.png: has more than 50 million pixels"),
        ("drawing.svg", "image/svg+xml", SVG, "The picture: is an SVG drawing"),
        ("text.jpg", "image/jpeg", b"this is text", "text.jpg: is no picture"),
        ("photo.heic", "image/heic", HEIC, "photo.heic: is a HEIC photograph"),
        ("empty.png", "image/png", b"", "empty.png: the file is empty"),
        ("100% é.png", "image/png", b"no", "is no picture"),
    ],
)
def test_what_is_no_picture_is_said_and_the_page_goes_on(page, name, kind, content, said):
    content = content() if callable(content) else content
    for _ in range(2):  # the same one once more is refused once more
        box(page).fill("")
        expect(page.locator(".lx-empty")).to_be_visible()
        drop_picture(page, name, content, kind)
        expect(page.locator("#lx-status.lx-error")).to_contain_text(said)
        expect(page.locator("#lx-image img")).to_have_count(0)
        look_for(page, "rocket")
        expect(page.locator("#lx-status.lx-error")).to_have_count(0)
    drop_picture(page, "red.png", picture_file())
    answered(page)


def test_a_file_of_another_kind_is_refused_at_the_door(page):
    drop_picture(page, "notes.txt", b"hello", "text/plain")
    expect(page.get_by_text("notes.txt. Only image/* allowed")).to_be_visible()
    look_for(page, "rocket")


def test_of_a_moving_picture_the_first_frame_counts(page):
    frames = [Image.new("RGB", (64, 48), color) for color in ("red", "blue", "green")]
    moving, still = io.BytesIO(), io.BytesIO()
    frames[0].save(moving, "GIF", save_all=True, append_images=frames[1:], duration=80, loop=0)
    frames[0].save(still, "GIF")
    page.get_by_label("Pictures", exact=True).check()  # one request a question
    with page.expect_response("**/search") as first:
        drop_picture(page, "moving.gif", moving.getvalue(), "image/gif")
    with page.expect_response("**/search") as second:
        drop_picture(page, "still.gif", still.getvalue(), "image/gif")
    one, two = ([hit["id"] for hit in answer.value.json()["hits"]] for answer in (first, second))
    assert one and one == two


def test_a_picture_pasted_from_anywhere(visit):
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    on_the_clipboard(page, (200, 30, 30))
    box(page).focus()
    page.keyboard.press("Control+V")
    answered(page)
    red = page.locator("#lx-image img").get_attribute("src")
    on_the_clipboard(page, (30, 30, 200))
    page.locator("body").press("Control+V")
    expect(page.locator("#lx-image img")).not_to_have_attribute("src", red)  # the later one
    answered(page)


def test_a_picture_pasted_with_the_button(visit):
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    on_the_clipboard(page, (200, 30, 30))
    page.get_by_role("button", name="Paste from clipboard").click()
    answered(page)


def test_a_picture_from_the_camera(visit):
    page = visit(permissions=["camera"])
    page.get_by_role("button", name="Capture from camera").click()
    page.get_by_text("Click to Access Webcam").click()
    page.wait_for_function("() => document.querySelector('#lx-image video')?.videoWidth > 0")
    page.get_by_role("button", name="capture photo").click()
    answered(page)


def test_a_file_dropped_beside_the_box_does_not_leave_the_page(page):
    where = page.url
    drop = """data => {
      const files = new DataTransfer();
      const bytes = Uint8Array.from(atob(data), (sign) => sign.charCodeAt(0));
      files.items.add(new File([bytes], "red.png", { type: "image/png" }));
      const event = (kind) => new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer: files });
      const place = document.querySelector("#lx-results");
      return [place.dispatchEvent(event("dragover")), place.dispatchEvent(event("drop"))];
    }"""
    assert page.evaluate(drop, base64.b64encode(picture_file()).decode()) == [False, False]
    answered(page)
    assert page.url == where


def test_more_like_this_takes_the_place_of_what_was_dropped(page):
    drop_picture(page, "red.png", picture_file())
    answered(page)
    box(page).fill("orange")
    expect(page.locator('#lx-chips [data-word="orange"]')).to_be_visible()
    card = page.locator(".lx-picture").first
    name = card.locator("b").inner_text()
    card.click()
    asked = []
    page.on("request", lambda one: asked.append(one.post_data_json) if one.url.endswith("/search") else None)
    page.get_by_role("button", name="More like this").click()
    expect(page.locator(".lx-like")).to_be_visible()
    expect(page.locator("#lx-status")).to_have_text(re.compile(r"\d+ found"))
    assert asked and all(one["image"] is None and one["text"] is None for one in asked)
    assert len({one["like"] for one in asked}) == 1
    expect(page.locator("#lx-image img")).to_have_count(0)
    assert names(page) and name not in names(page)
    drop_picture(page, "red.png", picture_file())  # and the other way round
    answered(page)
    expect(page.locator(".lx-like")).to_have_count(0)
    page.get_by_role("button", name="Remove Image").click()
    expect(page.locator(".lx-empty")).to_be_visible()


def test_the_balance_of_words_and_picture(page):
    look_for(page, "rocket sky")
    by_words = names(page)
    expect(page.locator("#lx-balance")).to_be_hidden()
    box(page).fill("")
    expect(page.locator(".lx-empty")).to_be_visible()  # the words' answer is gone
    drop_picture(page, "red.png", picture_file())
    answered(page)
    by_picture = names(page)
    assert by_words != by_picture
    top = page.locator("#lx-results").bounding_box()["y"]
    look_for(page, "rocket sky")
    slider = page.get_by_label("range slider for Picture ↔ words")
    expect(slider).to_be_visible()
    assert page.locator("#lx-results").bounding_box()["y"] == pytest.approx(top, abs=1)  # nothing jumps
    for key, expected in (("End", by_words), ("Home", by_picture)):
        slider.press(key)
        expect(page.locator(".lx-pictures .lx-caption b")).to_have_text(expected)
