"""How are calls served that build on earlier answers? The Responses routes, with state that Tierwise owns.

The history is put into the body before anything reads it, so it is judged, counted and sent like any other input, and
the label that it was kept with goes with it. Invariant: what policy says is not to be stored is not stored.
"""

from time import monotonic

import msgspec

from tierwise.core.call import Call
from tierwise.core.decision import Decision
from tierwise.core.label import Label, highest
from tierwise.gateway.gateway import Gateway
from tierwise.gateway.stored import Stored, StoredResponse
from tierwise.server.calls import hints_of, identified, serve
from tierwise.server.errors import INVALID, PERMISSION, Failure
from tierwise.server.http import Rejected, Request, missing
from tierwise.wires import responses
from tierwise.wires.responses_request import items_of, output_of, previous_of, with_history, with_references
from tierwise.wires.responses_shape import unknown_response

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class Responses:
    """The routes under `/v1/responses`."""

    def __init__(self, gateway: Gateway, max_body_bytes: int, stored: Stored | None = None) -> None:
        self._gateway, self._max_body_bytes = gateway, max_body_bytes
        self._stored = stored or Stored()

    async def create(self, request: Request) -> None:
        """Answer, with the history that the caller refers to."""
        call = self.call(await request.body(self._max_body_bytes), request)

        def keep(decision: Decision, answer: bytes) -> None:
            self._keep(call, decision, answer)

        await serve(self._gateway, responses, call, request, keep=keep)

    def call(self, body: bytes, request: Request) -> Call:
        """Read a body. Raises InvalidCall for an earlier answer that is not known (any more)."""
        now, key_id = monotonic(), request.key_id
        labels: list[Label] = []
        previous = previous_of(body)
        if previous is not None:
            found = self._stored.get(key_id, previous, now)
            if found is None:
                raise unknown_response(previous)
            labels.append(found.label)
            self._check(len(body) + sum(map(len, found.items)))
            body = with_history(body, found.items)
        size_bytes = len(body)

        def lookup(name: str) -> bytes | None:
            nonlocal size_bytes
            item = self._stored.item(key_id, name, now)
            if item is None:
                return None
            labels.append(item[1])
            size_bytes += len(item[0])
            self._check(size_bytes)
            return item[0]

        body = with_references(body, lookup)
        call = identified(responses.decode_request(body, hints_of(request)), request)
        return msgspec.structs.replace(call, inherited=highest(labels), previous=previous) if labels else call

    def _check(self, size_bytes: int) -> None:
        """Refuse a request that would be too large, had its caller sent what it only refers to."""
        if size_bytes > self._max_body_bytes:
            text = f"with what it refers to, the body is larger than {self._max_body_bytes} bytes"
            raise Rejected(Failure(status=413, type=INVALID, code="request_too_large", message=text))

    async def show(self, request: Request, ident: str) -> None:
        """Answer with a stored response as it was."""
        found = self._stored.get(request.key_id, ident, monotonic())
        if found is None:
            raise missing(f"there is no response {ident[:64]!a} (any more)")
        grant = request.grant
        if grant is not None and not grant.allows_label(found.label):
            text = f"the key {grant.name!r} may not read this response: it is {found.label}"
            raise Rejected(Failure(status=403, type=PERMISSION, code="label_not_allowed", message=text))
        await request.answer(found.body)

    async def delete(self, request: Request, ident: str) -> None:
        """Forget a stored response."""
        if not self._stored.forget(request.key_id, ident):
            raise missing(f"there is no response {ident[:64]!a} (any more)")
        await request.answer(_encode({"id": ident, "object": "response", "deleted": True}))

    def _keep(self, call: Call, decision: Decision, answer: bytes) -> None:
        if not answer or "no_store" in decision.obligations or _decode(call.body).get("store") is False:
            return
        ident, own, _ = output_of(answer)
        response = StoredResponse(
            body=answer,
            items=(*items_of(call.body), *own.values()),
            own=own,
            label=decision.label.value,
            at=monotonic(),
        )
        self._stored.keep(call.key_id, ident, response)
