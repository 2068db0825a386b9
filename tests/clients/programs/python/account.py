"""What a client did, told to the runner: one JSON line for each step that was asked for.

Copied into no environment: the runner puts this folder on the path of the interpreter that has the client.
"""

import json
import sys
from collections.abc import Callable
from typing import Any

WORDS = "one two three"
QUESTION = "please look_up the weather"
DESCRIPTION = "What is the weather there?"
PARAMETERS = {
    "type": "object",
    "properties": {"place": {"type": "string"}},
    "required": ["place"],
    "additionalProperties": False,
}

Told = dict[str, Any]


def look_up(place: str) -> str:
    """What is the weather there?"""
    return f"sunny in {place}"


def told(text: str, read: int = 0, written: int = 0) -> Told:
    """One step's result: the final text, and the tokens that the client was told, over all its requests."""
    return {"text": text, "read": read, "written": written}


def give_account(*steps: Callable[[], Told]) -> None:
    """Run the steps named on the command line. A failure is told like a result: its class and its text."""
    known = {step.__name__: step for step in steps}
    for name in sys.argv[1:]:
        try:
            result = known[name]()
        except Exception as error:
            result = {"error": f"{type(error).__name__}: {error}"[:2000]}
        sys.stdout.write(json.dumps({"step": name, **result}) + "\n")
        sys.stdout.flush()
