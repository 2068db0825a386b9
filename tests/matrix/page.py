"""docs/reference/wires.md, written from what the cells returned when they ran."""

from collections.abc import Mapping
from pathlib import Path

import anthropic
import openai

from tests.matrix.callers import CALLERS
from tests.matrix.cells import DONE, ENDPOINTS, SCENES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "wires.md"
Results = Mapping[tuple[str, str, str], str]
"""What a cell returned, by caller's wire, endpoint's wire and scene."""

NAMES = {
    "chat": "OpenAI Chat Completions",
    "responses": "OpenAI Responses",
    "messages": "Anthropic Messages",
    "gemini": "Gemini",
    "ollama": "Ollama",
}
HEAD = """\
# Wires: who can talk to whom, and what is lost

Written by `scripts/docs` from a run of `tests/matrix`, which also runs in CI and fails where this page says something
else. Every cell is a conversation that an official client (openai {openai}, anthropic {anthropic}) had through a running
gateway with the scripted upstream, which speaks each wire as strictly as its vendor. In each the tokens in the ledger
were those that the endpoint billed, and the client was told the same.

`yes` means that the whole of it came through. Anything else is what was left out: the same words stood in the answer's
header `x-tierwise-dropped` and in the decision record. A rule with `require = "all"` excludes an endpoint instead of
leaving anything out. Where caller and endpoint speak the same wire, the bytes of the request go on as they came, but for
the model's name.
"""
SAID = {
    "plain": "a whole answer",
    "stream": "a stream",
    "tools": "a tool loop",
    "parallel_tools": "two tools at once, streamed",
    "schema": "JSON that fits a schema, whole and streamed",
    "image": "a picture in the question",
    "thinking": "thinking, and a tool loop with it",
    "stop": "a stop sequence",
    "long": "15,000 words there and back",
    "cached": "input read from a cache, told apart",
    "error_before": "an error before the first word: another attempt",
    "error_after": "an error in the middle: the client raises",
    "cut": "a stream that is cut: the client raises",
}


def page(results: Results) -> str:
    """Write the page."""
    lines = [HEAD.format(openai=openai.__version__, anthropic=anthropic.__version__)]
    for caller in CALLERS:
        lines += [f"## Callers of {NAMES[caller.wire]}", ""]
        lines += ["| | " + " | ".join(NAMES[wire] for wire in ENDPOINTS) + " |", "|---|" + "---|" * len(ENDPOINTS)]
        for scene in SCENES:
            cells = [_cell(results[caller.wire, endpoint, scene.__name__]) for endpoint in ENDPOINTS]
            lines.append(f"| {SAID[scene.__name__]} | " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)


def _cell(result: str) -> str:
    if result == DONE or result.startswith("("):
        return result.strip("()")
    return "without " + ", ".join(f"`{name}`" for name in dict.fromkeys(result.split(", ")))
