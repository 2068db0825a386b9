"""Which decision does a person mean who writes its id, or the beginning of it?"""

from tierwise.core.decision import Decision
from tierwise.core.errors import InvalidCall
from tierwise.ledger.protocol import Reader


async def found_in(history: Reader | None, id_or_prefix: str) -> Decision:
    """Return the decision whose id begins like this. Raises InvalidCall where there is none."""
    found = None if history is None else await history.get(id_or_prefix)
    if found is None:
        message = f"there is no decision {id_or_prefix!r} in this ledger; `tierwise log` lists them"
        raise InvalidCall(message, param="ID")
    return found
