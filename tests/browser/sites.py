"""Which gateways do the browser's tests visit? Served ones, before a scripted upstream, over the ledgers of `LEDGERS`.

Invariant: a small ledger holds only calls that were really made; only the large one is written by hand.
"""

import contextlib
import http.client
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.browser import ledgers
from tests.integration.server.conftest import Door, opened_door, until
from tests.unit.evals.world import Rates, frontier, lines
from tierwise import config
from tierwise.config import Settings
from tierwise.evals import runs
from tierwise.evals.card import to_json
from tierwise.evals.evidence import read
from tierwise.evals.report.html import render
from tierwise.evals.verdict import decide
from tierwise.testing import ScriptedUpstream

LEDGERS = ("empty", "small", "large")
CAUGHT_UP_S = 100.0


class Site(NamedTuple):
    """A gateway that serves, and the id of a call in its ledger, None in an empty one."""

    door: Door
    decision: str | None

    @property
    def origin(self) -> str:
        """Return where a browser finds it."""
        return f"http://127.0.0.1:{self.door.port}"

    def ask(self, body: dict[str, Any], **headers: str) -> tuple[int, str]:
        """Send a call to the API; return its status and the id of its decision."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.door.port, timeout=20)) as line:
            head = {f"x-tierwise-{name.replace('_', '-')}": value for name, value in headers.items()}
            line.request("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json", **head})
            answer = line.getresponse()
            with contextlib.suppress(http.client.HTTPException, ConnectionError):  # some are cut off on purpose
                answer.read()
            return answer.status, answer.getheader("x-tierwise-decision", "")

    def page(self, path: str) -> str:
        """Read a page as it is sent."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.door.port, timeout=60)) as line:
            line.request("GET", path)
            return line.getresponse().read().decode()

    def caught_up(self) -> bool:
        """Wait until the pages have read the whole ledger; say whether they did in time."""
        return until(lambda: "reading the ledger" not in self.page("/ui/models"), CAUGHT_UP_S)


WRITTEN = """
[[endpoint]]
name = "laptop"
kind = "scripted"
url = "{url}"
tier = "local"
[[endpoint]]
name = "cluster"
kind = "scripted"
url = "{url}"
tier = "self_hosted"
region = "eu"
[[endpoint]]
name = "outside"
kind = "scripted"
url = "{url}"
tier = "frontier"

[[model]]
id = "small-8b"
endpoint = "laptop"
served_name = "m"
context_tokens = 8192
strength = 10
[[model]]
id = "large-70b"
endpoint = "cluster"
served_name = "m"
context_tokens = 32768
strength = 40
price = {{ input_usd_per_mtok = "0.20", output_usd_per_mtok = "0.60" }}
[[model]]
id = "frontier-1"
endpoint = "outside"
served_name = "m"
strength = 90
price = {{ input_usd_per_mtok = "3", output_usd_per_mtok = "15" }}
[[model]]
id = "mute-8b"
endpoint = "laptop"
served_name = "m?fault=empty_content"
tasks = ["search"]
[[model]]
id = "down-8b"
endpoint = "cluster"
served_name = "m?fault=error&status=503"
tasks = ["invoices"]
[[model]]
id = "cut-8b"
endpoint = "laptop"
served_name = "m?fault=cut&after=2"
tasks = ["nothing"]

[[workflow]]
name = "tickets"
candidates = ["small-8b", "frontier-1"]
trusted = ["small-8b"]
baseline = "frontier-1"
[[workflow]]
name = "invoices"
label = "confidential"
candidates = ["down-8b", "large-70b"]
trusted = ["down-8b"]
[[workflow]]
name = "search"
strategy = "cascade"
candidates = ["mute-8b", "frontier-1"]

[[budget]]
scope = "all"
limit_usd = "20"
[[budget]]
scope = "workflow:search"
limit_usd = "1"
"""
"""One model of each tier, and some on which one can rely to fail."""


def settings(home: Path, url: str, more: str = "") -> Settings:
    """Write a configuration into a home and read it; the process that draws reads it too."""
    home.mkdir(parents=True, exist_ok=True)
    file = home / "tierwise.toml"
    file.write_text(WRITTEN.format(url=url) + more, encoding="utf-8")
    return config.load(file, environ={"TIERWISE_HOME": str(home)})


SPOKEN = (
    ({"model": "auto:tickets"}, {}),
    ({"model": "auto:tickets", "stream": True}, {}),
    ({"model": "auto:tickets"}, {"label": "confidential", "session": "s-1"}),
    ({"model": "auto:invoices"}, {}),
    ({"model": "auto:search"}, {}),
    ({"model": "auto:search", "stream": True}, {}),
    ({"model": "frontier-1"}, {}),
    ({"model": "frontier-1"}, {"label": "restricted"}),
    ({"model": "down-8b"}, {}),
    ({"model": "cut-8b", "stream": True}, {}),
    ({"model": "tier:self_hosted"}, {}),
)
"""Calls and what their callers say: answered, streamed, escalated by a gate, by a failure, refused, failed, broken."""


def speak(site: Site) -> str:
    """Make every call of `SPOKEN`; return the decision of one that was escalated."""
    found = ""
    for number, (body, headers) in enumerate(SPOKEN):
        text = f"How many words has question {number}?"
        _, ident = site.ask({**body, "max_tokens": 64, "messages": [{"role": "user", "content": text}]}, **headers)
        found = ident if body == {"model": "auto:search"} else found
    assert found
    return found


def measured(home: Path) -> None:
    """Lay a comparison of `tickets` and its verdict where `tierwise compare` and `decide` would have."""
    place = runs.folder(home, "tickets") / "20261121-180000-1a2b"
    drawn = {"frontier-1": frontier(), "small-8b": Rates(0.93, sure=0.9), "large-70b": Rates(0.8)}
    file = lines(place / runs.EVIDENCE, drawn, items=400, tune=300)
    file.write_bytes(file.read_bytes().replace(b'"inbox"', b'"tickets"').replace(b'"r1"', f'"{place.name}"'.encode()))
    found = read(file)
    card = decide(found)
    (place / runs.CARD).write_bytes(to_json(card))
    (place / runs.REPORT).write_bytes(render(found, card))


@contextlib.contextmanager
def opened(kind: str, home: Path, upstream: ScriptedUpstream, calls: int = 0, more: str = "") -> Iterator[Site]:
    """Serve a ledger of this kind until the block ends; `calls` is how many the large one holds, `more` is configured."""
    written = settings(home, upstream.url, more)
    if kind == "large":  # in a thread, as the browser's event loop may be running in this one
        writing = threading.Thread(target=ledgers.fill, args=(written.ledger_path, calls, time.time()))
        writing.start()
        writing.join()
    with opened_door(written, upstream) as door:
        site = Site(door, None)
        if kind == "small":
            measured(home)
            site = Site(door, speak(site))
            assert until(lambda: str(site.decision) in site.page("/ui/decisions"), 20)
        if kind == "large":
            assert site.caught_up()
            site = Site(door, newest(site))
        yield site


def newest(site: Site) -> str:
    """Return the id of the first call in the list."""
    return site.page("/ui/decisions").partition('href="/ui/decisions/0')[2].partition('"')[0].join(("0", ""))
