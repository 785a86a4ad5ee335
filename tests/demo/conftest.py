"""A server on a copy of a small index, and a browser on its page."""

import io
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from PIL import Image

CHROMIUM = shutil.which("chromium")
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="needs a browser: apt-get install chromium")
WAIT = 30_000
FLAGS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",  # a camera
    "--use-fake-ui-for-media-stream",
]


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """The sample's index, served by `lexiscope demo`; gives its address and its folder."""
    from lexiscope.quickstart import sample_index

    index = sample_index(tmp_path_factory.mktemp("sample"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "lexiscope", "demo", str(index), "--port", str(port)]
    process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"})
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            assert process.poll() is None, "the server ended"
            try:
                if httpx.get(f"{address}/health", timeout=30).json()["status"] == "ok":
                    break
            except httpx.TransportError:
                pass
            time.sleep(0.5)
        yield address, index
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="session")
def sample(tmp_path_factory):
    """The quickstart's index, made once and only read."""
    from lexiscope.quickstart import sample_index

    return sample_index(tmp_path_factory.mktemp("sample"))


@pytest.fixture(scope="module")
def index(sample, tmp_path_factory):
    """A copy of it to be written to."""
    return Path(shutil.copytree(sample, tmp_path_factory.mktemp("api") / "index"))


@pytest.fixture(scope="module")
def api(index):
    """A client of the API alone, on that copy."""
    from starlette.testclient import TestClient

    from lexiscope.demo.server import make_app
    from lexiscope.demo.service import Service

    service = Service(index)
    service.warm_up()
    app = make_app(service, page=False)
    with TestClient(app, base_url="http://127.0.0.1:7860", raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="module")
def browser():
    """Its event loop runs for as long as it does, so that it ends with the module."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=WAIT)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser, server):
    """Opens the page in fresh profiles; nothing is fetched from elsewhere, nothing fails in a script."""
    contexts, strangers, errors = [], [], []

    def visited(url):
        if not url.startswith((server[0], "data:", "blob:")):
            strangers.append(url)

    def opened(**options):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(WAIT)
        page.on("request", lambda request: visited(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(server[0])
        page.locator(".lx-empty").wait_for()
        return page

    yield opened
    for context in contexts:
        for page in context.pages:
            page.unroute_all(behavior="ignoreErrors")
        context.close()
    assert (strangers, errors) == ([], [])


@pytest.fixture
def page(visit):
    """One such page."""
    return visit()


def box(page):
    """Where words are typed."""
    return page.locator("#lx-text textarea, #lx-text input").first


def look_for(page, text):
    """Type words and wait for what is found."""
    from playwright.sync_api import expect

    box(page).fill(text)
    expect(page.locator("#lx-status")).to_have_text(re.compile(r"\d+ found"))


def settled(page):
    """Wait for the answer to the last click."""
    from playwright.sync_api import expect

    expect(page.locator("#lx-results")).not_to_have_attribute("aria-busy", re.compile(".*"))


def names(page):
    """The pictures shown, best first."""
    return page.locator(".lx-pictures .lx-caption b").all_inner_texts()


def picture_file(color=(200, 30, 30), kind="PNG", **more):
    """The bytes of a small picture."""
    written = io.BytesIO()
    Image.new("RGB", (64, 48), color).save(written, kind, **more)
    return written.getvalue()


def drop_picture(page, name, content, kind="image/png"):
    """Put a file into the box for pictures."""
    file = {"name": name, "mimeType": kind, "buffer": content}
    page.locator("#lx-image input[type=file]").set_input_files([file])


def add_files(page, *files):
    """Add files — pairs of name and content — on their tab, and wait until all are through."""
    from playwright.sync_api import expect

    page.get_by_role("tab", name="Add").click()
    page.locator("#lx-files").set_input_files(
        [{"name": name, "mimeType": "", "buffer": content} for name, content in files]
    )
    expect(page.locator("#lx-added")).to_contain_text(f"of {len(files)} files are in the index.")
