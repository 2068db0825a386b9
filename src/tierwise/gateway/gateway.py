"""One call, end to end: label, candidates, judge, choose, intent, attempts with gates, outcome.

Holds the only loop. Knows no HTTP server and no tables: a ledger and a way to reach endpoints are handed in.
Invariant: the intent is durable before the first upstream byte, the outcome before the last byte to the caller;
policy is asked again on every hop; before the first content anything may be tried elsewhere, after it nothing.
"""

import asyncio
import contextlib
import os
import random
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from decimal import Decimal
from time import monotonic, perf_counter
from typing import Any, Protocol

import msgspec

from tierwise.core.answer import Answer, Delta
from tierwise.core.call import Call
from tierwise.core.decision import STOPPED, Decision, Outcome
from tierwise.core.errors import (
    AllAttemptsFailed,
    BudgetExceeded,
    ConfigError,
    GateFailed,
    LeakStopped,
    LimitExceeded,
    Overloaded,
    PolicyDenied,
    ProviderError,
    StoreBusy,
    StoreError,
    StreamBroken,
    TierwiseError,
    Verdict,
)
from tierwise.core.label import Label
from tierwise.core.model import Endpoint
from tierwise.economics.limits import ASSUMED_OUTPUT_TOKENS, Wait
from tierwise.economics.price import cost_usd
from tierwise.fallback.plan import Lap, Step, next_step
from tierwise.gateway.again import judge_again, labelled
from tierwise.gateway.asking import Asking, Repair
from tierwise.gateway.attempt import Attempt, Reach, told
from tierwise.gateway.candidates import input_tokens
from tierwise.gateway.decide import ZERO, Ask, Hop, Ruling, decide, resolve
from tierwise.gateway.facts import Facts
from tierwise.gateway.forgiven import Forgiven, forgiven_for
from tierwise.gateway.health import admitted, report
from tierwise.gateway.masking import Masked, masked
from tierwise.gateway.rules import Rules
from tierwise.gateway.run import Run
from tierwise.gateway.sessions import session_of
from tierwise.ledger.contents import Contents
from tierwise.ledger.holds import Account
from tierwise.ledger.intent import Intent
from tierwise.providers.address import Address
from tierwise.providers.transport import Transport
from tierwise.quality.gate import needs_logprobs
from tierwise.wires.known import APART, FORGETFUL


class Records(Protocol):
    """What the gateway asks of a ledger. Both return once the row is durable, or raise StoreError."""

    @property
    def alone(self) -> bool:
        """Say whether nobody else writes there: then what this process has seen of a session is all there is."""

    async def intent(self, intent: Intent, accounts: Sequence[Account] = ()) -> Account | None:
        """Write what is about to be done and set its reservation aside; return the account that has too little."""

    async def hold(self, ident: str, amount_usd: Decimal, accounts: Sequence[Account]) -> Account | None:
        """Set so much aside for the call, in all accounts or in none; return the account that has too little."""

    async def outcome(self, decision: Decision, content: Contents | None = None) -> object:
        """Write the whole record, and what is kept of the call with it; settle what the call had set aside."""

    async def session_label(self, key_id: str | None, session: str, since_ts: float = 0.0) -> Label | None:
        """Return the highest label that the key's session has carried since then."""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller gets: a whole `answer`, or `deltas` that begin with content.

    `deltas` raise StreamBroken after content; once they end normally the outcome is durable. Close them (`aclose`)
    when the caller leaves. `gate_failed`: the workflow lets an answer pass,
    flagged, that its gates did not like. `body` is the answer in the caller's words, where it was written already.
    """

    decision: Decision
    answer: Answer | None = None
    deltas: AsyncGenerator[Delta, None] | None = None
    strip_logprobs: bool = False
    gate_failed: bool = False
    body: bytes | None = None


class Gateway:
    """Serves calls by the rules in force. One event loop owns it."""

    def __init__(
        self,
        rules: Rules,
        facts: Facts,
        *,
        ledger: Records,
        transport: Transport,
        reach: Reach,
        new_id: Callable[[], str],
        observe: Callable[[Decision, float], None] = lambda _decision, _duration_s: None,
    ) -> None:
        self.rules, self.facts = rules, facts
        self._ledger, self._transport, self._reach = ledger, transport, reach
        self._new_id, self._observe = new_id, observe
        self._settling: set[asyncio.Task[None]] = set()
        self._draining: set[asyncio.Task[None]] = set()
        self._closing, self._clock = False, facts.clock
        self.answered: Callable[[Call, Decision], None] | None = None  # set by who wants copies of calls
        self._random = random.Random(os.urandom(16))

    def route(self, call: Call) -> Decision:
        """Decide without asking anybody and without a record."""
        forgiven = forgiven_for(call, self.facts.declassified(self._clock()))
        ruling = self._rule(self._asking(call, forgiven), forgiven)
        error = None if ruling.refusal is None else told(ruling.refusal)
        return msgspec.structs.replace(ruling.decision, outcome="dry_run", error=error)

    async def handle(self, call: Call) -> Reply:
        """Serve the call.

        Raises the CallRejected kinds, AllAttemptsFailed, GateFailed, a ProviderError that stops, or StoreError; each
        carries the record as `decision`. Cancelling settles the record as cancelled.
        """
        started = perf_counter()
        forgiven = forgiven_for(call, self.facts.declassified(self._clock()))
        if call.hints.session is not None:
            await self._recall(call.key_id, call.hints.session, forgiven)
        asking = self._asking(call, forgiven)
        run = Run(self.rules, self._rule(asking, forgiven), asking, started, forgiven)
        if call.hints.session is not None:
            for name in forgiven.names(call.hints.session):
                self.facts.stick(call.key_id, name, run.ruling.decision.label.value)
        try:
            self._admit(run)
            if run.ruling.refusal is not None:
                raise run.ruling.refusal
            intent = run.intent()
            if await self._ledger.intent(intent, run.ruling.accounts) is None:
                run.held_usd = intent.reserved_usd or ZERO
            reply = await self._laps(run)
        except asyncio.CancelledError:
            if not run.settling:
                self._later(self._left(run))
            raise
        except TierwiseError as error:
            error.decision = await self._failed(run, error)
            raise
        except Exception as error:  # a defect of ours; the record is closed all the same
            self._later(self._settle(run, "failed", type(error).__name__))
            raise
        return reply

    async def _laps(self, run: Run) -> Reply:
        """Try the hops until an answer passes its gates."""
        rules, hops = self.rules.fallback, run.ruling.hops
        deadline = asyncio.get_running_loop().time() + rules.total_timeout_s
        laps: list[Lap] = []
        step = Step(action="try")
        while step.action == "try":
            retries = self.facts.retries(hops[step.place].model.id)
            retries.asked(again=step.wait_s > 0)
            if step.wait_s:
                await asyncio.sleep(step.wait_s)
            attempt, error = await self._attempt(run, hops[step.place], deadline)
            if error is not None and len(laps) + 1 < rules.max_attempts and run.another_way(attempt):
                laps.append(Lap(place=step.place, error=error))
                attempt, error = await self._attempt(run, hops[step.place], deadline, repair=attempt.mendable)
            if error is None:
                return await self._commit(run, attempt)
            laps.append(Lap(place=step.place, error=error, asked=attempt.admitted))
            left_s = deadline - asyncio.get_running_loop().time()
            step = next_step(rules, laps, len(hops), draw=self._random.random(), left_s=left_s, spare=retries.left)
        return await self._exhausted(run, laps)

    async def _attempt(
        self, run: Run, hop: Hop, deadline: float, repair: Repair | None = None
    ) -> tuple[Attempt, TierwiseError | None]:
        """Make one lap: policy again, breaker, budget, endpoint, gates. Every way out reports back."""
        mark = f"{run.ruling.decision.id[-12:]}{len(run.attempts)}_"
        attempt = Attempt(hop, run.asking, mark=mark, unseal=run.unseal, repair=repair, beside=run.handed_on(hop))
        run.attempts.append(attempt)
        live = False  # true while there is more to come, and somebody else lets go of the attempt
        try:
            reach = self._reaching(run, hop)
            if not admitted(self.facts, attempt):
                raise Overloaded("the endpoint failed repeatedly and rests", verdict=Verdict.NEXT)
            await self._reserve(run, attempt)
            result = await attempt.run(self._transport, reach, run.gates, deadline)
            if result.record.verdict == "fail":
                if run.on_gate_failure != "fail":
                    await attempt.read_to_end()
                raise GateFailed(
                    f"the answer of {hop.model.id} failed the gate {result.record.name}: {result.record.detail}",
                    gate=result.record.name,
                    detail=result.record.detail,
                )
            attempt.verdict = Verdict.OK
            live = run.call.stream
        except (ProviderError, GateFailed, ConfigError, PolicyDenied, BudgetExceeded) as error:
            attempt.error = error
            attempt.verdict = error.verdict if isinstance(error, ProviderError) else Verdict.NEXT
            if isinstance(error, GateFailed | LeakStopped):
                attempt.verdict = "escalate" if isinstance(error, GateFailed) else STOPPED
        except asyncio.CancelledError:
            live = attempt.outlasts
            raise
        finally:
            if not live:
                self._release(run, attempt)
        return attempt, attempt.error

    def _release(self, run: Run, attempt: Attempt) -> None:
        """Let go of an attempt, once: its connection, its place at the breaker."""
        if attempt.released:
            return
        attempt.released = True
        attempt.over()
        report(self.facts, attempt, run.ruling.decision.workflow)
        if attempt.unread and not self._closing:
            run.reading.append(self._read_on(attempt))
        else:
            attempt.close()

    def _read_on(self, attempt: Attempt) -> asyncio.Task[None]:
        reading = asyncio.create_task(attempt.read_on())
        self._draining.add(reading)
        reading.add_done_callback(self._draining.discard)
        return reading

    async def _commit(self, run: Run, attempt: Attempt) -> Reply:
        """Hand the answer over; from here on nothing is tried elsewhere."""
        strip = needs_logprobs(run.gates, attempt.hop.model.id) and not run.call.features.logprobs
        if attempt.answer is not None:
            self._learn(run, attempt)
            ident, body = run.ruling.decision.id, None
            if run.kept is not None:
                body = run.kept.whole(attempt.answer, ident, strip_logprobs=strip)
            done = await self._settle(run, run.good_outcome)
            return Reply(decision=done, answer=attempt.answer, strip_logprobs=strip, gate_failed=run.flagged, body=body)
        decision = run.decision("pending")
        deltas = self._deltas(run, attempt)
        # A generator that was never begun would not clean up when it is closed: begin it.
        await anext(deltas)
        return Reply(decision=decision, deltas=deltas, strip_logprobs=strip, gate_failed=run.flagged)

    async def _deltas(self, run: Run, attempt: Attempt) -> AsyncGenerator[Delta, None]:
        """Pass a committed stream on, after an empty beginning; settle it however it ends."""
        outcome: Outcome = "cancelled"
        broken: ProviderError | None = None
        try:
            yield Delta()
            async for delta in attempt.rest():
                if run.kept is not None:
                    run.kept.heard(delta)
                yield delta
            outcome = run.good_outcome
            self._learn(run, attempt)
        except ProviderError as error:
            outcome, broken, attempt.error = "broken", error, error
            attempt.verdict = Verdict.STOP
        except Exception as error:  # a defect of ours; the record is closed all the same
            outcome = "failed"
            self._later(self._settle(run, outcome, type(error).__name__))
            raise
        finally:
            if outcome == "cancelled":
                attempt.verdict = "cancelled"
            if outcome != "cancelled" or not attempt.outlasts:
                self._release(run, attempt)
            if outcome == "cancelled":
                self._later(self._left(run))
        await self._settle(run, outcome)
        if broken is not None:
            raise StreamBroken(f"the stream broke: {broken}", code=broken.code or "upstream_incomplete") from broken

    def _learn(self, run: Run, attempt: Attempt) -> None:
        """Keep who answered: the session's next turn, and the results of its tool calls, go back to it."""
        call, model = run.call, attempt.hop.model.id
        if call.copy is not None:
            return
        self.facts.made(call.key_id, attempt.tool_ids, model)
        if call.wire in APART:
            return
        if call.wire in FORGETFUL and "no_store" not in run.obligations:
            self.facts.thoughts.keep(call.key_id, attempt.tool_ids, attempt.thoughts)
        estimate, usage = input_tokens(call.features, attempt.hop.endpoint), attempt.usage
        self.facts.sessions.served(
            call, model, tokens=usage.read if usage else estimate, bound=bool(attempt.thoughts), now=monotonic()
        )
        if usage is not None and attempt.suspicion is None:
            self.facts.read(model, estimate, usage.read)

    async def _exhausted(self, run: Run, laps: list[Lap]) -> Reply:
        """Do what the workflow says where no answer was good enough, else fail as the attempts failed."""
        withheld = next((a for a in reversed(run.attempts) if isinstance(a.error, GateFailed)), None)
        if withheld is None:
            errors = [lap.error for lap in laps]
            if len(errors) == 1:
                raise errors[0]
            raise AllAttemptsFailed("every attempt failed: " + "; ".join(map(told, errors)), errors=errors)
        if run.on_gate_failure == "flag":
            run.flagged = True
            return await self._commit(run, withheld)
        failed = withheld.error
        if not isinstance(failed, GateFailed):
            raise TypeError("a withheld answer without a failed gate")
        queued = run.on_gate_failure == "review"
        told_how = "it waits for a person's review" if queued else "no other model may serve this call"
        raise GateFailed(
            f"{failed}; {told_how}", gate=failed.gate, detail=failed.detail, answer=withheld.whole(), queued=queued
        )

    # the decision

    def _rule(self, asking: Asking, forgiven: Forgiven) -> Ruling:
        rules, call = self.rules, asking.call
        ask = Ask(
            id=self._new_id(),
            ts=self._clock(),
            now=monotonic(),
            model=call.model,
            wire=call.wire,
            features=call.features,
            hints=call.hints,
            key_id=call.key_id,
            grant=call.grant,
            maker=self.facts.maker(call.key_id, call.answers) if call.answers else None,
            held=self.facts.sessions.held(call, monotonic()),
            copy=call.copy,
            losses=asking.losses,
            unmaskable=asking.unmaskable,
        )
        pool = resolve(rules, ask)
        name = forgiven.name(call.hints.session) if call.hints.session else None
        session = self.facts.session_label(call.key_id, name) if name else None
        return decide(rules, self.facts, ask, pool, labelled(rules, call, pool.workflow, session, forgiven))

    def _asking(self, call: Call, forgiven: Forgiven) -> Asking:
        def hide(call: Call) -> Masked:
            pseudonyms = self.facts.vault.of(call.key_id, session_of(call), monotonic())
            return masked(call, pseudonyms, self.rules.detectors, forgiven)

        return Asking(call, self.facts.thoughts, hide)

    async def _recall(self, key_id: str | None, session: str, forgiven: Forgiven) -> None:
        """Fetch the label of a session that an earlier process has seen, or another one sees now."""
        for name, since_ts in forgiven.names(session).items():
            if not self._ledger.alone or self.facts.session_label(key_id, name) is None:
                before = await self._ledger.session_label(key_id, session, since_ts)
                if before is not None:
                    self.facts.stick(key_id, name, before)

    def _reaching(self, run: Run, hop: Hop) -> Reach:
        """Judge the hop, now and once more where another release is in force by the time that it could be asked."""
        judged_by = self.rules
        judge_again(run, hop, judged_by)

        async def reach(endpoint: Endpoint) -> Address:
            address = await self._reach(endpoint)
            if self.rules is not judged_by:
                judge_again(run, hop, self.rules)
            return address

        return reach

    # limits, money, health, record

    def _admit(self, run: Run) -> None:
        """Count the call against its rate limits, refused ones too: asking what is forbidden is asking."""
        if run.call.copy is not None:
            return
        features = run.call.features
        tokens = features.input_tokens_est + features.schema_tokens_est
        if run.call.wire not in APART:
            tokens += (features.max_output_tokens or ASSUMED_OUTPUT_TOKENS) * features.n
        found = self.facts.limits.admit(run.call.grant, tokens, monotonic())
        if not isinstance(found, Wait):
            run.admission = found
            return
        mend = f"try again in {found.retry_after_s} s"
        if found.retry_after_s is None:
            mend = f"this call alone could use {tokens}: shorten it, or give it a smaller limit of output tokens"
        text = f"the limit of {found.most} {found.what} (set for {found.scope.replace(':', ' ')}) is reached; {mend}"
        raise LimitExceeded(text, scope=found.scope, retry_after_s=found.retry_after_s)

    def _leave(self, run: Run) -> None:
        """Settle the call with its rate limits: what it used is known now, or was nothing."""
        if run.admission is not None:
            used = sum(u.read + u.written for attempt in run.attempts if (u := attempt.settled_usage()) is not None)
            self.facts.limits.settle(run.admission, used, monotonic())

    async def _reserve(self, run: Run, attempt: Attempt) -> None:
        """Set aside what the call has cost and what this lap may cost; the outcome settles it."""
        accounts, hop = run.ruling.accounts, attempt.hop
        need = run.spent_usd + attempt.reserve_usd
        if not accounts or need <= run.held_usd:
            return
        short = await self._ledger.hold(run.ruling.decision.id, need, accounts)
        if short is not None:
            raise BudgetExceeded(
                f"{hop.model.id} could cost ${attempt.reserve_usd}, the budget {short.budget.scope} has less left",
                limit=str(short.budget.limit_usd),
                spent=str(short.spent),
                estimate=str(attempt.reserve_usd),
            )
        run.held_usd = need

    async def _failed(self, run: Run, error: TierwiseError) -> Decision:
        refused = not run.attempts
        if refused and isinstance(error, StoreBusy):  # not even the intent was written: who waited need not wait again
            self._leave(run)
            return run.decision("refused", error=told(error))
        queued = isinstance(error, GateFailed) and error.queued
        outcome: Outcome = "review" if queued else "refused" if refused else "failed"
        return await self._settle(run, outcome, told(error))

    async def _settle(self, run: Run, outcome: Outcome, error: str | None = None) -> Decision:
        run.settling = True
        if any(not reading.done() for reading in run.reading):  # the caller need not wait for a bill
            self._later(self._settle_read(run, outcome, error))
            return run.decision(outcome, error=error)
        self._leave(run)
        decision, content = run.closed(outcome, self.rules, error=error, baseline=self._baseline(run))
        try:
            await self._ledger.outcome(decision, content)
        except asyncio.CancelledError:  # what was handed over is written all the same, so it counts
            self._observe(decision, perf_counter() - run.started)
            raise
        self._observe(decision, perf_counter() - run.started)
        if self.answered is not None and self.rules.rollouts:
            self.answered(run.call, decision)
        return decision

    async def _settle_read(self, run: Run, outcome: Outcome, error: str | None) -> Decision:
        await asyncio.wait(run.reading)
        return await self._settle(run, outcome, error)

    async def _left(self, run: Run) -> Decision:
        """Settle a call whose caller has left: an endpoint that bills on is read on, under a cap, any other is left."""
        attempt = run.attempts[-1] if run.attempts else None
        if attempt is not None and not attempt.released:
            if attempt.outlasts and not self._closing:
                await asyncio.wait((self._read_on(attempt),))
            self._release(run, attempt)
        return await self._settle(run, "cancelled")

    def _baseline(self, run: Run) -> Decimal | None:
        """Price the last answer's tokens at the workflow's baseline."""
        name = run.ruling.workflow.baseline if run.ruling.workflow else None
        model = self.rules.catalog.models.get(name) if name else None
        usage = run.attempts[-1].settled_usage() if run.attempts else None
        return cost_usd(model.price, usage) if model and model.price and usage else None

    def _later(self, settling: Coroutine[Any, Any, Decision]) -> None:
        """Finish a record outside a cancelled task."""

        async def settle() -> None:
            # There is nobody left to be told; an intent that stays open is closed as interrupted at the next start.
            with contextlib.suppress(StoreError):
                await settling

        task = asyncio.create_task(settle())
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)

    async def aclose(self) -> None:
        """Wait until every record under way is durable; nobody's answer is read on for that."""
        self._closing = True
        for reading in self._draining:
            reading.cancel()
        while self._settling:
            await asyncio.gather(*self._settling, return_exceptions=True)
