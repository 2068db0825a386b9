"""Many at once: who has just come back is not run over, and no endpoint gets more than it is said to bear."""

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.integration.server.conftest import Door, asking, opened_door, until
from tierwise.config import Document, Settings
from tierwise.core.model import Limits
from tierwise.fallback.breaker import BreakerSettings
from tierwise.fallback.plan import FallbackSettings
from tierwise.registry.settings import EndpointRow, ModelRow
from tierwise.testing import Script, ScriptedUpstream

HERD, BEARS = 60, 4
RESTS_S = 4
CALLS = 150


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    with ScriptedUpstream.in_thread(models=("m",)) as upstream:
        document = Document(
            endpoint=(EndpointRow(name="up", kind="scripted", url=upstream.url, limits=Limits(max_connections=BEARS)),),
            model=(ModelRow(id="m", endpoint="up"), ModelRow(id="ill", endpoint="up", served_name="m")),
            breaker=BreakerSettings(failures=3, open_s=RESTS_S, max_open_s=RESTS_S),
            fallback=FallbackSettings(retries_same=0),
        )
        with opened_door(Settings(document=document, home=tmp_path), upstream) as door:
            yield door


def herd(door: Door, model: str) -> Counter[int]:
    """Ask many times at once, and count the statuses."""
    with ThreadPoolExecutor(30) as crowd:
        return Counter(crowd.map(lambda _: door.ask(asking(model))[0], range(HERD)))


def test_a_herd_opens_no_more_connections_than_an_endpoint_bears(door: Door) -> None:
    """The same question by everybody: each is answered, over as many connections as are allowed, and no more."""
    assert herd(door, "m") == {200: HERD}
    assert len(door.upstream.asked) == HERD
    assert door.upstream.connections <= BEARS


def test_what_fails_half_of_the_time_gets_little_more_than_was_asked(tmp_path: Path) -> None:
    draw = random.Random(7)
    with ScriptedUpstream.in_thread(models=("m",)) as upstream:
        upstream.script(*[Script(fault=draw.choice(("error", "none")), status=503) for _ in range(2 * CALLS)])
        document = Document(
            endpoint=(EndpointRow(name="up", kind="scripted", url=upstream.url),),
            model=(ModelRow(id="m", endpoint="up"),),
            breaker=BreakerSettings(failures=CALLS),
        )
        with opened_door(Settings(document=document, home=tmp_path), upstream) as door, ThreadPoolExecutor(10) as crowd:
            statuses = Counter(crowd.map(lambda _: door.ask(asking("m"))[0], range(CALLS)))
        assert set(statuses) == {200, 503}
        assert CALLS < len(upstream.asked) <= 1.2 * CALLS


def test_an_endpoint_that_comes_back_is_tried_by_one_and_then_by_all(door: Door) -> None:
    upstream = door.upstream
    upstream.script(*[Script(fault="error", status=503)] * 3)
    assert [door.ask(asking("ill"))[0] for _ in range(3)] == [503] * 3
    asked = len(upstream.asked)
    assert herd(door, "ill") == {503: HERD}
    assert len(upstream.asked) == asked, "who rests is asked by nobody"
    upstream.script(Script(fault="hang"))
    with ThreadPoolExecutor(1) as aside:
        probe = aside.submit(
            lambda: until(lambda: door.ask(asking("ill"))[0] != 503 or len(upstream.asked) > asked, 30)
        )
        assert until(lambda: len(upstream.asked) > asked, 30)
        assert set(herd(door, "ill")) <= {503}, "all others wait for what becomes of the one"
        assert len(upstream.asked) == asked + 1, "one tries"
        upstream.hang_up()
        assert probe.result(20)
    assert until(lambda: door.ask(asking("ill"))[0] == 200, 30)
    assert herd(door, "ill") == {200: HERD}
