"""A server of its own for each module, on a copy of a small index."""

import os
import socket
import subprocess
import sys
import time

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
