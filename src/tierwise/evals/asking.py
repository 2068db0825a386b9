"""How is a call of a comparison made? Through the gateway of this process; a running server's is asked elsewhere."""

from collections.abc import Awaitable, Callable

from tierwise.core.call import Hints
from tierwise.core.errors import GateFailed, StoreError, TierwiseError
from tierwise.evals.outcome import Heard
from tierwise.gateway.attempt import told
from tierwise.gateway.gateway import Gateway
from tierwise.wires import chat

Ask = Callable[[bytes, Hints], Awaitable[Heard]]
"""Takes the body of a Chat Completions request. Raises StoreError where nothing was recorded, and InvalidCall."""


def in_process(gateway: Gateway) -> Ask:
    """Ask this gateway. An answer that its gates withheld is heard too, with what they said of it."""

    async def ask(body: bytes, hints: Hints) -> Heard:
        try:
            reply = await gateway.handle(chat.decode_request(body, hints))
        except StoreError:
            raise
        except GateFailed as error:
            return Heard(answer=error.answer, decision=error.decision, error=told(error))
        except TierwiseError as error:
            if error.decision is None:
                raise
            return Heard(decision=error.decision, error=told(error))
        return Heard(answer=reply.answer, decision=reply.decision)

    return ask
