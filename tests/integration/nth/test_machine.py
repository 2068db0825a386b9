"""What the machine does to a gateway that runs: its disk, its clocks, its descriptors, another program at its ledger.

Nothing is answered unrecorded, what can be read is read, and it heals without a restart.
"""

import errno
import resource
import sqlite3
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from socket import create_connection

import msgspec
import pytest

from tests.integration.nth.shim import NAMES, possible
from tests.integration.nth.stage import Stage, chat, messages, staged
from tierwise.core.usage import Price
from tierwise.economics.budget import Budget
from tierwise.fallback.breaker import BreakerSettings
from tierwise.registry.settings import ModelRow
from tierwise.server.settings import KeyRow

pytestmark = possible
HOUR_S, YEAR_S = 3600, 365 * 86_400
KEY = "a-key-of-the-configuration-0417"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with staged(tmp_path) as stage:
        yield stage


def code(payload: bytes) -> str:
    """Return what an error of any wire is called."""
    error = msgspec.json.decode(payload)["error"]
    return str(error.get("code") or error["type"])


@pytest.mark.parametrize("how", [errno.ENOSPC, errno.EROFS, errno.EIO], ids=NAMES.__getitem__)
def test_a_disk_that_takes_nothing_refuses_everything_and_is_read_on(stage: Stage, how: int) -> None:
    _, before, _ = stage.ask(chat("near", "before"))
    asked = len(stage.inside.asked)
    stage.page.fail("disk", how=how)
    for ask in (chat("near", "x"), chat("near", "x", stream=True), messages("near", "x"), chat("auto:steps", "x")):
        seen, _, payload = stage.ask(ask)
        assert (seen, code(payload)) == ("error", "audit_unavailable")
        assert stage.said["x-should-retry"] == "true"
    assert len(stage.inside.asked) == asked, "nobody is asked without an intent"
    stage.page.heal()
    assert stage.get(f"/v1/decisions/{before}")[1]["outcome"] == "answered"
    assert stage.ask(chat("near", "after"))[0] == "whole", "it heals without a restart"
    found = stage.standing()
    assert [record["outcome"] for record in found["records"]] == ["answered", "answered"]
    assert Decimal(found["reserved"]) == 0


def test_a_disk_that_fails_in_the_middle_of_a_stream_lets_it_not_look_finished(stage: Stage) -> None:
    with ThreadPoolExecutor(1) as aside:
        slow = chat("near", "one two three four five", stream=True)
        slow = msgspec.structs.replace(slow, body=slow.body | {"model": "slow"})
        answer = aside.submit(stage.ask, slow)
        stage.until(lambda: len(stage.inside.asked) == 1)
        stage.page.fail("disk", how=errno.ENOSPC)
        assert answer.result()[0] == "broken"
        stage.page.heal()
    found = stage.standing()
    assert (found["records"], Decimal(found["reserved"])) == ([], 0), "its intent is closed by the next start"
    assert Decimal(found["spent"]["all"]) > 0, "what it cost counts against the budget"
    assert stage.ask(chat("near", "after"))[0] == "whole"


def test_a_ledger_that_another_program_holds_is_waited_for_then_overloaded_and_read_on(stage: Stage) -> None:
    _, before, _ = stage.ask(chat("near", "before"))
    other = sqlite3.connect(stage.home / "ledger.sqlite", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor(3) as aside:
        waiting = [aside.submit(stage.ask, ask) for ask in (chat("near", "x"), chat("near", "x", stream=True))]
        assert stage.get(f"/v1/decisions/{before}")[1]["outcome"] == "answered", "what is recorded is read meanwhile"
        for answer in waiting:
            seen, _, payload = answer.result()
            assert (seen, code(payload)) == ("error", "overloaded")
        late = aside.submit(stage.ask, chat("near", "late"))
        stage.until(lambda: stage.get("/healthz")[0] == 200)
        other.execute("ROLLBACK")
        assert late.result()[0] == "whole", "who waits is served when the lock is gone"
    other.close()
    assert len(stage.inside.asked) == 2
    assert [record["outcome"] for record in stage.standing()["records"]] == ["answered", "answered"]


def test_descriptors_that_run_out_come_back(stage: Stage) -> None:
    open_now = len(list(Path(f"/proc/{stage.child.pid}/fd").iterdir()))
    resource.prlimit(stage.child.pid, resource.RLIMIT_NOFILE, (open_now + 20, open_now + 20))
    for _ in range(3):
        held = [create_connection(("127.0.0.1", stage.port)) for _ in range(60)]
        assert stage.ask(chat("near", "x"))[0] in ("cut", "error", "whole")
        for line in held:
            line.close()
        stage.until(lambda: stage.ask(chat("near", "x"))[0] == "whole")
    found = stage.standing()
    assert Decimal(found["reserved"]) == 0
    assert {record["outcome"] for record in found["records"]} <= {"answered", "failed"}


@pytest.mark.parametrize("step_s", [HOUR_S, -HOUR_S, YEAR_S, -YEAR_S])
def test_a_clock_that_jumps_ends_no_key_wakes_nobody_and_mixes_nothing_up(tmp_path: Path, step_s: int) -> None:
    ends = datetime.now(UTC) + timedelta(days=30)
    key = KeyRow(name="k", secret="env:KEY_OF_TESTS", expires=ends, requests_per_minute=4)
    with staged(
        tmp_path, {"KEY_OF_TESTS": KEY}, key=(key,), breaker=BreakerSettings(failures=1, open_s=60)
    ) as stage:  # fmt: skip

        def ask(model: str) -> tuple[str, str]:
            asks = msgspec.structs.replace(chat(model, "hello"), headers={"authorization": f"Bearer {KEY}"})
            seen, ident, payload = stage.ask(asks)
            return ident, seen if seen == "whole" else code(payload)

        first, told = ask("near")
        assert told == "whole"
        assert ask("down")[1] == "upstream_unavailable"
        asked = len(stage.inside.asked)
        stage.page.clocks(wall_s=step_s)
        second, told = ask("near")
        assert told == "whole", "no key ends because a clock is wrong"
        assert ask("down")[1] == "upstream_unavailable"
        assert len(stage.inside.asked) == asked + 1, "who rests goes on resting"
        for wrong_s in (step_s, 0):
            stage.page.clocks(wall_s=wrong_s)
            assert ask("near")[1] == "rate_limit_exceeded"
            assert 1 <= int(stage.said["retry-after"]) <= 60
        idents = [record["id"] for record in reversed(stage.standing()["records"])]
        assert [ident for ident in idents if ident in (first, second)] == [first, second]
        assert idents == sorted(set(idents)), "each once, and in the order in which they were made"


@pytest.mark.parametrize("step_s", [HOUR_S, -HOUR_S, YEAR_S, -YEAR_S])
def test_no_step_of_a_clock_opens_a_budget_and_the_next_hour_does(tmp_path: Path, step_s: int) -> None:
    budget = Budget(scope="all", limit_usd=Decimal("0.001"), window="1h")
    with staged(tmp_path, budget=(budget,)) as stage:

        def spend() -> int:
            for count in range(200):
                seen, _, payload = stage.ask(chat("near", "hello"))
                if seen == "error":
                    assert code(payload) == "insufficient_quota"
                    return count
            raise AssertionError("nothing was ever refused")

        assert spend() > 0
        for wrong_s in (step_s, 0, step_s):
            stage.page.clocks(wall_s=wrong_s)
            assert spend() == 0
        stage.page.clocks(slept_s=HOUR_S)
        assert spend() > 0, "an hour has really passed"


# Half an hour before: summer time begins, it ends, noon of a leap day; then how long it is until midnight (UTC).
TURNS = {
    "Europe/Berlin": ("2027-03-28T00:30", "2027-10-31T00:30"),
    "America/St_Johns": ("2027-03-14T05:00", "2027-11-07T04:00"),
    "Australia/Lord_Howe": ("2027-10-02T15:00", "2027-04-03T14:30"),
    "Africa/Casablanca": ("2027-03-14T01:30", "2028-02-29T12:00"),
}


@pytest.mark.parametrize(("zone", "before"), [(zone, at) for zone, turns in TURNS.items() for at in turns])
def test_a_days_budget_begins_with_the_day_of_utc_whatever_the_zone_does(
    tmp_path: Path, zone: str, before: str
) -> None:
    start = datetime.fromisoformat(before).replace(tzinfo=UTC)
    wrong_s = int((start - datetime.now(UTC)).total_seconds())
    midnight = (start + timedelta(days=1)).replace(hour=0, minute=0)
    budget = Budget(scope="all", limit_usd=Decimal("0.001"), window="1d")
    with staged(tmp_path, {"TZ": zone}, wrong_s, budget=(budget,)) as stage:

        def answered() -> bool:
            return stage.ask(chat("near", "hello"))[0] == "whole"

        assert answered()
        stage.until(lambda: not answered())
        for slept_s in (HOUR_S, int((midnight - start).total_seconds()) - 60):
            stage.page.clocks(wall_s=wrong_s, slept_s=slept_s)
            assert not answered()
        stage.page.clocks(wall_s=wrong_s, slept_s=int((midnight - start).total_seconds()) + 1)
        assert answered()


@pytest.mark.parametrize("wire", ["chat", "messages"])
def test_two_hundred_at_once_with_money_for_ten(tmp_path: Path, wire: str) -> None:
    """Each answer is as long as it may be, so what was set aside for it is what it costs."""
    text = " ".join(f"w{n}" for n in range(50))
    ask = chat("near", text) if wire == "chat" else messages("near", text)
    price = Price(input_usd_per_mtok=Decimal(0), output_usd_per_mtok=Decimal(10))
    budget = Budget(scope="all", limit_usd=Decimal("0.005"), window="30d")
    rows = (ModelRow(id="near", endpoint="inside", served_name="m", price=price),)

    with staged(tmp_path, model=rows, workflow=(), budget=(budget,)) as stage:

        def one(_: int) -> tuple[str, str, str, str | None]:
            seen, _ident, payload = stage.ask(ask)
            error = {} if seen == "whole" else msgspec.json.decode(payload)["error"]
            return seen, error.get("type", ""), error.get("code", ""), stage.said.get("x-should-retry")

        with ThreadPoolExecutor(50) as crowd:
            told = list(crowd.map(one, range(200)))
        found = stage.standing()
    assert Counter(seen for seen, *_ in told) == {"whole": 10, "error": 190}
    kind = "insufficient_quota" if wire == "chat" else "billing_error"
    assert {tuple(rest) for seen, *rest in told if seen == "error"} == {(kind, "insufficient_quota", "false")}
    assert len(stage.inside.asked) == 10
    assert (Decimal(found["spent"]["all"]), Decimal(found["reserved"])) == (budget.limit_usd, 0)
