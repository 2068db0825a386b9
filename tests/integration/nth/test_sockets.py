"""Whichever call on a socket fails, and however: what was answered is recorded once, nothing looks finished that is not.

The main scenarios run again and again before a gateway in a process of its own, the n-th socket, connect, accept, read,
write, option or close of it failing, for n = 1, 2, … until a scenario makes fewer calls than n; in every way in which
that call can fail. In CI every so many; all of them with `TIERWISE_NTH_STEP=1`.
"""

import contextlib
import errno
import http.client
import json
import mmap
import os
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest

from tierwise.config import Document
from tierwise.core.label import Tier
from tierwise.core.model import Limits
from tierwise.core.usage import Price
from tierwise.economics.budget import Budget
from tierwise.fallback.breaker import BreakerSettings
from tierwise.gateway.workflow import Workflow
from tierwise.registry.settings import EndpointRow, ModelRow
from tierwise.testing import ScriptedUpstream

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
STEP = int(os.environ.get("TIERWISE_NTH_STEP", "11"))
COMPILER = shutil.which("cc")
FOR_EVER = 1_000_000_000
PATIENCE_S = 20.0
CANARY = "kestrel-0417-lumen"
PRICE = Price(input_usd_per_mtok=Decimal(10), output_usd_per_mtok=Decimal(10))

KINDS = ("none", "socket", "connect", "connected", "accept", "read", "write", "option", "close")
END, SHORT = -1, -2
WAYS: dict[str, tuple[int, ...]] = {
    "socket": (errno.EMFILE,),
    "connect": (errno.ECONNREFUSED, errno.ETIMEDOUT, errno.EADDRNOTAVAIL),
    "connected": (errno.ECONNREFUSED, errno.ECONNRESET, errno.ETIMEDOUT),
    "accept": (errno.EMFILE, errno.ECONNABORTED, errno.ENOBUFS),
    "read": (errno.ECONNRESET, errno.ETIMEDOUT, END, SHORT),
    "write": (errno.EPIPE, errno.ECONNRESET, SHORT),
    "option": (errno.EINVAL,),
    "close": (errno.EIO,),
}
NAMES = {END: "end", SHORT: "short"} | errno.errorcode

pytestmark = pytest.mark.skipif(
    COMPILER is None or not sys.platform.startswith("linux"), reason="needs Linux and a C compiler to fail libc's calls"
)

Seen = Literal["whole", "broken", "cut", "error"]


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """One request of a scenario, and what it says."""

    path: str
    body: dict[str, Any]
    text: str
    label: str | None = None
    refused: int | None = None

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


SCHEMA = {
    "type": "json_schema",
    "json_schema": {
        "name": "place", "strict": True,
        "schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"],
                   "additionalProperties": False},
    },
}  # fmt: skip
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
CALLED = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
LOOP = [
    {"role": "user", "content": "look it up"},
    {"role": "assistant", "content": None, "tool_calls": [CALLED]},
    {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
]
SCENES: dict[str, tuple[Ask, ...]] = {
    "plain": (chat("near", "one two three"),),
    "stream": (
        chat("near", "four five six", stream=True), messages("near", "seven eight"), responses("near", "nine ten"),
    ),
    "fallback": (chat("auto:steps", "one more"), chat("auto:steps", "and one more", stream=True)),
    "cascade": (
        chat("auto:gated", "", response_format=SCHEMA), chat("auto:gated", "", response_format=SCHEMA, stream=True),
    ),
    "tools": (
        chat("near", "", tools=[TOOL], messages=LOOP[:1]), chat("near", "", tools=[TOOL], messages=LOOP, stream=True),
    ),
    "secret": (
        chat("auto:steps", f"the {CANARY} is ours", label="restricted"),
        chat("auto:steps", f"ours is the {CANARY}", label="restricted", stream=True),
    ),
    "refused": (
        chat("far", f"the {CANARY} is ours", label="restricted", refused=403),
        chat("auto:poor", "no money for this", refused=429),
        chat("nobody", "no such model", refused=404),
    ),
    "outside": (chat("far", "far away"), chat("far", "far and away", stream=True)),
}  # fmt: skip


def document(inside: ScriptedUpstream, outside: ScriptedUpstream) -> Document:
    """Configure an endpoint that fails, one whose answers fail their gate, a good one, and one outside."""
    served = {"down": "m?fault=error&status=503", "wrong": "m?fault=broken_schema", "near": "m", "far": "m"}
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
        self, child: subprocess.Popen[str], control: mmap.mmap, inside: ScriptedUpstream, outside: ScriptedUpstream
    ) -> None:
        self.child, self.inside, self.outside = child, inside, outside
        self._control = control
        assert child.stdout is not None
        self.port = int(child.stdout.readline())

    def fail(self, kind: str, first: int, many: int, how: int) -> None:
        """Let these calls fail, counting from now; `none` lets nothing fail and keeps the counts."""
        counts = struct.pack("9q", *[0] * 9) if kind != "none" else b""
        self._control[: 40 + len(counts)] = struct.pack("5q", KINDS.index(kind), first, many, how, 0) + counts

    def calls(self) -> dict[str, int]:
        """Return how many calls of each kind were made since the last `fail`."""
        return dict(zip(KINDS, struct.unpack("9q", self._control[40:112]), strict=True))

    def standing(self) -> dict[str, Any]:
        """Wait until nothing is under way, and return how the gateway stands."""
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        deadline = time.monotonic() + PATIENCE_S
        while True:
            self.child.stdin.write("\n")
            self.child.stdin.flush()
            found: dict[str, Any] = json.loads(self.child.stdout.readline())
            if not found["under_way"]:
                return found
            assert time.monotonic() < deadline, f"something stays under way for ever: {found}"

    def ask(self, ask: Ask) -> tuple[Seen, str, bytes]:
        """Send a request on a connection of its own; return how it ended, its decision where it is known, and what came."""
        headers = {"content-type": "application/json"} | ({"x-tierwise-label": ask.label} if ask.label else {})
        ident = ""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)) as line:
            try:
                line.request("POST", ask.path, json.dumps(ask.body), headers)
                answer = line.getresponse()
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
            assert answer.status == (ask.refused or answer.status)
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


ENDS = {
    "/v1/chat/completions": b"data: [DONE]", "/v1/messages": b"event: message_stop",
    "/v1/responses": b"event: response.completed",
}  # fmt: skip

FAILS = (b'data: {"error"', b"event: error", b"event: response.failed")


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


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("sockets")
    library, page, written = folder / "sockets.so", folder / "control", folder / "document.json"
    subprocess.run(
        [str(COMPILER), "-shared", "-fPIC", "-O1", "-o", str(library), str(HERE / "sockets.c"), "-ldl"], check=True
    )
    page.write_bytes(bytes(4096))
    with (
        ScriptedUpstream.in_thread(models=("m",)) as inside,
        ScriptedUpstream.in_thread(models=("m",)) as outside,
        page.open("r+b") as file,
        mmap.mmap(file.fileno(), 4096) as control,
        (folder / "stderr").open("w+") as stderr,
    ):
        written.write_bytes(msgspec.json.encode(document(inside, outside)))
        environment = os.environ | {"LD_PRELOAD": str(library), "NTH_CONTROL": str(page)}
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.nth.served", str(folder / "home"), str(written)],
            cwd=ROOT, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr,
        )  # fmt: skip
        with child:
            yield Stage(child, control, inside, outside)
            child.stdin.close()  # type: ignore[union-attr]
            assert child.wait(PATIENCE_S) == 0
        stderr.seek(0)
        assert "Traceback" not in stderr.read()


class Ran:
    """One run of a scenario."""

    def __init__(self, stage: Stage, scene: str, kind: str, first: int, many: int, how: int) -> None:
        self.before = stage.standing()
        asked = len(stage.inside.asked) + len(stage.outside.asked)
        stage.fail(kind, first, many, how)
        self.seen = [(ask, *stage.ask(ask)) for ask in SCENES[scene]]
        stage.fail("none", 0, 0, 0)
        self.after = stage.standing()
        self.calls = stage.calls()[kind]
        self.asked = len(stage.inside.asked) + len(stage.outside.asked) - asked


def check(stage: Stage, ran: Ran) -> None:
    """What must hold, whichever call failed, and however."""
    known = {record["id"] for record in ran.before["records"]}
    idents = [record["id"] for record in ran.after["records"]]
    assert len(set(idents)) == len(idents), "each stands once"
    new = {record["id"]: record for record in ran.after["records"] if record["id"] not in known}
    assert len(new) <= len(ran.seen), "nothing is recorded that nobody asked"
    for ask, seen, ident, payload in ran.seen:
        outcome = new[ident]["outcome"] if ident else None
        match seen:
            case "whole":
                assert outcome == "answered", "an answer is recorded as one"
                assert new[ident]["tokens"][-1] is not None, "with what the endpoint said it costs"
            case "broken":
                assert outcome in ("broken", "failed"), "a stream that broke is recorded as broken"
            case "error":
                assert outcome in (("refused", None) if ask.refused else ("failed", None)), payload
            case "cut":
                assert outcome in (None, "answered", "broken", "cancelled", "failed", "refused")
    assert Decimal(ran.after["reserved"]) == 0, "what was set aside is settled"
    cost = sum(Decimal(record["cost"]) for record in new.values())
    spent = Decimal(ran.after["spent"]["all"]) - Decimal(ran.before["spent"]["all"])
    assert spent == cost, "and spent is what is recorded as spent"
    attempts = sum(record["attempts"] for record in new.values())
    # A request on a kept connection that died before any byte of an answer is sent once more.
    assert ran.asked <= 2 * attempts, "nobody was asked without a record"
    assert not any(CANARY.encode() in request.body for request in stage.outside.received), "and nothing marked left"


CASES = [
    pytest.param(kind, how, many, id=f"{kind}-{NAMES[how]}-{'once' if many == 1 else 'on and on'}")
    for kind, ways in WAYS.items()
    for how in ways
    for many in ((1, 3) if kind == "accept" else (1, FOR_EVER))
]


@pytest.mark.parametrize("scene", SCENES)
def test_unharmed_each_scene_is_served_and_its_calls_are_seen(stage: Stage, scene: str) -> None:
    stage.fail("close", FOR_EVER, 1, errno.EIO)
    ran = Ran(stage, scene, "close", FOR_EVER, 1, errno.EIO)
    check(stage, ran)
    assert [seen for _, seen, _, _ in ran.seen] == ["error" if ask.refused else "whole" for ask in SCENES[scene]]
    calls = stage.calls()
    asks = len(SCENES[scene])
    assert calls["accept"] >= asks
    assert calls["read"] >= asks
    assert calls["write"] >= asks
    assert calls["close"] >= asks


@pytest.mark.parametrize(("kind", "how", "many"), CASES)
def test_the_nth_call_on_a_socket_fails(stage: Stage, kind: str, how: int, many: int) -> None:
    failed = 0
    for place, scene in enumerate(SCENES):
        first = 1 + (place + how + min(many, 2)) % STEP  # not the same places for each way to fail
        while True:
            ran = Ran(stage, scene, kind, first, many, how)
            check(stage, ran)
            assert stage.ask(chat("near", "and now?"))[0] == "whole", "the next request is answered"
            if ran.calls < first:
                break
            failed += 1
            first += STEP
    print(f"{failed} calls failed")
