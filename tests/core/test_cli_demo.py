"""`lexiscope demo` as it is typed: what stops it, what it listens on, how it ends."""

import re
import signal
import socket
import subprocess
import sys
import threading

import httpx
import pytest

COMMAND = [sys.executable, "-m", "lexiscope", "demo"]


def run(*arguments):
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def index(tmp_path_factory, model_folder):
    from PIL import Image

    from lexiscope import Retriever

    place = tmp_path_factory.mktemp("demo")
    Image.new("RGB", (40, 30), "red").save(place / "red.png")
    with Retriever.open(place / "index", model=model_folder, create=True) as library:
        library.add([place / "red.png"])
    return place / "index"


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def refused(done, *said):
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1 and "Traceback" not in done.stderr, done.stderr
    for word in said:
        assert word in done.stderr


def test_a_folder_without_an_index(tmp_path):
    refused(run(tmp_path / "nothing"), "nothing")
    refused(run(tmp_path), str(tmp_path))


def test_a_port_in_use_is_said_before_anything_is_loaded(index):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        refused(run(index, "--port", port), str(port), "--port")


def test_a_host_that_is_none(index):
    refused(
        run(index, "--host", "no.such.host.invalid", "--port", free_port()), "no.such.host.invalid", "--host"
    )


def test_beyond_loopback_a_token_is_made_and_needed(index):
    port = free_port()
    command = [*COMMAND, str(index), "--host", "0.0.0.0", "--port", str(port)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    ended = threading.Timer(90, process.kill)  # whatever happens, the test ends
    ended.start()
    try:
        said = process.stderr.readline()
        token = re.search(r"#token=([\w-]{20,}) ", said)[1]
        address = f"http://127.0.0.1:{port}"
        transport = httpx.HTTPTransport(retries=20)
        with httpx.Client(base_url=address, transport=transport, timeout=60) as client:
            assert client.get("/health").json()["pictures"] == 1
            assert client.delete("/documents/0").status_code == 401
            assert "lexiscope" in client.get("/").text
            refused = {
                "/nothing": 404,
                "/search": 405,
                "/../../etc/passwd": 404,
                "/gradio_api/file=/etc/passwd": 404,
            }
            for place, status in refused.items():
                answer = client.get(place)
                assert answer.status_code == status, (place, answer.text[:200])
                assert set(answer.json()) == {"error", "detail"}
            right = {"authorization": f"Bearer {token}"}
            assert client.delete("/documents/0", headers=right).json() == {"deleted": 1}
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(30) in {0, 130}
        ended.cancel()
        process.stderr.close()
