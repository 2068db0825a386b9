"""Bodies of Messages requests as Hypothesis strategies: odd members at any depth, in any order, oddly written."""

import json
import random
from typing import Any

from hypothesis import strategies as st

SCHEMA = {"type": "object", "properties": {"intent": {"enum": ["a", "b"]}}}

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
LEAVES = (
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXT
)
KEYS = TEXT.filter(lambda text: "_" not in text).map(lambda text: text + "\u00e9?")
"""Names that nobody knows, and that do not look like those which would steer the gateway."""
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=5
)
DICE = st.integers(0, 2**32).map(random.Random)
NEW = st.dictionaries(st.from_regex(r"[a-z]{1,6}_x", fullmatch=True) | KEYS, VALUES, max_size=2)
CACHE = st.sampled_from([{}, {}, {"cache_control": {"type": "ephemeral"}}, {"cache_control": {"ttl": "1h", "type": "ephemeral", "z": 1}}])  # fmt: skip


def thought(signature: str, **more: Any) -> dict[str, Any]:
    return {"type": "thinking", "thinking": "hm", "signature": signature} | more


def mixed(draw: st.DrawFn, known: dict[str, Any]) -> dict[str, Any]:
    """Return an object with unknown members beside the known, in any order."""
    members = list((draw(NEW) | draw(CACHE) | known).items())
    return dict(draw(st.permutations(members)))


def says(draw: st.DrawFn, text: str) -> dict[str, Any]:
    return mixed(draw, {"type": "text", "text": text})


@st.composite
def turns(draw: st.DrawFn) -> list[Any]:
    """Make a round of a conversation: words, or a tool loop, with thinking before the call."""
    if draw(st.booleans()):
        content = draw(TEXT.filter(bool)) if draw(st.booleans()) else [says(draw, draw(TEXT)) for _ in range(2)]
        reply = mixed(draw, {"role": "assistant", "content": [says(draw, draw(TEXT))]})
        return [mixed(draw, {"role": "user", "content": content}), reply, {"role": "system", "content": "s"}]
    thinking = draw(
        st.sampled_from([[], [thought("EqQB+/=")], [{"data": "EmwK", "type": "redacted_thinking"}, thought("")]])
    )
    use = mixed(draw, {"type": "tool_use", "id": "t", "name": "f", "input": draw(NEW)})
    result = mixed(draw, {"type": "tool_result", "tool_use_id": "t", "content": [says(draw, draw(TEXT))]})
    image = mixed(draw, {"type": "image", "source": mixed(draw, {"type": "base64", "data": "iVBORw0KGgo="})})
    return [
        mixed(draw, {"role": "user", "content": "go"}),
        mixed(draw, {"role": "assistant", "content": [*thinking, use]}),
        mixed(draw, {"role": "user", "content": [result, image, mixed(draw, {"type": "new_kind"})]}),
    ]


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    more: dict[str, Any] = draw(NEW) | draw(CACHE)
    more |= draw(st.sampled_from([{}, {"stream": True}, {"stream": False, "thinking": {"type": "adaptive"}}]))
    more |= draw(st.sampled_from([{}, {"metadata": {"user_id": "u"}}, {"system": [{"type": "text", "text": "s"}]}]))
    if draw(st.booleans()):
        more["tools"] = [mixed(draw, {"name": "f", "input_schema": SCHEMA}), mixed(draw, {"type": "web_search_1"})]
    said = [turn for round_ in draw(st.lists(turns(), min_size=1, max_size=3)) for turn in round_]
    members = list((more | {"model": "auto", "max_tokens": 9, "messages": said}).items())
    return dict(draw(st.permutations(members)))


def oddly(value: Any, dice: random.Random) -> str:
    """Write JSON as no library does: white space anywhere, escapes anywhere, numbers in odd forms."""
    gap = dice.choice(["", "", "", " ", "\t", "\r\n", "\n  "])
    if isinstance(value, dict):
        inner = ",".join(f"{gap}{oddly(name, dice)}{gap}:{oddly(one, dice)}" for name, one in value.items())
        return f"{gap}{{{inner}{gap}}}{gap}"
    if isinstance(value, list):
        return f"{gap}[{','.join(oddly(one, dice) for one in value)}{gap}]{gap}"
    if isinstance(value, str):
        return f'{gap}"{"".join(letter(one, dice) for one in value)}"{gap}'
    plain = json.dumps(value)
    whole = isinstance(value, int) and not isinstance(value, bool) and value != 9  # the limit has to be one
    return f"{gap}{plain}{'.0' if whole and dice.random() < 0.1 else ''}{gap}"


def letter(one: str, dice: random.Random) -> str:
    if one == "/" and dice.random() < 0.5:
        return "\\/"
    if one in '"\\' or ord(one) < 32 or dice.random() < 0.1:
        units = one.encode("utf-16-be")
        return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
    return one
