"""Which Claude is it, and what does it take? Read from the name under which it is served."""

import pytest

from tierwise.wires.messages_model import most_output_tokens, thinks_always, version_of

NAMES = [
    ("claude-opus-5-5", (5, 5), 128_000, True),
    ("claude-opus-5", (5, 0), 128_000, False),
    ("claude-sonnet-5-5", (5, 5), 128_000, False),
    ("claude-haiku-5-5", (5, 5), 128_000, False),
    ("claude-fable-5-1", (5, 1), 128_000, True),
    ("claude-mythos-preview", (0, 0), None, True),
    ("claude-opus-4-8", (4, 8), 128_000, False),
    ("claude-sonnet-4-6", (4, 6), 128_000, False),
    ("claude-opus-4-6@20260205", (4, 6), 128_000, False),
    ("anthropic.claude-opus-4-6-v1:0", (4, 6), 128_000, False),
    ("anthropic/claude-opus-4.6", (4, 6), 128_000, False),
    ("claude-opus-4-5-20251101", (4, 5), 64_000, False),
    ("us.anthropic.claude-haiku-4-5-20251001-v1:0", (4, 5), 64_000, False),
    ("claude-opus-4-1-20250805", (4, 1), 32_000, False),
    ("claude-opus-4-20250514", (4, 0), 32_000, False),
    ("claude-opus-4-0", (4, 0), 32_000, False),
    ("claude-sonnet-4-20250514", (4, 0), 64_000, False),
    ("claude-3-7-sonnet-latest", (3, 7), 64_000, False),
    ("claude-3-5-haiku-20241022", (3, 5), 8_192, False),
    ("claude-3-opus-20240229", (3, 0), 4_096, False),
    ("CLAUDE-SONNET-4-5", (4, 5), 64_000, False),
    ("claude-instant-1.2", (1, 2), None, False),
    ("claude-opus-latest", (0, 0), None, False),
    ("qwen3-coder", (0, 0), None, False),
    ("my-opus-5-5", (0, 0), None, False),
    ("", (0, 0), None, False),
]


@pytest.mark.parametrize(("name", "version", "most", "always"), NAMES, ids=[name for name, *_ in NAMES])
def test_what_a_name_tells(name: str, version: tuple[int, int], most: int | None, always: bool) -> None:
    assert (version_of(name), most_output_tokens(name), thinks_always(name)) == (version, most, always)
