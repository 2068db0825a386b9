"""An upstream that lies at any byte fools nobody: a sample of `scripts/bench lies`, which tries them all.

`TIERWISE_LIES_STEP` says which so many-th byte is tried; the sample begins somewhere else each time.
"""

import asyncio
import os
import random
from pathlib import Path

import pytest

from tests.integration.lies.proof import NEVER, prove, sifted
from tests.integration.lies.reading import http, told

STEP = int(os.environ.get("TIERWISE_LIES_STEP", "211"))


@pytest.mark.timeout(300)
def test_no_lie_at_any_byte_is_believed(tmp_path: Path) -> None:
    seed = random.randrange(1 << 31)
    found = asyncio.run(prove(tmp_path, step=STEP, stalls=1, lines=32, seed=seed))
    assert {name: found[name] for name in NEVER if found[name]} == {}, (seed, found["witnesses"])
    assert found["outcomes"]["broken"] > found["pairs"]
    assert found["finished"] > found["by_split"]


def test_the_judge_reads_no_more_than_was_sent() -> None:
    cut = http(b'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\ndata:\r\n4\r\n {"c')
    assert (cut.body, cut.whole) == (b'data: {"c', False)
    assert told("chat", cut.body, stream=True).failed
    finish = b'data: {"choices":[{"delta":{"content":"x"},"finish_reason":"stop"}]}'
    assert told("chat", finish, stream=True).finished
    assert not told("chat", finish[:-3], stream=True).finished


@pytest.mark.parametrize(("text", "left"), [("ac", True), ("ab", True), ("ba", False), ("x", False), ("abcc", False)])
def test_pieces_may_be_missing_and_none_may_be_added(text: str, left: bool) -> None:
    assert sifted(text, ["a", "b", "c"]) is left
