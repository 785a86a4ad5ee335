"""A server of its own for each module, on a copy of a small index."""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest


@pytest.fixture(scope="module")
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
