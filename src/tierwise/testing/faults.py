"""What should go wrong this time? The `Script` of one request and the grammar that writes it into a model's name.

    scripted-1?fault=error&status=503&times=2

asks for status 503 twice for this very name, then for ordinary answers. Knows neither sockets nor answers.
Invariant: a name that does not fit the grammar is an error, never an ordinary answer.
"""

from typing import Literal, get_args
from urllib.parse import parse_qsl

import msgspec

Fault = Literal[
    "none",
    # instead of an answer
    "error",
    "rate_limit",
    "context",
    "hang",
    "redirect",
    "html",
    "empty_body",
    "bad_json",
    "wrong_type",
    "in_band_error",
    "bodyless",
    "gzip",
    "bomb",
    # an answer that comes badly
    "slow_first",
    "slow_chunks",
    "cut",
    "cut_utf8",
    "cut_chunk",
    "drop",
    "reset",
    "stall",
    "wrong_length",
    "close_kept",
    "huge_line",
    "no_done",
    "no_finish",
    "bad_utf8",
    # an answer that is well and looks odd
    "cr",
    "bom",
    "multiline",
    "no_space",
    "dribble",
    "interim",
    "after_end",
    "double_finish",
    # an answer that is bad
    "empty_content",
    "loop",
    "truncation",
    "no_usage",
    "usage_text",
    "usage_negative",
    "usage_huge",
    "only_floats",
    "refusal",
    "bad_tool_arguments",
    "broken_schema",
    "low_logprobs",
]
FAULTS: frozenset[str] = frozenset(get_args(Fault))


class Script(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one request is answered.

    `times` limits a fault in a model's name to the first requests with that name, 0 means always. `after` is the
    number of content chunks before a fault in the middle of a stream. `status` goes with `error` and `bodyless`;
    `retry_after` is sent as it stands (seconds, a date or anything). With `leaks`, every error, header and address that
    is written holds the key that came. `delay_ms` goes with the slow faults, `size` (bytes) with `huge_line`; an
    `error` says `text`, a `redirect` leads there.
    `text` is the answer itself, in place of the echo. `thinking` comes before it, sealed; `cached` tokens of the prompt
    are reported as read from a cache. `tool` is the only tool that is called, whenever it is offered and the request
    does not end with a tool's result, with `arguments` (JSON text) in place of the computed ones. `ping` puts pings and
    comments between the events of a stream, `crlf` ends their lines as HTTP does. `index` writes the indices of
    streamed tool calls as some servers do: all 0 (`zero`), or none. `reads` is how many tokens of a prompt are read at
    most: a longer one is cut and answered all the same. `ignores` names what is taken and then not done.
    """

    fault: Fault = "none"
    times: int = 0
    after: int = 1
    status: int = 500
    retry_after: str | None = None
    delay_ms: int = 200
    size: int = 9 * 1024 * 1024
    text: str | None = None
    thinking: str | None = None
    cached: int = 0
    tool: str | None = None
    arguments: str | None = None
    ping: bool = False
    leaks: bool = False
    crlf: bool = False
    index: Literal["", "zero", "none"] = ""
    reads: int | None = None
    ignores: Literal["", "schema", "tools", "stop", "max_tokens", "logprobs"] = ""


ORDINARY = Script()


def read_script(model: str) -> tuple[str, Script]:
    """Split a model's name into the plain name and the script behind its question mark.

    Raises ValueError that names what is wrong.
    """
    name, mark, query = model.partition("?")
    if not mark:
        return name, ORDINARY
    try:
        if not query:
            raise ValueError("nothing stands behind the question mark")
        values = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=True))
        return name, msgspec.convert(values, Script, strict=False)
    except (ValueError, msgspec.ValidationError) as error:
        raise ValueError(f"the script behind {name!r} is wrong: {error}") from None
