"""The stage on which a gateway is seen to fail: its process, the endpoints before it, and callers who look closely.

Invariant: what came back is judged as a client would judge it: whole, broken, cut or an error, and nothing else.
"""

import contextlib
import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import msgspec

from tests.integration.nth import shim
from tests.integration.nth.shim import FOR_EVER, Page
from tierwise.config import Document
from tierwise.core.label import Tier
from tierwise.core.model import Limits
from tierwise.core.usage import Price
from tierwise.economics.budget import Budget
from tierwise.fallback.breaker import BreakerSettings
from tierwise.gateway.workflow import Workflow
from tierwise.registry.settings import EndpointRow, ModelRow
from tierwise.testing import ScriptedUpstream

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_S = 20.0
CANARY = "kestrel-0417-lumen"
PRICE = Price(input_usd_per_mtok=Decimal(10), output_usd_per_mtok=Decimal(10))

Seen = Literal["whole", "broken", "cut", "error"]


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """One request of a scenario, and what it says."""

    path: str
    body: dict[str, Any]
    text: str
    label: str | None = None
    refused: int | None = None
    headers: dict[str, str] = {}

    @property
    def stream(self) -> bool:
        return bool(self.body.get("stream"))


def chat(model: str, text: str, *, label: str | None = None, refused: int | None = None, **more: Any) -> Ask:
    body = {"model": model, "messages": [{"role": "user", "content": text}], "max_tokens": 50} | more
    return Ask(path="/v1/chat/completions", body=body, text=text, label=label, refused=refused)


def messages(model: str, text: str, **more: Any) -> Ask:
    body = {"model": model, "messages": [{"role": "user", "content": text}], "max_tokens": 50, "stream": True} | more
    return Ask(path="/v1/messages", body=body, text=text)


def responses(model: str, text: str) -> Ask:
    return Ask(path="/v1/responses", body={"model": model, "input": text, "stream": True}, text=text)


ENDS = {
    "/v1/chat/completions": b"data: [DONE]", "/v1/messages": b"event: message_stop",
    "/v1/responses": b"event: response.completed",
}  # fmt: skip

FAILS = (b'data: {"error"', b"event: error", b"event: response.failed")


def document(inside: ScriptedUpstream, outside: ScriptedUpstream) -> Document:
    """Configure an endpoint that fails, one whose answers fail their gate, a good one, and one outside."""
    served = {
        "down": "m?fault=error&status=503",
        "wrong": "m?fault=broken_schema",
        "near": "m",
        "far": "m",
        "slow": "m?fault=slow_chunks&delay_ms=150",
    }
    limits = Limits(drain_timeout_s=1)
    return Document(
        endpoint=(
            EndpointRow(name="inside", kind="scripted", url=inside.url, tier=Tier.LOCAL, limits=limits),
            EndpointRow(name="outside", kind="scripted", url=outside.url, tier=Tier.FRONTIER, limits=limits),
        ),
        model=tuple(
            ModelRow(
                id=name, endpoint="outside" if name == "far" else "inside", served_name=served[name], price=PRICE
            )
            for name in served
        ),
        workflow=(
            Workflow(name="steps", candidates=("down", "near", "far"), strategy="cascade"),
            Workflow(name="gated", candidates=("wrong", "near", "far"), strategy="cascade"),
            Workflow(name="poor", candidates=("near",)),
        ),
        budget=(
            Budget(scope="all", limit_usd=Decimal(1000)),
            Budget(scope="workflow:poor", limit_usd=Decimal("0.000001")),
        ),
        breaker=BreakerSettings(failures=FOR_EVER),
    )  # fmt: skip


class Stage:
    """The gateway under test, its endpoints, and the page that says what fails."""

    def __init__(
        self, child: subprocess.Popen[str], home: Path, page: Page, inside: ScriptedUpstream, outside: ScriptedUpstream
    ) -> None:
        self.child, self.page, self.inside, self.outside = child, page, inside, outside
        self.store: Literal["sqlite", "postgres"] = "sqlite"
        self.home, self._heard = home, threading.local()
        assert child.stdout is not None
        self.port = int(child.stdout.readline())

    @property
    def said(self) -> http.client.HTTPMessage:
        """The headers of the answer that this thread got last."""
        headers: http.client.HTTPMessage = self._heard.headers
        return headers

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < deadline, "it does not come"

    def standing(self) -> dict[str, Any]:
        """Wait until nothing is under way and nothing set aside, and return how the gateway stands.

        What a server did not hear of is closed a second later, as interrupted.
        """
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        deadline = time.monotonic() + PATIENCE_S
        while True:
            self.child.stdin.write("\n")
            self.child.stdin.flush()
            found: dict[str, Any] = json.loads(self.child.stdout.readline())
            if not found["under_way"] and Decimal(found["reserved"]) == 0:
                return found
            assert time.monotonic() < deadline, f"something stays under way, or set aside, for ever: {found}"

    def get(self, path: str) -> tuple[int, dict[str, Any]]:
        """Fetch something."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)) as line:
            line.request("GET", path)
            answer = line.getresponse()
            return answer.status, json.loads(answer.read())

    def ask(self, ask: Ask) -> tuple[Seen, str, bytes]:
        """Send a request on a connection of its own; return how it ended, its decision where it is known, and what came."""
        headers = {"content-type": "application/json"} | ({"x-tierwise-label": ask.label} if ask.label else {})
        headers |= ask.headers
        ident = ""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)) as line:
            try:
                line.request("POST", ask.path, json.dumps(ask.body), headers)
                answer = line.getresponse()
                self._heard.headers = answer.headers
                ident = answer.headers.get("x-tierwise-decision", "")
                payload = answer.read()
            except http.client.IncompleteRead as error:
                assert ENDS[ask.path] not in error.partial.splitlines(), "an end, and no end of the body behind it"
                return "cut", ident, error.partial
            except TimeoutError:
                raise
            except (OSError, http.client.HTTPException):
                return "cut", ident, b""
        if answer.status != 200:
            assert not ask.refused or answer.status in (ask.refused, 503)
            assert "error" in json.loads(payload)
            return "error", ident, payload
        assert ask.refused is None
        if not ask.stream:
            assert said(payload, ask) == (ask.text or said(payload, ask))
            return "whole", ident, payload
        lines = payload.splitlines()
        ended, failed = ENDS[ask.path] in lines, any(line.startswith(FAILS) for line in lines)
        assert ended != failed, f"neither finished nor failed, or both: {payload!r}"
        text = spoken(payload)
        assert text == ask.text if ended and ask.text else ask.text.startswith(text) or not ask.text
        return ("whole" if ended else "broken"), ident, payload


def said(payload: bytes, ask: Ask) -> str:
    """Return the text of a whole chat answer; one with a tool call has none."""
    message = json.loads(payload)["choices"][0]["message"]
    assert message.get("content") or message.get("tool_calls")
    return message.get("content") or ask.text


def spoken(payload: bytes) -> str:
    """Return the text of a stream of any wire."""
    text = ""
    for line in payload.splitlines():
        event = json.loads(line[6:]) if line.startswith(b"data: {") else {}
        for choice in event.get("choices") or ():
            text += choice.get("delta", {}).get("content") or ""
        if event.get("type") == "content_block_delta":
            text += event["delta"].get("text", "")
        elif event.get("type") == "response.output_text.delta":
            text += event["delta"]
    return text


@contextmanager
def staged(folder: Path, environ: dict[str, str] | None = None, wall_s: int = 0, **more: Any) -> Iterator[Stage]:
    """Serve the usual document, with other parts where they are named, from a process of its own.

    `wall_s` is how wrong its clock is from the beginning.
    """
    written = folder / "document.json"
    with (
        ScriptedUpstream.in_thread(models=("m",)) as inside,
        ScriptedUpstream.in_thread(models=("m",)) as outside,
        shim.page(folder) as page,
        (folder / "stderr").open("w+") as stderr,
    ):
        written.write_bytes(msgspec.json.encode(msgspec.structs.replace(document(inside, outside), **more)))
        page.clocks(wall_s=wall_s)
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.nth.served", str(folder / "home"), str(written)],
            cwd=ROOT, env=os.environ | page.environment | (environ or {}), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr,
        )  # fmt: skip
        with child:
            assert child.stdin is not None
            try:
                stage = Stage(child, folder / "home", page, inside, outside)
                stage.store = "postgres" if "ledger" in more else "sqlite"
                yield stage
                child.stdin.close()
                assert child.wait(PATIENCE_S) == 0
            finally:
                child.kill()
        stderr.seek(0)
        assert "Traceback" not in (told := stderr.read()), told
