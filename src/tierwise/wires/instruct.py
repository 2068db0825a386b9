"""How is a model asked for JSON that nothing forces it to write? In words; what it wrote is found in its prose.

Used where an endpoint takes no schema. Whether the answer fits is checked elsewhere, always.
Invariant: nothing is mended here but what surrounds the JSON: its own characters stay as the model wrote them.
"""

import json
import re

import msgspec

from tierwise.core.conversation import Conversation, Text, Turn

_FENCED = re.compile(r"```(?:json)?[ \t]*\n(.*?)```", re.DOTALL | re.IGNORECASE)
"""Says nothing of the space before the end: to look for it everywhere takes the square of an answer's length."""
_encode = msgspec.json.Encoder().encode


def instructed(conversation: Conversation) -> Conversation:
    """Return the conversation with its format said in words instead, behind the caller's own instructions."""
    wanted = conversation.format
    if wanted is None:
        return conversation
    words = "Answer with one JSON value and nothing else: no explanation, no code fence."
    if wanted.kind == "schema":
        words += f" It must fit this JSON Schema:\n{_encode(wanted.schema).decode()}"
    turns = list(conversation.turns)
    place = next((index for index, turn in enumerate(turns) if turn.role not in ("system", "developer")), len(turns))
    turns.insert(place, Turn(role="system", blocks=(Text(text=words),)))
    return msgspec.structs.replace(conversation, turns=tuple(turns), format=None)


def bare_json(text: str) -> str:
    """Return the JSON that the text holds, without a fence or prose round it; the text itself where there is none."""
    for found in (text, *(match[1] for match in _FENCED.finditer(text)), _braced(text)):
        try:
            json.loads(found)
        except (ValueError, RecursionError):
            continue
        return found.strip()
    return text


def _braced(text: str) -> str:
    """Return from the first opening to the last closing bracket."""
    begins = [place for place in (text.find("{"), text.find("[")) if place >= 0]
    return text[min(begins) : max(text.rfind("}"), text.rfind("]")) + 1] if begins else ""
