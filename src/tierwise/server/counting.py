"""How many tokens would this request have? Asked of the endpoint that would serve it, where that counts.

Any other count is an upper estimate, corrected by what the model has read of earlier requests, and says so.
Invariant: nobody is asked who may not see the request, and only whoever would serve it.
"""

import msgspec

from tierwise.core.call import Call
from tierwise.core.decision import Decision
from tierwise.core.errors import AllAttemptsFailed, ProviderError
from tierwise.core.model import Model
from tierwise.gateway.gateway import Gateway
from tierwise.server.http import Headers, Request, decision_headers
from tierwise.wires.count_tokens import counted

BY = b"x-tierwise-counted-by"
"""`endpoint`: exactly. `estimate`: from above."""


async def count(gateway: Gateway, call: Call, request: Request) -> None:
    """Answer with a count. Raises what a refused request raises."""
    decision = gateway.route(call)
    model = gateway.rules.catalog.models.get(decision.chosen or "")
    if model is None or gateway.rules.catalog.endpoints[model.endpoint].counts:
        # Without a model it is refused there, on the record.
        try:
            reply = await gateway.handle(call if model is None else _put_to(call, model, decision))
        except (ProviderError, AllAttemptsFailed) as error:
            decision = error.decision or decision
        else:
            body = reply.answer.raw if reply.answer is not None else b""
            return await request.answer(body, _head(reply.decision, b"endpoint"))
    tokens = call.features.input_tokens_est + call.features.schema_tokens_est
    if model is not None:
        tokens = gateway.facts.corrected(model.id, tokens)
    return await request.answer(counted(tokens), _head(decision, b"estimate"))


def _put_to(call: Call, model: Model, decision: Decision) -> Call:
    """Name the model that was chosen; the workflow that the call belongs to, with its label and its rules, stays."""
    hints = msgspec.structs.replace(call.hints, workflow=decision.workflow)
    return msgspec.structs.replace(call, model=model.id, hints=hints)


def _head(decision: Decision, by: bytes) -> Headers:
    return [*decision_headers(decision), (BY, by)]
