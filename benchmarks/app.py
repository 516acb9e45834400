"""How fast the web page is, as a visitor with Debian's Chromium on the same machine meets it.

    python -m benchmarks.app         wants the extras app and browser, and a Chromium
    python -m benchmarks.app crowd   the visitors over HTTP alone, without a browser

The server is a process of its own (`clipguide app`); its CPU time and memory are read from /proc.  Watched and
unwatched pictures take turns, so that what slows one slows the other.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PAGES, TURNS = 5, 3
STEPS = 60  # of a picture that is watched, or not
PATIENCE = 300  # seconds for anything on a busy machine; of itself a client waits 5
IDLE, SETTLED = 30, 25  # seconds that are measured, and before them
VISITORS, SMALL = 20, {"steps": 5, "size": [64, 64], "cutouts": 4}
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
SHOWN = "document.querySelector('#stage img') && document.querySelector('#stage').innerText.includes('Drawing')"


class Server:
    """`clipguide app` over a folder of runs."""

    def __init__(self, folder: Path) -> None:
        self.runs = folder / "runs"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{port}"
        words = ["app", "--port", str(port), "--runs", str(self.runs), "--workers", "1"]
        self._log = folder / "log"
        log = self._log.open("w")
        self._process = subprocess.Popen([sys.executable, "-m", "clipguide.cli", *words], stdout=log, stderr=log)
        until(self._answers, PATIENCE)

    def _answers(self) -> bool:
        if self._process.poll() is not None:
            raise RuntimeError(f"the server ended: {self._log.read_text()}")
        try:
            return bool(urllib.request.urlopen(self.address, timeout=10).read())
        except OSError:
            return False

    def cpu(self) -> float:
        """Seconds so far, of all its threads."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def megabytes(self) -> float:
        """Of memory, resident."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE)


@contextmanager
def served() -> Iterator[Server]:
    """A server over a new folder."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser of Playwright's."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


def until(true: Callable[[], Any], seconds: float = 600) -> None:
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.05)


def opened(browser: Any, server: Server) -> tuple[Any, float]:
    """A page of a new visitor, and the seconds until Start could be pressed."""
    page = browser.new_context().new_page()
    began = time.monotonic()
    page.goto(server.address, wait_until="commit")
    page.wait_for_selector("#start:not([disabled])")
    return page, time.monotonic() - began


def watched(page: Any, server: Server, seed: int) -> tuple[float, float, float]:
    """Starts a picture on the page: seconds to its first frame, then as `spent`."""
    page.fill("#prompt textarea", f"a red fox, {seed}")
    page.wait_for_timeout(500)
    began = time.monotonic()
    page.click("#start")
    page.wait_for_function(SHOWN)
    first = time.monotonic() - began
    return first, *spent(server)


def unwatched(server: Server, seed: int) -> tuple[float, float]:
    """Starts the same over HTTP and leaves; as `spent`."""
    from gradio_client import Client

    job = Client(server.address, verbose=False).submit(f"a red fox, {seed}", "", None, None, api_name="/make")
    until(lambda: job.outputs())
    job.cancel()
    return spent(server)


def spent(server: Server) -> tuple[float, float]:
    """CPU and wall seconds a step of the newest run, over STEPS of its steps; the run is then stopped by its end."""
    folder = max(server.runs.glob("*/recipe.json"), key=os.path.getmtime).parent
    log = folder / "log.jsonl"

    def entries() -> list[dict]:
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    until(lambda: len(entries()) > 10)
    first, cpu = entries()[-1], server.cpu()
    until(lambda: entries()[-1]["step"] >= first["step"] + STEPS)
    last, cpu = entries()[-1], server.cpu() - cpu
    steps = last["step"] - first["step"]
    until((folder / "picture.png").exists)
    return cpu / steps, (last["seconds"] - first["seconds"]) / steps


def idle(server: Server) -> float:
    """Share of a core, in per cent."""
    time.sleep(SETTLED)
    cpu = server.cpu()
    time.sleep(IDLE)
    return 100 * (server.cpu() - cpu) / IDLE


def crowd(server: Server) -> tuple[int, float]:
    """VISITORS at once over HTTP: how many got their picture, and the memory afterwards, MB."""
    from gradio_client import Client

    done: list[str] = []

    def visit(number: int) -> None:
        client = Client(server.address, verbose=False, httpx_kwargs={"timeout": PATIENCE})
        facts, _ = client.predict(f"a house {number}", "fourier", SMALL, None, api_name="/make")
        done.append(facts["state"])

    visitors = [threading.Thread(target=visit, args=(number,)) for number in range(VISITORS)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    return done.count("done"), server.megabytes()


def crowds() -> dict[str, str]:
    """Figure -> value: what becomes of VISITORS at once, three times over."""
    with served() as server:
        before = server.megabytes()
        found = [crowd(server) for _ in range(3)]
    memory = ", ".join(f"{megabytes:.0f}" for _, megabytes in found)
    done = sum(done for done, _ in found)
    return {
        f"{VISITORS} visitors at once, thrice": f"{done} of {3 * VISITORS} pictures; "
        f"{before:.0f} MB before, {memory} MB afterwards"
    }


def measure() -> dict[str, str]:
    """Figure -> value, in words."""
    with served() as server, chromium() as browser:
        alone = idle(server)
        ready = [opened(browser, server)[1] for _ in range(PAGES)]
        page, _ = opened(browser, server)
        waiting = idle(server)
        pairs = [(watched(page, server, seed), unwatched(server, seed)) for seed in range(TURNS)]
    firsts = [seen[0] for seen, _ in pairs]
    cpu = statistics.median(seen[1] / unseen[0] for seen, unseen in pairs)
    wall = statistics.median(seen[2] / unseen[1] for seen, unseen in pairs)
    step = statistics.median(unseen[1] for _, unseen in pairs)
    return {
        f"page ready, {PAGES} visitors": f"median {statistics.median(ready):.2f} s, longest {max(ready):.2f} s",
        "first frame after Start": f"{firsts[0]:.2f} s at first, then {statistics.median(firsts[1:]):.2f} s",
        "a watched step": f"{cpu:.3f} times the CPU, {wall:.3f} times the time of an unwatched one ({step:.3f} s)",
        "idle server": f"{alone:.2f} % of a core, with six pages open {waiting:.2f} %",
    }


if __name__ == "__main__":
    figures = crowds() if sys.argv[1:] == ["crowd"] else measure() | crowds()
    for figure, value in figures.items():
        print(f"{figure:<32} {value}")
