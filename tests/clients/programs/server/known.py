"""What does the made model say? After each token one certain next, from the mark with which its template ends a prompt.

A tool's result is answered with `done`, an offer of tools with one call, anything else with `hello`. So a real server's own
template, decoding, parsing of calls and counting are at work on a model whose every answer is known.
"""

import json
from itertools import pairwise

END = "<|end|>"
SAY, CALL, TELL = MARKS = ("<|say|>", "<|call|>", "<|tell|>")
OPEN, CLOSE = "<tool_call>", "</tool_call>"
MARKED = "{% if messages[-1].role == 'tool' %}<|tell|>{% elif tools %}<|call|>{% else %}<|say|>{% endif %}"  # ends a template


def chains(tool: str, arguments: str) -> tuple[tuple[str, ...], ...]:
    """Return what follows what, for a model that calls this tool with these arguments (JSON text)."""
    call = json.dumps({"name": tool, "arguments": json.loads(arguments)})
    return (SAY, "hello", END), (TELL, "done", END), (CALL, OPEN, f"\n{call}\n", CLOSE, END)


def said(tool: str, arguments: str) -> tuple[str, ...]:
    """Return all tokens that the model can say but the end."""
    return tuple(token for chain in chains(tool, arguments) for token in chain[1:-1])


def follows(place: dict[str, int], tool: str, arguments: str) -> dict[int, int]:
    """Return the number of the token that comes after each, given their numbers."""
    return {place[a]: place[b] for chain in chains(tool, arguments) for a, b in pairwise(chain)}
