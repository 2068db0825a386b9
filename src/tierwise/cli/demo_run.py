"""What do two real models and a gateway make of labelled messages? Runs the main job; prints nothing.

Every answer comes through the gateway and stands in its ledger. The larger model is a server of its own on loopback.
Invariant: the cascade's figures count the very answers that it gave; nothing is asked twice to get a better one.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import msgspec

from tierwise import bootstrap
from tierwise.config import Document, Settings
from tierwise.core.answer import Answer
from tierwise.core.call import Hints
from tierwise.core.decision import Decision
from tierwise.core.errors import ConfigError, GateFailed, TierwiseError
from tierwise.core.label import Tier
from tierwise.core.model import EngineOptions
from tierwise.evals.cascade import KeptBy, Outcome
from tierwise.evals.dataset import Dataset, Row
from tierwise.evals.threshold import CascadeRow, fit_thresholds
from tierwise.gateway.gateway import Gateway
from tierwise.gateway.workflow import Workflow
from tierwise.hardware.admit import admit
from tierwise.ledger.settings import LedgerSettings
from tierwise.providers.engine import Engine
from tierwise.providers.transport import Transport
from tierwise.quality.confidence import confidence
from tierwise.quality.settings import Gates
from tierwise.registry.demonstration import TASK, demonstration, intent_schema
from tierwise.registry.kinds import engine_server, priced
from tierwise.registry.settings import EndpointRow, ModelRow
from tierwise.wires import chat

SMALL, LARGER = "small", "larger"
ALONE = f"{TASK}-alone"
SERVER_KEY = "TIERWISE_DEMO_SERVER_KEY"
REFIT_ROWS = 500
AT_ONCE = 2
CARD_MESSAGE = "The ATM swallowed my card 4556 7375 8689 9855, how do I get it back?"
KEY_MESSAGE = "I forgot my passcode, can I reset it? My key: AKIAZ7Q2M4X5K3PLW6TB"

Progress = Callable[[str, int, int], None]


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """One model's answer to one message; `logprob` is its confidence as a log-probability."""

    intent: str | None
    logprob: float | None


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One reported message: what each model said, who kept it, and the decision that stands in the ledger."""

    row: Row
    small: Said
    larger: Said
    kept_by: Literal["small", "larger", "left", "frontier"]
    decision: Decision

    @property
    def outcome(self) -> Outcome:
        """Return the message as the arithmetic counts it."""
        kept: KeptBy = "left" if self.kept_by == "frontier" else self.kept_by
        return Outcome(
            small_right=self.small.intent == self.row.label,
            larger_right=self.larger.intent == self.row.label,
            kept_by=kept,
        )


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """One message that shows a policy at work: the decision, and who answered."""

    title: str
    text: str
    decision: Decision


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was measured. `fitted_on` is 0 where the recipe's thresholds were taken."""

    dataset: Dataset
    messages: tuple[Message, ...]
    thresholds: dict[str, float | None]
    target: float
    fitted_on: int
    latency_ms: dict[str, list[float]]
    stories: tuple[Story, ...]
    config: Path
    frontier: str
    frontier_on: bool
    frontier_cost_usd: Decimal | None


async def run(settings: Settings, dataset: Dataset, *, frontier: str, frontier_on: bool, progress: Progress) -> Ran:
    """Set up, fit where there is enough data, run the messages through the cascade and each model, tell the stories."""
    shipped = demonstration()
    folder = settings.home / "demo"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{folder} cannot be made ({error.strerror}); set TIERWISE_HOME to another folder") from error
    transport = Transport()
    options = EngineOptions(file=str(shipped.path(LARGER)), context_tokens=512, slots=AT_ONCE, threads=1)
    server = Engine(options, name="own-server", transport=transport, admit=admit)
    try:
        address = await server.start()
        if address.key is None:
            raise ConfigError("the engine gave no key")
        document = _document(folder, address.url, frontier, frontier_on=frontier_on)
        wiring = msgspec.structs.replace(
            settings, document=document, environ={**settings.environ, SERVER_KEY: address.key.reveal()}
        )
        async with bootstrap.opened(wiring) as wired:
            desk = _Desk(wired.gateway, progress)
            report, fit = _split(dataset.rows)
            thresholds = {name: model.threshold_logprob for name, model in shipped.models.items()}
            if fit:
                thresholds = await _refit(desk, fit, shipped.target)
                wired.gateway.rules = bootstrap.rules_from(
                    msgspec.structs.replace(wiring, document=_with_thresholds(document, thresholds))
                )
            messages = await _reported(desk, report, frontier)
            stories = await _stories(desk)
    finally:
        await server.stop()
        await transport.aclose()
    config = _write_config(folder, thresholds)
    return Ran(
        dataset=dataset,
        messages=messages,
        thresholds=thresholds,
        target=shipped.target,
        fitted_on=len(fit),
        latency_ms=desk.latency_ms,
        stories=stories,
        config=config,
        frontier=frontier,
        frontier_on=frontier_on,
        frontier_cost_usd=desk.spent_usd,
    )


def _split(rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """Order by the fixed hash; with enough rows the first half is reported and only the second is fitted on."""
    ordered = sorted(rows, key=lambda row: (row.key, row.label))
    if len(ordered) < REFIT_ROWS:
        return ordered, []
    half = len(ordered) // 2
    reported = {row.key for row in ordered[:half]}
    return ordered[:half], [row for row in ordered[half:] if row.key not in reported]


def _document(folder: Path, url: str, frontier: str, *, frontier_on: bool) -> Document:
    """Return the demo's configuration: three tiers, of which the outside one is off unless asked for."""
    shipped = demonstration()
    thresholds = {name: model.threshold_logprob for name, model in shipped.models.items()}
    small = EndpointRow(
        name="this-machine",
        kind="embedded",
        file=str(shipped.path(SMALL)),
        context_tokens=512,
        slots=AT_ONCE,
        threads=1,
    )
    larger = EndpointRow(
        name="own-server", kind=engine_server().kind, tier=Tier.SELF_HOSTED, url=url, key=f"env:{SERVER_KEY}"
    )
    known = priced(frontier)
    if known is None:
        raise ConfigError(f"no price is known for {frontier!r}", key="--frontier-model")
    outside = EndpointRow(name="outside", kind=known.kinds[0], enabled=frontier_on)
    document = Document(
        endpoint=(small, larger, outside),
        model=(
            ModelRow(id=SMALL, endpoint=small.name, context_tokens=512, tasks=(TASK,)),
            ModelRow(id=LARGER, endpoint=larger.name, context_tokens=512, tasks=(TASK,)),
            ModelRow(id=frontier, endpoint=outside.name),
        ),
        workflow=(
            Workflow(name=TASK, candidates=(SMALL, LARGER, frontier), strategy="cascade", on_gate_failure="review"),
            Workflow(name=ALONE, task=TASK),
        ),
        ledger=LedgerSettings(path=str(folder / "ledger.sqlite")),
    )
    return _with_thresholds(document, thresholds)


def _with_thresholds(document: Document, thresholds: dict[str, float | None]) -> Document:
    cascade, alone = document.workflow
    # A model without a threshold that meets the aim keeps nothing: no log-probability is above 0.
    least = {name: 1.0 if value is None else value for name, value in thresholds.items()}
    return msgspec.structs.replace(
        document, workflow=(msgspec.structs.replace(cascade, gates=Gates(min_logprob=least)), alone)
    )


async def _refit(desk: "_Desk", rows: Sequence[Row], target: float) -> dict[str, float | None]:
    small = await desk.ask_all("fit: small model", rows, SMALL)
    larger = await desk.ask_all("fit: larger model", rows, LARGER)
    fitted = fit_thresholds(
        [
            CascadeRow(
                small_right=a.intent == row.label,
                small_logprob=_known(a),
                larger_right=b.intent == row.label,
                larger_logprob=_known(b),
            )
            for row, a, b in zip(rows, small, larger, strict=True)
        ],
        target,
    )
    return {SMALL: fitted.small.logprob, LARGER: fitted.larger.logprob}


def _known(said: Said) -> float:
    return float("-inf") if said.logprob is None else said.logprob


async def _reported(desk: "_Desk", rows: Sequence[Row], frontier: str) -> tuple[Message, ...]:
    """Send every message through the cascade, then ask the model that did not answer it, for the comparison."""
    routed = await desk.route_all("cascade", rows)
    kept_small = [i for i, (decision, _) in enumerate(routed) if decision.attempts[-1].model == SMALL]
    passed_on = sorted(set(range(len(rows))) - set(kept_small))
    other = dict(
        zip(passed_on, await desk.ask_all("small model alone", [rows[i] for i in passed_on], SMALL), strict=True)
    )
    beyond = [i for i in passed_on if routed[i][0].attempts[-1].model == frontier and routed[i][1].intent is not None]
    ask_larger = sorted([*kept_small, *beyond])
    larger = dict(
        zip(ask_larger, await desk.ask_all("larger model alone", [rows[i] for i in ask_larger], LARGER), strict=True)
    )
    found = []
    for i, row in enumerate(rows):
        decision, said = routed[i]
        last = decision.attempts[-1].model
        kept_by: Literal["small", "larger", "left", "frontier"] = "left"
        if decision.outcome == "answered":
            kept_by = "small" if last == SMALL else "larger" if last == LARGER else "frontier"
        found.append(
            Message(
                row=row,
                small=said if last == SMALL else other[i],
                larger=larger.get(i, said),
                kept_by=kept_by,
                decision=decision,
            )
        )
    return tuple(found)


async def _stories(desk: "_Desk") -> tuple[Story, ...]:
    """Send two messages that carry what must not leave, for real."""
    found = []
    for title, text in (("a card number", CARD_MESSAGE), ("a secret key", KEY_MESSAGE)):
        decision, _ = await desk.routed(text)
        found.append(Story(title=title, text=text, decision=decision))
    return tuple(found)


class _Desk:
    """Asks the gateway, a few messages at a time."""

    def __init__(self, gateway: Gateway, progress: Progress) -> None:
        self._gateway, self._progress = gateway, progress
        self._schema = intent_schema(demonstration().labels)
        self.latency_ms: dict[str, list[float]] = {}
        self.spent_usd: Decimal | None = None

    async def ask_all(self, what: str, rows: Sequence[Row], model: str) -> list[Said]:
        """Ask one model alone, without a threshold."""

        async def ask(row: Row) -> Said:
            reply = await self._gateway.handle(self._call(row.text, model, ALONE))
            return _said(reply.answer)

        return await self._each(what, rows, ask)

    async def route_all(self, what: str, rows: Sequence[Row]) -> list[tuple[Decision, Said]]:
        """Send messages through the cascade."""

        async def route(row: Row) -> tuple[Decision, Said]:
            decision, said = await self.routed(row.text)
            for attempt in decision.attempts:
                if attempt.duration_ms is not None:
                    self.latency_ms.setdefault(attempt.model, []).append(attempt.duration_ms)
            if decision.total_cost_usd is not None:
                self.spent_usd = (self.spent_usd or Decimal(0)) + decision.total_cost_usd
            return decision, said

        return await self._each(what, rows, route)

    async def routed(self, text: str) -> tuple[Decision, Said]:
        """Send one message through the cascade; an answer that waits for review counts as said, not as kept."""
        try:
            reply = await self._gateway.handle(self._call(text, f"auto:{TASK}", None))
        except GateFailed as error:
            if error.decision is None or not error.queued:
                raise
            return error.decision, _said(error.answer)
        return reply.decision, _said(reply.answer)

    def _call(self, text: str, model: str, workflow: str | None) -> Any:
        body = {
            "model": model,
            "messages": [{"role": "user", "content": text}],
            "temperature": 0,
            "max_completion_tokens": 32,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "intent", "strict": True, "schema": self._schema},
            },
        }
        if model in (SMALL, LARGER):
            body["logprobs"] = True
        return chat.decode_request(json.dumps(body, ensure_ascii=False).encode(), Hints(workflow=workflow))

    async def _each(self, what: str, rows: Sequence[Row], ask: Callable[[Row], Any]) -> list[Any]:
        results: list[Any] = [None] * len(rows)
        waiting = iter(enumerate(rows))
        done = 0

        async def work() -> None:
            nonlocal done
            for place, row in waiting:
                results[place] = await ask(row)
                done += 1
                self._progress(what, done, len(rows))

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(AT_ONCE):
                    group.create_task(work())
        except* TierwiseError as errors:
            raise errors.exceptions[0] from None
        return results


def _said(answer: Answer | None) -> Said:
    choice = answer.choices[0] if answer is not None and answer.choices else None
    if choice is None:
        return Said(intent=None, logprob=None)
    try:
        intent = json.loads(choice.text).get("intent")
    except (ValueError, AttributeError):
        intent = None
    return Said(intent=intent, logprob=confidence(choice, schema=True) if choice.tokens else None)


def _write_config(folder: Path, thresholds: dict[str, float | None]) -> Path:
    """Write a configuration that goes on working after the demo: in it the larger model is embedded too."""
    shipped = demonstration()
    lines = [
        "# Written by `tierwise demo`. Serve it with: tierwise serve --config THIS_FILE",
        "# In the demo the larger model ran as a server of its own, which has ended; here it is embedded too.",
        "",
        "[ledger]",
        f"path = {json.dumps(str(folder / 'ledger.sqlite'))}",
    ]
    for name in shipped.models:
        lines += [
            "",
            "[[endpoint]]",
            f'name = "embedded-{name}"',
            'kind = "embedded"',
            f"file = {json.dumps(str(shipped.path(name)))}",
            "context_tokens = 512",
            "threads = 1",
            "",
            "[[model]]",
            f'id = "{name}"',
            f'endpoint = "embedded-{name}"',
            "context_tokens = 512",
            f'tasks = ["{TASK}"]',
        ]
    kept = ", ".join(f"{name} = {value!r}" for name, value in thresholds.items() if value is not None)
    lines += [
        "",
        "[[workflow]]",
        f'name = "{TASK}"',
        'candidates = ["small", "larger"]',
        'strategy = "cascade"',
        'on_gate_failure = "flag"',
        f"gates = {{ min_logprob = {{ {kept} }} }}",
        "",
    ]
    path = folder / "tierwise.toml"
    path.write_text("\n".join(lines), "utf-8")
    return path
