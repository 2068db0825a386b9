"""Over all that an endpoint may do, and while it repeats the key it is asked with: no key is in any place that is kept or told.

The gateway runs in a process of its own and keeps everything it can: answers, headers, records, content, metrics, what it
prints, and every file of its home are searched.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.faults import stage
from tests.faults.doors import CALLS, Door
from tests.faults.http import Reply, request
from tests.faults.lies import LIES, TEXT, WIRES
from tests.faults.target import Target
from tierwise.ledger.settings import LedgerSettings
from tierwise.server.settings import KeyRow

ROOT = Path(__file__).resolve().parents[2]
WATCHER = "sk-watcher-c0a1e7f2"
CANARIES = (stage.KEY, stage.UPSTREAM_KEY, stage.LATE_KEY, stage.NARROW_KEY, WATCHER)
ENVIRON = {"UPSTREAM_KEY": stage.UPSTREAM_KEY, "CALLER_KEY": stage.KEY, "LATE_KEY": stage.LATE_KEY,
           "NARROW_KEY": stage.NARROW_KEY, "WATCHER_KEY": WATCHER}  # fmt: skip
ENVIRON |= {f"FEW_{n}": stage.few(door) for n, door in enumerate(stage.ALL)}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Target, Path]]:
    """Serve everything from a process of its own."""
    with (
        stage.upstream_at() as upstream,
        stage.untrusted_server() as untrusted,
        (tmp_path / "stderr").open("w") as said,
    ):
        document = stage.document(upstream, untrusted, keyed=True)
        watcher = KeyRow(name="watcher", secret="env:WATCHER_KEY", scopes=("metrics", "admin"))
        document = msgspec.structs.replace(
            document, key=(*document.key, watcher), ledger=LedgerSettings(durability="normal", store_content="full")
        )
        (tmp_path / "document.json").write_bytes(msgspec.json.encode(document))
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.nth.served", str(tmp_path / "home"), str(tmp_path / "document.json")],
            cwd=ROOT, env=os.environ | ENVIRON, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said,
        )  # fmt: skip
        with child:
            assert child.stdin is not None
            assert child.stdout is not None
            try:
                yield (
                    Target(host="127.0.0.1", port=int(child.stdout.readline()), key=stage.KEY, upstream=upstream),
                    tmp_path,
                )
            finally:
                child.stdin.close()
                assert child.wait(30) == 0


async def everything(target: Target) -> list[Reply]:
    """Ask for every lie on every wire, show keys where they do not belong, and fetch what is told of it."""
    replies: list[Reply] = []

    async def hear(data: bytes) -> list[Reply]:
        heard = await target.send(data, limit_s=20)
        replies.extend(heard.replies)
        return heard.final

    async def asked(door: Door, role: str) -> None:
        body = msgspec.json.encode(door.good(role, TEXT))
        for reply in await hear(target.post(door, body)):
            ident = reply.field("x-tierwise-decision")
            await hear(request(f"/v1/decisions/{ident}?content=1", head=target.head("Connection: close"), method="GET"))

    for lie in LIES:
        if "huge_line" not in lie.script:
            await asyncio.gather(*(asked(door, lie.role(wire)) for door in CALLS for wire in WIRES))
    for door in CALLS:
        good = door.raw("m")
        for key in CANARIES:
            wrong = (f"x-api-key: {key}x", f"Authorization: Basic {key}", f"Host: {key}")
            for line in wrong:
                await hear(target.post(door, good, line, key=""))
            await hear(request(f"{door.path}?key={key}", good, target.head("Connection: close")))
            await hear(request(f"/v1/{key}", good, target.head("Connection: close")))
    for path in ("/metrics", "/readyz", "/v1/models"):
        await hear(request(path, head=target.head("Connection: close", key=WATCHER), method="GET"))
    return replies


def found(name: str, data: bytes) -> list[str]:
    """Say which keys stand somewhere."""
    return [f"{key} in {name}" for key in CANARIES if key.encode() in data]


def test_no_key_is_anywhere(served: tuple[Target, Path]) -> None:
    target, folder = served
    replies = asyncio.run(everything(target))
    assert len(replies) > 2 * len(LIES) * len(CALLS)
    assert any(b"tierwise_" in reply.body for reply in replies), "the metrics were read"
    leaks = []
    for reply in replies:
        head = "\n".join(f"{name}: {value}" for name, value in reply.fields).encode()
        leaks += found(f"an answer {reply.status} {reply.body[:300]!r}", head + reply.body)
    kept = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    assert {"ledger.sqlite", "stderr"} <= {file.name for file in kept}
    for file in kept:
        if file.name != "document.json":
            leaks += found(file.name, file.read_bytes())
    assert not leaks, "\n".join(leaks[:10])
