"""A served page in a process of its own, and Debian's Chromium to look at it."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

START = 300  # seconds for a server on a busy machine
PATIENCE = 400_000  # ms for anything on the page, where other work fills the cores
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Server:
    """`clipguide app` over one folder of runs; it can be restarted."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.runs = folder, folder / "runs"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self._process = None

    def start(self) -> None:
        words = ["app", "--port", str(self.port), "--runs", str(self.runs)]
        log = (self.folder / "log").open("a")
        command = [sys.executable, "-m", "clipguide.cli", *words]
        self._process = subprocess.Popen(
            command, stdout=log, stderr=log, env=os.environ | {"OMP_WAIT_POLICY": "passive"}
        )
        end = time.monotonic() + START
        while True:
            try:
                urllib.request.urlopen(self.address, timeout=10).read()
                return
            except OSError:
                assert self._process.poll() is None, (self.folder / "log").read_text()
                assert time.monotonic() < end, "the server did not come up"
                time.sleep(0.5)

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def restart(self) -> None:
        self.stop()
        self.start()


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    pytest.importorskip("gradio")
    server = Server(tmp_path_factory.mktemp("app"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def browser():
    api = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium; apt-get install chromium")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS), timeout=PATIENCE)
        yield browser
        browser.close()


@pytest.fixture
def visit(server, browser):
    """Opens the page in a browser context of its own; notes what it asks of other hosts."""
    contexts = []

    def visit(width: int = 1280, height: int = 1000, scheme: str = "light"):
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.outside = []
        page.on(
            "request", lambda request: page.outside.append(request.url) if _is_outside(request.url, server) else None
        )
        page.goto(server.address)
        page.wait_for_selector("#start:not([disabled])")
        return page

    yield visit
    for context in contexts:
        context.close()


def _is_outside(address: str, server: Server) -> bool:
    return not address.startswith((server.address, "data:", "blob:"))
