"""Is the gateway ever fooled by an upstream that lies at some byte? Every lie is told, and what came of it is judged.

Gateway, upstream and callers run in one loop, over real sockets. The judge compares what the caller was told with what
was sent, by one reader of its own, and then reads the ledger. What it counts under `NEVER` must be 0.
"""

import asyncio
import collections
import contextlib
import json
import logging
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec

from tests.integration.lies.player import NAMELESS, Kind, Lie, Player
from tests.integration.lies.reading import NO_TOKENS, Http, Told, http, told
from tierwise import bootstrap
from tierwise.config import Document, Settings
from tierwise.core.decision import Decision
from tierwise.core.model import Limits
from tierwise.fallback.breaker import BreakerSettings
from tierwise.fallback.plan import FallbackSettings
from tierwise.registry.settings import EndpointRow, ModelRow
from tierwise.server.run import Server, listen
from tierwise.server.settings import ServerSettings
from tierwise.testing import ScriptedUpstream

NAME = NAMELESS.decode()
WORDS = 'grüße 世界 "one" \\ two'
ENDPOINTS = ("chat", "responses", "messages", "gemini", "ollama")
CALLERS = ("chat", "responses", "messages")
ANY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = ANY | {"properties": {"city": {"const": f"{NAME} grüße"}}}
"""What the scripted model is asked with, so that the name of the lie stands in its call."""
STREAMED: tuple[Kind, ...] = ("split", "eof", "reset", "flip", "ended", "closed", "stall")
WHOLE: tuple[Kind, ...] = ("split", "eof", "reset", "flip", "ended", "closed")
HURRIED = "-hurried"
SILENCE_S, PATIENT_S, PATIENCE_S = 1.0, 5.0, 30.0
NEVER = (
    "false_finishes", "foreign_texts", "shortened", "cut_answers", "unclear_ends", "own_errors", "changed_by_a_split", "reused",
    "unanswered", "not_recorded_once", "recorded_otherwise", "counted_otherwise", "left_open",
)  # fmt: skip


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """One caller's wire, one endpoint's wire, streamed or not, words or a call."""

    caller: str
    endpoint: str
    stream: bool
    tool: bool = False


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One lie told to one caller."""

    number: int
    scene: Scene
    lie: Lie


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller got."""

    status: int = 0
    told: Told = msgspec.field(default_factory=Told)
    cut: bool = False


def scenes() -> Iterator[Scene]:
    """Give every pair of wires."""
    for stream in (True, False):
        for caller in CALLERS:
            for endpoint in ENDPOINTS:
                for tool in (False, True):
                    yield Scene(caller=caller, endpoint=endpoint, stream=stream, tool=tool)
    yield Scene(caller="embeddings", endpoint="embeddings", stream=False)


def asking(wire: str, model: str, name: str, *, stream: bool, tool: bool) -> tuple[str, dict[str, Any]]:
    """Write a request of any wire."""
    text = f"{name} look" if tool else f"{name} {WORDS}"
    turns = [{"role": "user", "content": text}]
    schema = TOOL if name == NAME else ANY
    function = {"name": "look", "parameters": schema}
    match wire:
        case "chat":
            more: dict[str, Any] = {"tools": [{"type": "function", "function": function}]} if tool else {}
            more |= {"stream_options": {"include_usage": True}} if stream else {}
            return "/v1/chat/completions", {"model": model, "messages": turns, "stream": stream} | more
        case "responses":
            more = {"tools": [{"type": "function", "strict": False, **function}]} if tool else {}
            return "/v1/responses", {"model": model, "input": text, "stream": stream, "store": False} | more
        case "messages":
            more = {"tools": [{"name": "look", "input_schema": schema}]} if tool else {}
            return "/v1/messages", {"model": model, "max_tokens": 99, "messages": turns, "stream": stream} | more
        case "gemini":
            more = {"tools": [{"functionDeclarations": [function]}]} if tool else {}
            verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
            return f"/v1beta/models/{model}:{verb}", {"contents": [{"role": "user", "parts": [{"text": text}]}]} | more
        case "ollama":
            more = {"tools": [{"type": "function", "function": function}]} if tool else {}
            return "/api/chat", {"model": model, "messages": turns, "stream": stream} | more
        case _:
            return "/v1/embeddings", {"model": model, "input": text}


def request(path: str, body: dict[str, Any], *head: str) -> bytes:
    """Write it as HTTP."""
    data = json.dumps(body).encode()
    lines = "".join(f"{line}\r\n" for line in ("host: localhost", "content-type: application/json", *head))
    return f"POST {path} HTTP/1.1\r\n{lines}content-length: {len(data)}\r\n\r\n".encode() + data


async def answer(reader: asyncio.StreamReader) -> bytes:
    """Read one answer; what came of it where the connection ended before."""
    data = b""
    try:
        data = await reader.readuntil(b"\r\n\r\n")
        if b"\r\ntransfer-encoding: chunked" not in data.lower():
            length = int(data.lower().partition(b"content-length: ")[2].split(b"\r\n", 1)[0])
            return data + await reader.readexactly(length)
        while True:
            line = await reader.readuntil(b"\r\n")
            data += line
            data += await reader.readexactly(int(line, 16) + 2)
            if int(line, 16) == 0:
                return data
    except (asyncio.IncompleteReadError, ConnectionError, ValueError):
        return data


async def recorded_answers() -> dict[Scene, bytes]:
    """Record what the scripted upstream says in every scene, whoever asks."""
    found: dict[Scene, bytes] = {}
    with ScriptedUpstream.in_thread(models=("m",)) as upstream:
        for scene in scenes():
            path, body = asking(scene.endpoint, "m", NAME, stream=scene.stream, tool=scene.tool)
            reader, writer = await asyncio.open_connection(upstream.host, upstream.port)
            writer.write(request(path, body, "anthropic-version: 2023-06-01"))
            found[scene] = await answer(reader)
            writer.close()
            await writer.wait_closed()
            said = http(found[scene])
            assert said.whole, (scene, found[scene])
            assert told(scene.endpoint, said.body, stream=scene.stream).finished, (scene, found[scene])
    return found


def told_lies(answers: dict[Scene, bytes], step: int, stalls: int, seed: int) -> Iterator[tuple[Scene, Lie]]:
    """Give every `step`-th position of every lie in every scene, and so many stalls; each begins somewhere else."""
    chance = random.Random(seed)
    for scene, data in answers.items():
        yield scene, Lie(kind="whole", at=0, answer=data)
        for kind in STREAMED if scene.stream else WHOLE:
            most = len(http(data).body) if kind in ("ended", "closed") else len(data)
            first = chance.randrange(step)
            every = range(1 if kind == "split" else 0, most)[first::step]
            for at in chance.sample(every, min(stalls, len(every))) if kind == "stall" else every:
                yield scene, Lie(kind=kind, at=at, answer=data)


def document(upstream: str) -> Document:
    """Configure endpoints and models for each wire, patient and hurried; none rests, nothing is tried twice."""
    limits = {
        "": Limits(first_byte_timeout_s=PATIENT_S, idle_timeout_s=PATIENT_S),
        HURRIED: Limits(first_byte_timeout_s=SILENCE_S, idle_timeout_s=SILENCE_S),
    }
    wires = [(wire, haste) for wire in (*ENDPOINTS, "embeddings") for haste in limits]
    return Document(
        endpoint=tuple(
            EndpointRow(
                name=f"{wire}{haste}", kind="scripted", limits=limits[haste], wires=(wire,),
                url=upstream + ("/v1beta" if wire == "gemini" else "/v1"),
            )
            for wire, haste in wires
        ),
        model=tuple(
            ModelRow(
                id=f"{wire}{haste}", endpoint=f"{wire}{haste}", served_name="m",
                capabilities=("embeddings",) if wire == "embeddings" else ("stream", "tools"),
            )
            for wire, haste in wires
        ),
        breaker=BreakerSettings(failures=1_000_000_000),
        fallback=FallbackSettings(max_attempts=1, retries_same=0),
    )  # fmt: skip


@contextlib.asynccontextmanager
async def serving(home: Path, upstream: str) -> AsyncIterator[tuple[int, bootstrap.Wired]]:
    """Serve in this loop."""
    async with bootstrap.opened(Settings(document=document(upstream), home=home)) as wired:
        with contextlib.closing(listen(ServerSettings(port=0), keyed=False)) as listener:
            ready = asyncio.Event()
            server = Server(bootstrap.application(wired), ServerSettings(), ready.set)
            running = asyncio.create_task(server.serve(sockets=[listener]))
            await ready.wait()
            try:
                yield listener.getsockname()[1], wired
            finally:
                server.stop()
                await running


def sifted(text: str, pieces: list[str]) -> bool:
    """Say whether a text consists of pieces in their order, of which some may be missing, and the end of the last.

    A bit that turns an event into one of an unknown kind takes it out; every reader of such a wire skips those.
    """
    ends = {0}
    for piece in pieces:
        if any(piece.startswith(text[end:]) for end in ends):
            return True
        ends |= {end + len(piece) for end in ends if text.startswith(piece, end)}
    return len(text) in ends


class Judge:
    """Counts what must never be, and keeps the first few of each as witnesses."""

    def __init__(self) -> None:
        self.wrong: collections.Counter[str] = collections.Counter(dict.fromkeys(NEVER, 0))
        self.witnesses: list[str] = []
        self.finished: dict[int, bool] = {}
        self.outcomes: collections.Counter[str] = collections.Counter()

    def never(self, name: str, task: Task, *why: object) -> None:
        """Count a violation."""
        self.wrong[name] += 1
        if self.wrong[name] <= 5:
            s = task.scene
            scene = f"{s.caller}<-{s.endpoint}{' stream' * s.stream}{' tool' * s.tool}"
            self.witnesses.append(f"{name}: {scene} {task.lie.kind}@{task.lie.at}: {why!r}")

    def sent(self, task: Task) -> tuple[Http, Told]:
        """Return what the upstream said at most."""
        said = http(task.lie.played(task.number))
        if said.status // 100 != 2:
            return said, Told()
        return said, told(task.scene.endpoint, said.body, stream=task.scene.stream)

    def meant(self, task: Task, text: str, most: Told) -> bool:
        """Say whether a text is what the flip left over, or what was meant: much of an answer is said twice."""
        scene, number = task.scene, task.number
        whole = msgspec.structs.replace(task.lie, kind="whole").played(number)
        undamaged = told(scene.endpoint, http(whole).body, stream=scene.stream)
        text = text.replace("{}", "")  # a call whose arguments could not be found
        again = text.removeprefix(undamaged.text)  # what is repeated at the end may have got another number
        return sifted(text, most.pieces) or undamaged.text.startswith((text, again))

    def caller(self, task: Task, seen: Seen) -> None:
        """Judge what the caller got."""
        scene, (said, most), got = task.scene, self.sent(task), seen.told
        finished = seen.status == 200 and got.ended and not got.failed
        self.finished[task.number] = finished
        if seen.status == 0:
            return self.never("unanswered", task)
        if seen.cut:
            self.never("cut_answers", task, seen)
        if seen.status == 500:
            self.never("own_errors", task, seen)
        if seen.status == 200 and got.ended == got.failed:
            self.never("unclear_ends", task, seen)
        whole = scene.stream or task.lie.kind == "closed" or said.whole
        if finished and not ((most.finished or most.ended) and whole):
            self.never("false_finishes", task, seen, most)
        if not (most.text.startswith(got.text) or (task.lie.kind == "flip" and self.meant(task, got.text, most))):
            self.never("foreign_texts", task, got.text, most.text)
        if finished and got.text != most.text and task.lie.kind != "flip":
            self.never("shortened", task, got.text, most.text)
        if task.lie.kind in ("whole", "split") and not (finished and got.tokens == most.tokens):
            self.never("changed_by_a_split", task, seen, most)
        return None

    def ledger(self, task: Task, found: list[Decision]) -> None:
        """Judge what was recorded."""
        if len(found) != 1:
            return self.never("not_recorded_once", task, len(found))
        record = found[0]
        self.outcomes[record.outcome] += 1
        if record.outcome == "pending":
            self.never("left_open", task)
        elif (record.outcome == "answered") != self.finished[task.number]:
            self.never("recorded_otherwise", task, record.outcome, record.error)
        usage = record.attempts[-1].usage if record.attempts else None
        counted = self.sent(task)[1].tokens
        if usage is None or usage.estimated:
            right = (usage is not None or record.outcome != "answered") and task.lie.kind not in ("whole", "split")
        elif task.lie.kind == "flip":  # whatever the bit made of the counts: some were told
            right = counted != NO_TOKENS
        else:
            right = (usage.read, usage.written) == counted
        if not right:
            self.never("counted_otherwise", task, usage, counted)
        return None


async def prove(home: Path, *, step: int, stalls: int, lines: int, seed: int, report: Any = None) -> dict[str, Any]:
    """Tell the lies; return the figures, with what must be 0 in them, and the witnesses."""
    answers = await recorded_answers()
    tasks = [
        Task(number=number, scene=scene, lie=lie)
        for number, (scene, lie) in enumerate(told_lies(answers, step, stalls, seed), 1)
    ]
    player, judge = Player({task.number: task.lie for task in tasks}), Judge()
    waiting = iter(tasks)
    with logged() as errors:
        async with player as upstream, serving(home, upstream) as (port, wired):
            done = asyncio.gather(*(_line(port, waiting, judge, report) for _ in range(lines)))
            await done
            records: dict[str, list[Decision]] = collections.defaultdict(list)
            async for decision in wired.ledger.iterate():
                records[decision.session or ""].append(decision)
        for task in tasks:
            judge.ledger(task, records[f"lie-{task.number:06d}"])
    judge.wrong["own_errors"] += len(errors)
    judge.wrong["reused"] += player.reused
    judge.witnesses += errors[:5]
    kinds = collections.Counter(task.lie.kind for task in tasks)
    return {
        "lies": len(tasks), "step": step, "pairs": len({(task.scene.caller, task.scene.endpoint) for task in tasks}),
        "bytes_in_answers": sum(map(len, answers.values())),
        "finished": sum(judge.finished.values()), "outcomes": dict(judge.outcomes), **{f"by_{k}": n for k, n in kinds.items()},
        **judge.wrong, "witnesses": judge.witnesses,
    }  # fmt: skip


@contextlib.contextmanager
def logged() -> Iterator[list[str]]:
    """Gather what the gateway logs as an error of its own."""
    found: list[str] = []

    class Gathering(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(self.format(record))

    handler, logger = Gathering(logging.ERROR), logging.getLogger("tierwise")
    logger.addHandler(handler)
    try:
        yield found
    finally:
        logger.removeHandler(handler)


async def _line(port: int, tasks: Iterator[Task], judge: Judge, report: Any) -> None:
    """Ask one after the other, on one connection as long as it is kept."""
    writer: asyncio.StreamWriter | None = None
    for task in tasks:
        if writer is None or writer.is_closing():
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        name = f"lie-{task.number:06d}"
        scene = task.scene
        model = scene.endpoint + (HURRIED if task.lie.kind == "stall" else "")
        path, body = asking(scene.caller, model, name, stream=scene.stream, tool=scene.tool)
        writer.write(request(path, body, f"x-tierwise-session: {name}"))
        try:
            async with asyncio.timeout(PATIENCE_S):
                got = http(await answer(reader))
        except TimeoutError:
            got = Http(status=0, body=b"", whole=False)
        if not got.whole:
            writer.close()
            writer = None
        read = told(scene.caller, got.body, stream=scene.stream and got.status == 200)
        judge.caller(task, Seen(status=got.status, told=read, cut=not got.whole))
        if report is not None:
            report(task.number)
    if writer is not None:
        writer.close()
