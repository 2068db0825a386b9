"""A bill that the scripted upstream's own log writes agrees to the token; what is left out on either side is named."""

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import Installed
from tierwise.economics.reconcile import covers
from tierwise.testing import Script, ScriptedUpstream

FILE = """
[[endpoint]]
name = "outside"
kind = "scripted"
tier = "frontier"
url = "{url}"
wires = ["chat"]

[[model]]
id = "big"
endpoint = "outside"
served_name = "scripted-1"
price = {{ input_usd_per_mtok = "2", cache_read_usd_per_mtok = "1", output_usd_per_mtok = "10" }}
"""


class Bill:
    """What the provider wrote down: the requests that it answered, and when that was."""

    def __init__(self, installed: Installed, address: str, upstream: ScriptedUpstream) -> None:
        self.installed, self.address, self.upstream = installed, address, upstream
        self.began = int(time.time()) - 60
        self.cached: dict[int, int] = {}
        self.at: dict[int, float] = {}

    def ask(self, text: str, script: Script = Script(), url: str | None = None, **more: Any) -> str:
        """Send one call, through the gateway or straight to the provider."""
        self.upstream.script(script)
        self.cached[len(self.upstream.received) + (2 if script.fault == "error" else 1)] = script.cached
        asked = {
            "model": "big" if url is None else "scripted-1",
            "messages": [{"role": "user", "content": text}],
        } | more
        request = urllib.request.Request(
            f"{url or self.address + '/v1'}/chat/completions", json.dumps(asked).encode(),
            {"content-type": "application/json"},
        )  # fmt: skip
        with urllib.request.urlopen(request, timeout=30) as answer:
            answer.read()
            self.at[len(self.upstream.received)] = time.time()
            return answer.headers.get("x-tierwise-decision") or ""

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One row for each request that was answered, as the provider counts it."""
        return [
            {
                "id": f"chatcmpl-scripted-{number}", "at": self.at[number], "read": one.prompt_tokens,
                "cached": min(self.cached.get(number, 0), one.prompt_tokens), "written": one.completion_tokens,
            }
            for number, one in enumerate(self.upstream.received, 1)
            if one.completion_tokens
        ]  # fmt: skip


@pytest.fixture
def bill(installed: Installed, tmp_path: Path) -> Iterator[Bill]:
    with ScriptedUpstream.in_thread() as upstream:
        file = tmp_path / "tierwise.toml"
        file.write_text(FILE.format(url=upstream.url))
        installed.environment["TIERWISE_CONFIG"] = str(file)
        process, address = installed.start()
        found = Bill(installed, address, upstream)
        try:
            for number in range(4):
                found.ask("one two three " * (number + 1), stream=bool(number % 2))
            found.ask(" ".join(f"word{n}" for n in range(18)), Script(cached=5))
            found.ask("thought over", Script(thinking="let me see"))
            found.ask("again please", Script(fault="error", status=503))
            yield found
        finally:
            process.terminate()
            process.wait(20)
            assert process.stderr is not None
            process.stderr.close()


def hours(bill: Bill) -> tuple[datetime, datetime]:
    """The hours that the calls were in."""
    first = datetime.fromtimestamp(bill.began, UTC).replace(minute=0, second=0, microsecond=0)
    last = datetime.fromtimestamp(time.time() + 3600, UTC).replace(minute=0, second=0, microsecond=0)
    return first, last


def total(rows: list[dict[str, Any]], *names: str) -> int:
    return sum(row[name] for row in rows for name in names)


def usage_api(bill: Bill, rows: list[dict[str, Any]]) -> str:
    first, last = hours(bill)
    result = {
        "object": "organization.usage.completions.result", "input_tokens": total(rows, "read"),
        "input_cached_tokens": total(rows, "cached"), "output_tokens": total(rows, "written"),
        "num_model_requests": len(rows), "model": "scripted-1", "project_id": None,
    }  # fmt: skip
    bucket = {"object": "bucket", "start_time": int(first.timestamp()), "end_time": int(last.timestamp())}
    return json.dumps({"object": "page", "data": [bucket | {"results": [result]}], "has_more": False})


def usage_csv(bill: Bill, rows: list[dict[str, Any]]) -> str:
    first, last = hours(bill)
    head = "start_time,end_time,num_model_requests,model,input_tokens,output_tokens,input_cached_tokens\n"
    counts = f"{len(rows)}.0,scripted-1,{total(rows, 'read')},{total(rows, 'written')},{total(rows, 'cached')}\n"
    return f"{head}{int(first.timestamp())},{int(last.timestamp())},{counts}"


def usage_report(bill: Bill, rows: list[dict[str, Any]]) -> str:
    first, last = hours(bill)
    result = {
        "uncached_input_tokens": total(rows, "read") - total(rows, "cached"), "model": "scripted-1",
        "cache_creation": {"ephemeral_1h_input_tokens": 0, "ephemeral_5m_input_tokens": 0},
        "cache_read_input_tokens": total(rows, "cached"), "output_tokens": total(rows, "written"),
    }  # fmt: skip
    bucket = {"starting_at": first.isoformat(), "ending_at": last.isoformat(), "results": [result]}
    return json.dumps({"data": [bucket], "has_more": False, "next_page": None})


def days(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The rows of each UTC day: a test may run over midnight."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(f"{datetime.fromtimestamp(row['at'], UTC):%Y-%m-%d}", []).append(row)
    return found


def console(bill: Bill, rows: list[dict[str, Any]]) -> str:
    head = "usage_date_utc,model_version,usage_input_tokens_no_cache,usage_input_tokens_cache_write_5m,"
    head += "usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,usage_output_tokens\n"
    return head + "".join(
        f"{date},scripted-1,{total(of, 'read') - total(of, 'cached')},0,0,{total(of, 'cached')},{total(of, 'written')}\n"
        for date, of in days(rows).items()
    )


def generations(bill: Bill, rows: list[dict[str, Any]]) -> str:
    head = "generation_id,created_at,cost_total,tokens_prompt,tokens_completion,tokens_cached,model_permaslug\n"
    return head + "".join(
        f"{row['id']},{datetime.fromtimestamp(row['at'], UTC):%Y-%m-%d %H:%M:%S},"
        f"{(row['read'] * 2 - row['cached'] + row['written'] * 10) / 1e6:.6f},{row['read']},{row['written']},"
        f"{row['cached']},maker/scripted-1\n"
        for row in rows
    )


def spend_logs(bill: Bill, rows: list[dict[str, Any]]) -> str:
    return json.dumps([
        {
            "request_id": row["id"], "startTime": datetime.fromtimestamp(bill.began, UTC).isoformat(),
            "endTime": datetime.fromtimestamp(row["at"], UTC).isoformat(), "model": "scripted-1",
            "prompt_tokens": row["read"], "completion_tokens": row["written"], "metadata": {"status": "success"},
            "spend": (row["read"] * 2 - row["cached"] + row["written"] * 10) / 1e6,
        }
        for row in rows
    ])  # fmt: skip


def by_day(bill: Bill, rows: list[dict[str, Any]]) -> str:
    head = "date,model,input_tokens,cached,output_tokens,requests\n"
    return head + "".join(
        f"{date},big,{total(of, 'read')},{total(of, 'cached')},{total(of, 'written')},{len(of)}\n"
        for date, of in days(rows).items()
    )


Export = Callable[[Bill, list[dict[str, Any]]], str]
EXPORTS: tuple[Export, ...] = (
    usage_api, usage_csv, usage_report, console, generations, spend_logs, by_day,
)  # fmt: skip


def asked(bill: Bill, tmp_path: Path, export: Export, rows: list[dict[str, Any]], code: int = 0) -> Any:
    file = tmp_path / "export"
    file.write_text(export(bill, rows))
    words = ["reconcile", str(file), "--endpoint", "outside"]
    if export in (generations, spend_logs):
        words += ["--since", hours(bill)[0].isoformat(), "--until", hours(bill)[1].isoformat()]
    return bill.installed.json(*words, code=code)["result"]


def test_what_the_provider_wrote_down_is_what_the_ledger_has(bill: Bill, tmp_path: Path) -> None:
    rows = bill.rows
    for export in EXPORTS:
        found = asked(bill, tmp_path, export, rows)
        assert not found["differences"], export.__name__
        assert (found["attempts"], found["open"]) == (7, []), export.__name__
        assert found["provider"]["read"] == bill.upstream.prompt_tokens
        assert found["provider"]["written"] == bill.upstream.completion_tokens
        assert found["money"] == ("agrees" if export in (generations, spend_logs) else "not told"), export.__name__


def test_a_call_past_the_gateway_and_one_that_is_not_billed_are_named(bill: Bill, tmp_path: Path) -> None:
    honest = bill.rows
    bill.ask("secretly, straight to the provider", url=bill.upstream.url)
    (secret,) = [row for row in bill.rows if row not in honest and row["id"] not in {one["id"] for one in honest}]
    for export in EXPORTS:
        (difference,) = asked(bill, tmp_path, export, bill.rows, code=1)["differences"]
        assert difference["kind"] == "bypassed", export.__name__
        assert (difference["more"]["read"], difference["more"]["written"]) == (secret["read"], secret["written"])
        if export in (generations, spend_logs):
            assert difference["request_ids"] == [secret["id"]]
        (difference,) = asked(bill, tmp_path, export, honest[1:], code=1)["differences"]
        assert (difference["kind"], difference["more"]["read"]) == ("missing", -honest[0]["read"]), export.__name__


def test_an_endpoint_that_nobody_knows_is_refused(bill: Bill, tmp_path: Path) -> None:
    file = tmp_path / "export"
    file.write_text(by_day(bill, bill.rows))
    told = bill.installed.run("reconcile", str(file), "--endpoint", "outsied", code=2).stderr
    assert "neither the configuration nor a record names it" in told


def test_the_result_is_kept_for_a_proof_to_cite(bill: Bill, tmp_path: Path) -> None:
    import hashlib

    from tierwise.cli.reconcile import kept

    file, result = tmp_path / "export.csv", tmp_path / "result.json"
    file.write_text(generations(bill, bill.rows))
    told = bill.installed.run("reconcile", str(file), "--endpoint", "outside", "--keep", str(result))
    found, digest = kept(result)
    assert digest in told.stderr
    assert found.agrees
    assert found.files[0].sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert "They agree, to the token." in told.stdout
    assert covers([found.result], "outside", *found.result.spans[0])
    refused = bill.installed.run("reconcile", str(file), code=2)
    assert "--endpoint" in refused.stderr
