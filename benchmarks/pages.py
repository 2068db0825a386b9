"""How soon are the pages there over a million decisions, and what do they cost a call? Run: scripts/bench pages

paint: first contentful paint, as Chromium's own performance entries have it, with an empty browser cache each time:
while the pages still read the ledger (from a fresh start), after that, and as the first page after a restart.
hotpath: calls one after the other through a gateway with no pages' process, with one and a list that is watched, and
with pages that are loaded without pause; in turns, so that what is told are ratios within a round.
Prints one JSON object; `--write` keeps it in docs/reference/pages.json, of which `scripts/docs` makes a page's figures.
"""

import argparse
import contextlib
import http.client
import json
import multiprocessing
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from serving import ROOT, TIERWISE, Standing, end, environment, free_port, start, wait_ready

sys.path.insert(0, str(ROOT))

from playwright.sync_api import Browser
from tests.browser import chromium, ledgers, sites
from tests.browser.chromium import Visit
from tests.browser.pages import PAGES
from tests.integration.server.conftest import until

FIGURES = ROOT / "docs" / "reference" / "pages.json"
PAINTED = """() => new Promise((tell) => new PerformanceObserver((list) => {
  const one = list.getEntries().find((entry) => entry.name === "first-contentful-paint");
  if (one) tell(one.startTime);
}).observe({ type: "paint", buffered: true }))"""
STILL_READING = "reading the ledger"
BODY = json.dumps({"model": "small-8b", "messages": [{"role": "user", "content": "one two three"}]})
STATES = ("without", "watched", "reloaded")
RELOADED = ("/ui/", "/ui/decisions", "/ui/models")
PIECE = 500
"""Calls in a piece of a round."""


class Served:
    """A gateway's process over a home, with its pages."""

    def __init__(self, home: Path, upstream: str) -> None:
        sites.settings(home, upstream)
        self.port, self.log = free_port(), home / "gateway.log"
        command = [TIERWISE, "serve", "--config", str(home / "tierwise.toml"), "--port", str(self.port)]
        self.process = start(command, environment(home), self.log)
        wait_ready(self.process, self.port, "/readyz", self.log)

    @property
    def origin(self) -> str:
        """Return where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def page(self, path: str) -> str:
        """Read a page as it is sent."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as line:
            line.request("GET", path)
            return line.getresponse().read().decode()

    def drawing(self) -> list[int]:
        """Return the process that draws, if there is one."""
        return [
            int(one) for one in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        ]


@contextlib.contextmanager
def served(home: Path) -> Iterator[Served]:
    """Start an upstream and a gateway, each a process, until the block ends."""
    command = [sys.executable, "-m", "tierwise.testing", "--model", "m"]
    upstream = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment(home))
    assert upstream.stdout is not None
    gateway = Served(home, upstream.stdout.readline().strip())
    try:
        yield gateway
    finally:
        end(gateway.process)
        end(upstream)


# paint


def painted_ms(browser: Browser, origin: str, path: str) -> tuple[float, bool]:
    """Open a page in a browser with an empty cache; return when it was painted, and whether it says that it reads."""
    context = chromium.context(browser)
    try:
        tab = Visit(context, origin)
        tab.go(path)
        return tab.page.evaluate(PAINTED), STILL_READING in tab.page.content()
    finally:
        context.close()


def paint(folder: Path, calls: int, rounds: int) -> dict[str, Any]:
    """Measure every page over a ledger of so many calls."""
    home = folder / "paint"
    began = time.perf_counter()
    ledgers.fill(home / "ledger.sqlite", calls, time.time())
    told: dict[str, Any] = {"calls": calls, "written_s": round(time.perf_counter() - began, 1)}
    told["ledger_mb"] = round((home / "ledger.sqlite").stat().st_size / 1e6)
    with chromium.opened() as browser:
        with served(home) as gateway:
            told |= reading(browser, gateway)
            ident = gateway.page("/ui/decisions").partition('href="/ui/decisions/0')[2].partition('"')[0]
            warm = {}
            for page in PAGES:
                path = page.path.format(decision=f"0{ident}")
                times = [painted_ms(browser, gateway.origin, path)[0] for _ in range(rounds)]
                warm[page.name] = {"median_ms": round(statistics.median(times)), "longest_ms": round(max(times))}
            told |= {"rounds": rounds, "warm": warm}
        told["index_mb"] = round((home / "pages" / "index.sqlite").stat().st_size / 1e6)
        with served(home) as gateway:
            told["first_after_restart_ms"] = round(painted_ms(browser, gateway.origin, "/ui/")[0])
    return told


def reading(browser: Browser, gateway: Served) -> dict[str, Any]:
    """Open pages while the ledger is read for the first time, until it is read."""
    began = time.perf_counter()
    first, said = painted_ms(browser, gateway.origin, "/ui/")
    times: dict[str, list[float]] = {page.name: [] for page in PAGES if "{" not in page.path}
    unsaid = 0 if said else 1
    while STILL_READING in gateway.page("/ui/runs"):
        for page in PAGES:
            if page.name in times:
                took, said = painted_ms(browser, gateway.origin, page.path)
                times[page.name].append(took)
                unsaid += not said and STILL_READING in gateway.page("/ui/runs")
    return {
        "read_s": round(time.perf_counter() - began, 1),
        "first_ms": round(first),
        "reading": {
            name: {"median_ms": round(statistics.median(some)), "longest_ms": round(max(some)), "times": len(some)}
            for name, some in times.items()
            if some
        },
        "pages_that_did_not_say_so": unsaid,
    }


# hotpath


def reload_without_pause(port: int, loaded: Any) -> None:
    """Load pages one after the other until this process is ended; count them."""
    while True:
        for path in RELOADED:
            with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as line:
                line.request("GET", path)
                line.getresponse().read()
            loaded.value += 1


@contextlib.contextmanager
def state(gateway: Served, name: str, loaded: Any) -> Iterator[None]:
    """Have the pages in a state until the block ends."""
    for pid in gateway.drawing():
        os.kill(pid, signal.SIGKILL)
    assert until(lambda: not gateway.drawing(), 20)
    if name == "without":
        yield
        return
    assert until(lambda: "<h1>" in gateway.page("/ui/decisions"), 40)  # a moment after its end it is not started anew
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=60)) as watched:
        watched.request("GET", "/ui/decisions/live")
        answer = watched.getresponse()
        threading.Thread(target=lambda: until_closed(answer), daemon=True).start()
        process = multiprocessing.get_context("spawn").Process(
            target=reload_without_pause, args=(gateway.port, loaded), daemon=True
        )
        if name == "reloaded":
            before = loaded.value
            process.start()
            assert until(lambda: loaded.value > before, 40)
        yield
        if name == "reloaded":
            process.terminate()
            process.join()


def until_closed(answer: http.client.HTTPResponse) -> None:
    """Read what comes until nothing more can."""
    with contextlib.suppress(OSError, ValueError, AttributeError, http.client.HTTPException):
        while answer.readline():
            pass


def piece(gateway: Served, standing: Standing, loaded: Any) -> dict[str, float]:
    """Make calls one after the other; return what each took, and what the gateway's process spent on it."""
    before, times, pages = standing.now()["cpu_s"], [], loaded.value
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=60)) as line:
        for _ in range(PIECE):
            began = time.perf_counter()
            line.request("POST", "/v1/chat/completions", BODY, {"content-type": "application/json"})
            answer = line.getresponse()
            answer.read()
            assert answer.status == 200, answer.status
            times.append(1000 * (time.perf_counter() - began))
    spent = 1000 * (standing.now()["cpu_s"] - before)
    cuts = statistics.quantiles(times, n=100)
    return {"p50_ms": cuts[49], "p99_ms": cuts[98], "cpu_ms": spent / PIECE, "pages": loaded.value - pages}


def hotpath(folder: Path, rounds: int) -> dict[str, Any]:
    """Measure calls in each state, in turns."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in STATES}
    loaded = multiprocessing.get_context("spawn").Value("i", 0)
    with served(folder / "hotpath") as gateway:
        standing = Standing(gateway.process.pid, gateway.port, 0)
        piece(gateway, standing, loaded)  # what is first is slower
        for number in range(rounds):
            for name in (*STATES[number % 3 :], *STATES[: number % 3]):
                with state(gateway, name, loaded):
                    found[name].append(piece(gateway, standing, loaded))
    told: dict[str, Any] = {"rounds": rounds, "calls_each": PIECE}
    for name, pieces in found.items():
        told[name] = {key: round(statistics.median(one[key] for one in pieces), 3) for key in pieces[0]}
    for name in STATES[1:]:
        for key in ("p50_ms", "p99_ms", "cpu_ms"):
            ratios = [one[key] / base[key] for one, base in zip(found[name], found["without"], strict=True)]
            told[name][f"{key.removesuffix('_ms')}_ratio"] = round(statistics.median(ratios), 3)
    return told


def machine() -> dict[str, str]:
    """Say where and when this was measured."""
    with chromium.opened() as browser:
        version = browser.version
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "versions": f"Python {platform.python_version()}, Chromium {version}",
    }


def main() -> None:
    """Measure and print. Exit 1 where a page took a second or did not say that it reads."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("paint", "hotpath"))
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--write", action="store_true", help=f"keep the figures in {FIGURES.relative_to(ROOT)}")
    given = parser.parse_args()
    if why := chromium.missing():
        sys.exit(why)
    told: dict[str, Any] = machine()
    parts: dict[str, Callable[[Path], dict[str, Any]]] = {
        "paint": lambda folder: paint(folder, given.calls, given.rounds),
        "hotpath": lambda folder: hotpath(folder, given.rounds),
    }
    with tempfile.TemporaryDirectory(prefix="tierwise-bench-") as folder:
        for name, part in parts.items():
            if given.only in (None, name):
                told[name] = part(Path(folder))
    if given.write:
        before = json.loads(FIGURES.read_text("utf-8")) if FIGURES.exists() else {}
        FIGURES.write_text(json.dumps({**before, **told}, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(told, indent=1))
    paints = told.get("paint", {})
    slow = [name for name, one in paints.get("warm", {}).items() if one["longest_ms"] >= 1000]
    sys.exit(1 if slow or paints.get("pages_that_did_not_say_so") else 0)


if __name__ == "__main__":
    main()
