"""What came of asking one endpoint? One lap: connect, send, decode, hold back, gate.

Knows neither the order of trial nor the ledger. Joins the wires with the transport, and is the only place that does.
Invariant: nothing is handed on before the gates have passed what they can see; the exchange is always released.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from decimal import Decimal
from http import HTTPStatus
from time import perf_counter, time

import msgspec

from tierwise.core.answer import Answer, Delta, Piece, assemble
from tierwise.core.conversation import Seal
from tierwise.core.decision import AttemptRecord, GateRecord
from tierwise.core.errors import AllAttemptsFailed, BadReply, GateFailed, ProviderError, TierwiseError
from tierwise.core.label import Tier
from tierwise.core.model import Endpoint
from tierwise.core.secret import Secret
from tierwise.core.usage import Usage
from tierwise.economics.price import cost_usd, worst_cost_usd
from tierwise.gateway.asking import Asking, Repair, Spoken
from tierwise.gateway.decide import Hop
from tierwise.gateway.live import Met
from tierwise.gateway.masking import DUTY
from tierwise.gateway.restoring import Restoring
from tierwise.gateway.thoughts import Gathering, Thoughts
from tierwise.providers.address import Address
from tierwise.providers.exchange import Exchange
from tierwise.providers.transport import Transport
from tierwise.quality.gate import GateResult, check_answer, check_head, needs_logprobs, needs_whole
from tierwise.quality.settings import Gates
from tierwise.wires.error import error_from
from tierwise.wires.instruct import bare_json
from tierwise.wires.known import APART, ENDPOINTS
from tierwise.wires.seals import enclose
from tierwise.wires.tokens import IMAGE_TOKENS, tokens_upper
from tierwise.wires.wire import AnswerReader

Reach = Callable[[Endpoint], Awaitable[Address]]
# What a held-back stream may weigh before it is refused: gates that need the whole answer wait for no more than this.
MAX_HELD_BYTES = 8 * 1024 * 1024
ROUGH_CHARS_PER_TOKEN = 4
MAX_NAME_CHARS = 200
UPSTREAM_ID = re.compile(r"[!-~]{1,128}", re.ASCII)
ID_HEADERS = (b"request-id", b"x-request-id")
REPAIR_TOKENS = 64
"""Of the two messages that ask for a mended answer, beside what they repeat; from above."""
# Of the upper estimate, ordinary text is read as two to five tenths; less than this is cut, or not counted.
LEAST_READ, LEAST_SUSPICIOUS_TOKENS = 0.08, 2_000
UNSENT = frozenset((
    "closed", "pool_timeout", "connect_timeout", "tls_untrusted", "tls_failed", "connection_refused", "no_such_host",
    "connect_failed", "address_elsewhere",
))  # fmt: skip
"""How a request fails that never went out."""
UNCHECKED = GateResult(record=GateRecord(name="none", verdict="pass", detail="numbers are not judged"))


class Attempt:
    """One lap and its measurements. `answer`, or `held` with more to come from `rest`, is what it got."""

    __slots__ = (
        "_beside", "_decoder", "_done", "_exchange", "_gathering", "_key", "_mark", "_restoring", "_sent", "_spoken",
        "_work",
        "admitted", "answer", "asked", "asking", "call", "confidence", "dropped", "duration_ms", "error",
        "first_byte_ms", "gate", "held", "hop", "ident", "met", "output_chars", "released", "repair", "served_model",
        "started", "tool_ids", "unseal", "usage", "verdict",
    )  # fmt: skip

    def __init__(
        self,
        hop: Hop,
        asking: Asking,
        *,
        mark: str = "",
        unseal: bool = False,
        repair: Repair | None = None,
        beside: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """Take what to ask whom; `beside` are headers that go with the request."""
        self.hop, self.asking, self.call = hop, asking, asking.call
        self.unseal, self.repair, self._mark, self._beside = unseal, repair, mark, beside
        self.started, self._sent = time(), perf_counter()
        self.answer: Answer | None = None
        self.held: list[Delta] = []
        self.tool_ids: list[str] = []
        self.dropped: dict[str, None] = {}
        self.usage: Usage | None = None
        self.served_model: str | None = None
        self.ident: str | None = None
        self._key: Secret | None = None
        self.first_byte_ms: float | None = None
        self.duration_ms: float | None = None
        self.gate: GateRecord | None = None
        self.confidence: float | None = None
        self.error: TierwiseError | None = None
        self.verdict = "cancelled"
        self.met: Met = "free"
        self.output_chars = 0
        self.admitted = self.asked = self.released = False
        self._exchange: Exchange | None = None
        self._decoder: AnswerReader | None = None
        self._spoken: Spoken | None = None
        self._gathering = Gathering("", "")
        self._restoring: Restoring | None = None
        self._done = False
        self._work: asyncio.Task[GateResult] | None = None

    @property
    def reserve_usd(self) -> Decimal:
        """What this lap may cost at most: a chance to mend an answer sends that answer along."""
        price, repair = self.hop.model.price, self.repair
        if price is None or repair is None:
            return self.hop.reserve_usd
        more = tokens_upper(repair.answer + repair.problem) + REPAIR_TOKENS
        return self.hop.reserve_usd + worst_cost_usd(price, more, 0)

    @property
    def outlasts(self) -> bool:
        """True where the endpoint goes on, and bills, when its caller has left."""
        return self.hop.endpoint.tier is Tier.FRONTIER and self.hop.endpoint.limits.drain_timeout_s > 0

    async def run(self, transport: Transport, reach: Reach, gates: Gates, deadline: float) -> GateResult:
        """Ask the endpoint, up to the point where the gates have spoken. Raises ProviderError or ConfigError.

        Where the endpoint outlasts its caller, a cancelled call leaves the asking under way, for `drain`.
        """
        work = self._run(transport, reach, gates, deadline)
        if not self.outlasts:
            return await work
        self._work = asyncio.create_task(work)
        self._work.add_done_callback(_looked_at)
        return await asyncio.shield(self._work)

    async def _run(self, transport: Transport, reach: Reach, gates: Gates, deadline: float) -> GateResult:
        call, hop = self.call, self.hop
        hides = DUTY in hop.obligations
        spoken = self._spoken = (self.asking.to_masked if hides else self.asking.to)(
            hop.endpoint,
            hop.model,
            logprobs=needs_logprobs(gates, hop.model.id),
            unseal=self.unseal,
            no_store="no_store" in hop.obligations,
            repair=self.repair,
        )
        self._gathering = Gathering(spoken.wire, hop.endpoint.name)
        if hides:
            json = call.features.json or call.features.schema
            self._restoring = Restoring(self.asking.masked.sent, hop.endpoint.name, call.wire, json=json)
        request = spoken.request
        self.dropped.update(dict.fromkeys(request.dropped))
        address = await reach(hop.endpoint)
        self.asked = True
        if request.root:
            address = msgspec.structs.replace(address, url=address.url.removesuffix("/v1"))
        exchange = await transport.post(
            address,
            request.path,
            request.body,
            deadline=deadline,
            stream=call.stream,
            headers=request.headers + self._beside,
        )
        self._exchange = exchange
        exchange.lingers = self.outlasts
        if spoken.instructed:  # nothing but the check stands between the model's words and a promise of JSON
            gates = msgspec.structs.replace(gates, schema=True, json=True)
        key = self._key = address.key or hop.endpoint.key
        try:
            if exchange.status != 200:
                body = await exchange.read_all()
                raise error_from(exchange.status, exchange.headers, body, time(), key=key)
            result = await (self._head(exchange, gates, key) if call.stream else self._whole(exchange, gates, key))
        finally:
            self.first_byte_ms = exchange.first_byte_ms
            if not call.stream:
                exchange.release()
        self.gate, self.confidence = result.record, result.confidence
        return result

    @property
    def thoughts(self) -> Thoughts:
        """What the model has thought and wants to see again."""
        return self._gathering.thoughts

    @property
    def mendable(self) -> Repair | None:
        """What the model could mend itself: JSON that was only asked for in words and does not fit; once."""
        failed = self.error
        if self.repair is not None or self._spoken is None or not self._spoken.instructed:
            return None
        if not isinstance(failed, GateFailed) or failed.gate not in ("schema", "json"):
            return None
        choices = self.whole().choices
        return Repair(answer=choices[0].text, problem=failed.detail) if choices else None

    async def _whole(self, exchange: Exchange, gates: Gates, key: Secret | None) -> GateResult:
        spoken = self._told()
        answer = ENDPOINTS[spoken.wire].decode_answer(await exchange.read_all(), key=key, mark=self._mark)
        for piece in answer.ordered:
            self._gathering.add(piece)
        if spoken.wire != self.call.wire:
            self.dropped.update(dict.fromkeys(answer.foreign))
            answer = msgspec.structs.replace(answer, raw=b"", ordered=self._enclosed(answer.ordered))
        if spoken.instructed:
            answer = _without_prose(answer)
        self.answer = answer = answer if self._restoring is None else self._restoring.whole(answer)
        self.usage, self.served_model = answer.usage, (answer.served_model or "")[:MAX_NAME_CHARS] or None
        self.ident = answer.ident
        for choice in answer.choices:
            self.output_chars += len(choice.text) + len(choice.reasoning) + len(choice.refusal)
            self.output_chars += sum(len(tool.arguments) + len(tool.name) for tool in choice.tool_calls)
            self.tool_ids += [tool.id for tool in choice.tool_calls]
        if self.call.wire in APART:
            return UNCHECKED
        return check_answer(gates, self.call, answer, model_id=self.hop.model.id)

    async def _head(self, exchange: Exchange, gates: Gates, key: Secret | None) -> GateResult:
        """Hold the stream back until the gates have seen enough of it, or all of it."""
        spoken = self._told()
        decoder = self._decoder = ENDPOINTS[spoken.wire].answer_decoder(key=key, mark=self._mark)
        to_end = spoken.instructed or needs_whole(gates, self.call, model_id=self.hop.model.id)
        weight = 0
        while not self._done:
            data = await exchange.read_some()
            weight += len(data)
            if weight > MAX_HELD_BYTES:
                raise BadReply("the answer is too long to be checked before it is passed on", code="upstream_too_large")
            self.held += self._taken(decoder.feed(data) if data else decoder.finish())
            self._done = not data or decoder.finished
            if not to_end and self.output_chars and self.output_chars >= gates.hold_back_chars and not self._done:
                return check_head(gates, assemble(self.held))
        answer = assemble(self.held)
        if spoken.instructed:
            answer = _without_prose(answer)
            self.held = [Delta(pieces=answer.pieces, usage=answer.usage, served_model=answer.served_model)]
        return check_answer(gates, self.call, answer, model_id=self.hop.model.id)

    async def rest(self) -> AsyncGenerator[Delta, None]:
        """Yield what was held back, then what still comes. Raises ProviderError where the stream breaks."""
        held, self.held = self.held, []
        for delta in held:
            yield delta
        async for delta in self._more():
            yield delta

    async def _more(self) -> AsyncGenerator[Delta, None]:
        """Yield what still comes."""
        exchange, decoder = self._exchange, self._decoder
        if exchange is None or decoder is None:
            return
        while not self._done:
            data = await exchange.read_some()
            for delta in self._taken(decoder.feed(data) if data else decoder.finish()):
                yield delta
            self._done = not data or decoder.finished

    async def read_on(self) -> None:
        """Read for the count of tokens what nobody waits for, then let go; the endpoint's limit ends it too."""
        try:
            async with asyncio.timeout(self.hop.endpoint.limits.drain_timeout_s):
                if self._work is not None:
                    await self._work
                async for _ in self._more():
                    pass
        except (TierwiseError, TimeoutError):
            pass
        finally:
            self.close()

    async def read_to_end(self) -> None:
        """Hold back what still comes, so that a withheld answer is whole; a break leaves it as far as it came."""
        if self.answer is not None:
            return
        rest = []
        with contextlib.suppress(ProviderError):
            async for delta in self.rest():
                rest.append(delta)
                if self.output_chars > MAX_HELD_BYTES:
                    break
        self.held, self._done = rest, True

    def _told(self) -> Spoken:
        if self._spoken is None:
            raise TypeError("an answer before the question")
        return self._spoken

    def _taken(self, deltas: list[Delta]) -> list[Delta]:
        for delta in deltas:
            if delta.usage is not None:
                self.usage = delta.usage
            if self.served_model is None:
                self.served_model = (delta.served_model or "")[:MAX_NAME_CHARS] or None
            self.ident = self.ident or delta.ident
            for piece in delta.pieces:
                self._gathering.add(piece)
                self.output_chars += len(piece.text) + len(piece.reasoning) + len(piece.refusal)
                for tool in piece.tool_calls:
                    self.output_chars += len(tool.arguments) + len(tool.name)
                    if tool.id:
                        self.tool_ids.append(tool.id)
        if self._told().wire != self.call.wire:
            for delta in deltas:
                self.dropped.update(dict.fromkeys(delta.foreign))
            deltas = [
                msgspec.structs.replace(delta, raw=b"", event="", pieces=self._enclosed(delta.pieces))
                for delta in deltas
            ]
        return deltas if self._restoring is None else self._restoring.streamed(deltas)

    def _enclosed(self, pieces: tuple[Piece, ...]) -> tuple[Piece, ...]:
        """Put seals into envelopes: on the caller's wire they are somebody else's, and must find their way back."""
        if not any(piece.seal for piece in pieces):
            return pieces
        wire, origin = self._told().wire, self.hop.endpoint.name
        return tuple(
            msgspec.structs.replace(piece, seal=enclose(Seal(wire=wire, origin=origin, data=piece.seal)))
            if piece.seal
            else piece
            for piece in pieces
        )

    def over(self) -> None:
        """Stop the clock: what is read from here on, nobody waits for."""
        if self.duration_ms is None:
            self.duration_ms = (perf_counter() - self._sent) * 1000

    def close(self) -> None:
        """Let go of the connection; one that still carries an answer is closed, which tells the endpoint to stop."""
        self.over()
        if self._work is not None:
            self._work.cancel()
        if self._exchange is not None:
            self._exchange.release()

    def whole(self) -> Answer:
        """Return the complete answer that the gates held back."""
        return self.answer if self.answer is not None else assemble(self.held)

    def settled_usage(self) -> Usage | None:
        """Return the usage as reported, else an estimate once any answer came, else None.

        An endpoint that had begun to answer when its caller left has read the request, and bills it. What it reported
        before it was left is a count so far.
        """
        begun = self.verdict == "cancelled" and self._answering
        if self.usage is not None and not self.left:
            return self.usage
        if self.usage is None and not (self.output_chars or self.answer is not None or begun):
            return None
        seen = 0 if self.call.features.embeddings else max(1, self.output_chars // ROUGH_CHARS_PER_TOKEN)
        if self.usage is not None:
            more = max(0, seen - self.usage.written)
            return msgspec.structs.replace(self.usage, output=self.usage.output + more, estimated=True)
        return Usage(input=self.call.features.input_tokens_est, output=seen, estimated=True)

    @property
    def _answering(self) -> bool:
        return self._exchange is not None and self._exchange.status == HTTPStatus.OK

    @property
    def left(self) -> bool:
        """True where a stream was left before its end, by its caller or for a gate: its endpoint may have gone on."""
        stopped = self.verdict == "cancelled" or isinstance(self.error, GateFailed)
        return stopped and self.call.stream and self._answering and not self._done

    @property
    def unread(self) -> bool:
        """True where a gate has left a stream that its endpoint writes to the end, and bills."""
        return self.left and self.outlasts and isinstance(self.error, GateFailed)

    @property
    def _unanswered(self) -> bool:
        """True where the endpoint may bill for what it never answered: the request went out, and no refusal came."""
        if self._exchange is not None:
            return self._exchange.status == HTTPStatus.OK
        return self.asked and not (isinstance(self.error, ProviderError) and self.error.code in UNSENT)

    @property
    def suspicion(self) -> str | None:
        """Say where the endpoint's count of what it read is too small for what it was sent; None where it may be true.

        Some engines leave a cached prefix out of that count, so this alone fails nothing.
        """
        usage, features = self.usage, self.call.features
        if usage is None or usage.estimated or self.call.wire in APART or features.files:
            return None
        sent = features.input_tokens_est - features.images * IMAGE_TOKENS
        if sent < LEAST_SUSPICIOUS_TOKENS:
            return None
        if usage.read >= sent * LEAST_READ:
            return None
        return f"it reports {usage.read} tokens read of a request of at most {sent}: it may have cut it"

    def record(self) -> AttemptRecord:
        """Return the attempt as the decision record holds it."""
        model, endpoint, usage = self.hop.model, self.hop.endpoint, self.settled_usage()
        cost = reason = unknown = None
        own: Decimal | msgspec.UnsetType = msgspec.UNSET
        if model.price is None:
            reason = "unmetered"
            if model.own is not None and usage is not None:
                own = cost_usd(model.own.full, usage)
        elif usage is not None:
            cost = cost_usd(model.price, usage)
            if self.left and self.outlasts:
                unknown = max(self.reserve_usd - cost, Decimal(0))
        elif self._unanswered:
            reason, unknown = "it was asked and did not say what that costs", self.reserve_usd
        else:
            reason = "no answer, no usage"
        return AttemptRecord(
            endpoint=endpoint.name,
            model=model.id,
            tier=endpoint.tier,
            wire=None if self._spoken is None else self._spoken.wire,
            started=self.started,
            served_model=self.served_model,
            upstream_id=upstream_id(self.ident, self._exchange, self._key),
            first_byte_ms=self.first_byte_ms,
            duration_ms=self.duration_ms,
            usage=usage,
            cost_usd=cost,
            cost_reason=reason,
            unknown_usd=unknown,
            own_usd=own,
            confidence=self.confidence,
            gate=self.gate,
            verdict=self.verdict,
            error=None if self.error is None else told(self.error),
            suspicion=self.suspicion,
        )


def _without_prose(answer: Answer) -> Answer:
    """Return the answer with the bare JSON of each choice's text, as pieces that any wire can spell."""
    choices = tuple(msgspec.structs.replace(choice, text=bare_json(choice.text)) for choice in answer.choices)
    return msgspec.structs.replace(answer, choices=choices, ordered=(), raw=b"")


def _looked_at(work: "asyncio.Task[GateResult]") -> None:
    """Take note of how work ended that nobody waits for any more."""
    if not work.cancelled():
        work.exception()


def upstream_id(ident: str | None, exchange: Exchange | None, key: Secret | None) -> str | None:
    """Return the endpoint's name for its answer, else for the request; None where that is no name, or holds our key."""
    headers = {} if exchange is None else exchange.headers
    given = (ident or "", *(headers.get(name, b"").decode("latin-1") for name in ID_HEADERS))
    hidden = key.reveal() if key is not None else ""
    return next((one for one in given if UPSTREAM_ID.fullmatch(one) and not (hidden and hidden in one)), None)


def told(error: TierwiseError) -> str:
    """Return an error in one line for the record: without what an endpoint said of it, which may quote the call."""
    if isinstance(error, AllAttemptsFailed):
        return f"{type(error).__name__}: {'; '.join(map(told, error.errors))}"[:300]
    if not isinstance(error, ProviderError):
        return f"{type(error).__name__}: {error}"[:300]
    status = f" {error.status}" if error.status else ""
    words = str(error).removesuffix(error.said).rstrip(": ") if error.said else str(error)
    code = f" ({error.code})" if error.said and error.code else ""
    return f"{type(error).__name__}{status}: {words}{code}"[:300]
