"""A whole gateway with a collector, a good one and every bad one: what leaves, what stays, and that nobody waits."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from time import monotonic
from typing import Any

import msgspec
import pytest
import trustme

from tests.integration.gateway.conftest import Build, House, house, text_of
from tests.integration.telemetry.collector import (
    MISBEHAVIOURS,
    Collector,
    collecting,
    misbehaving,
    read_attributes,
    until,
)
from tierwise.core.call import Hints
from tierwise.core.errors import ConfigError
from tierwise.core.label import Label, Tier
from tierwise.core.trace import Trace, span_id, trace_id
from tierwise.economics.budget import Budget
from tierwise.gateway.workflow import Workflow
from tierwise.telemetry.settings import TelemetrySettings

__all__ = ["house"]

TRACE = Trace(id="4bf92f3577b34da6a3ce929d0e0e4736", parent="00f067aa0ba902b7")


def sending(url: str, **more: Any) -> TelemetrySettings:
    return TelemetrySettings(url=url, **{"every_s": 0.01, "timeout_s": 1.0, "flush_s": 2.0, **more})


async def arrived(collector: Collector, count: int) -> list[Any]:
    assert await asyncio.to_thread(until, lambda: len(collector.spans) >= count), len(collector.spans)
    return [(span, read_attributes(span.attributes)) for span in collector.spans]


def run(scene: Callable[[Collector], Any]) -> None:
    with collecting() as collector:
        asyncio.run(scene(collector))


def dropped(h: House) -> dict[str, int]:
    exporter = h.wired.observed.exporter
    assert exporter is not None
    return {str(point.labels["why"]): int(point.value) for point in exporter.dropped().points if point.value}


@pytest.mark.parametrize("names", ["v1.41", "latest"])
def test_a_call_with_a_fallback_arrives_as_one_span_and_two_below(house: Build, names: Any) -> None:
    async def scene(collector: Collector) -> None:
        served = {"far": "scripted-far?fault=error&status=503"}
        async with house(served=served, telemetry=sending(collector.url, names=names)) as h:
            reply = await h.ask()
            attempts = reply.decision.attempts
            (call, told), *laps = await arrived(collector, 1 + len(attempts))
            assert told["tierwise.route.id"] == reply.decision.id
            assert told["tierwise.route.attempt.count"] == len(attempts) == len(laps) == 3
            assert {lap.parent_span_id for lap, _ in laps} == {call.span_id}
            assert {lap.trace_id.hex() for lap, _ in laps} == {call.trace_id.hex()} == {trace_id(reply.decision.id)}
            assert [one.get("error.type") for _, one in laps] == ["Overloaded", "Overloaded", None]
            assert (laps[0][1]["tierwise.route.status"], laps[2][1]["server.address"]) == (503, "127.0.0.1")
            assert told["tierwise.route.reason"] == "fallback"
            text = h.wired.observed.metrics.render().decode()
            assert 'tierwise_retries_total{cause="server_error",from="frontier",to="frontier"} 1' in text
            assert 'tierwise_fallbacks_total{cause="server_error",from="frontier",to="self_hosted"} 1' in text

    run(scene)


def test_metrics_arrive_under_both_sorts_of_names(house: Build) -> None:
    async def scene(collector: Collector) -> None:
        async with house(telemetry=sending(collector.url, names="latest")) as h:
            for _ in range(3):
                await h.ask()
        found = collector.metrics
        assert sum(point.as_int for point in found["tierwise.decisions"].sum.data_points) == 3
        (duration,) = found["gen_ai.client.inference.duration"].histogram.data_points
        assert duration.count == 3
        assert read_attributes(duration.attributes)["gen_ai.provider.name"] == "scripted"
        (tokens,) = found["gen_ai.client.inference.usage.input_tokens"].sum.data_points
        assert tokens.as_int == sum(up.prompt_tokens for up in h.upstreams.values())

    run(scene)


@pytest.mark.parametrize(("tier", "told"), [(None, True), (Tier.FRONTIER, False)])
def test_metrics_name_no_workflow_to_a_collector_that_some_label_does_not_reach(
    house: Build, tier: Tier | None, told: bool
) -> None:
    async def scene(collector: Collector) -> None:
        more = {
            "workflow": (Workflow(name="layoffs"), Workflow(name="other")),
            "budget": (Budget(scope="workflow:layoffs", limit_usd=Decimal(5)),),
        }
        async with house(telemetry=sending(collector.url, tier=tier), **more) as h:
            for workflow in ("layoffs", "other"):
                await h.ask(hints=Hints(workflow=workflow))
            assert b"layoffs" in h.wired.observed.metrics.render(), "who scrapes us has it"
        bodies = b"".join(body for path, _, body in collector.requests if path == "/v1/metrics")
        assert (b"layoffs" in bodies) is told
        counted = [point.as_int for point in collector.metrics["tierwise.workflow.calls"].sum.data_points]
        assert counted == ([1, 1] if told else [2])

    run(scene)


def test_the_collectors_headers_are_secrets_of_the_environment(house: Build) -> None:
    async def scene(collector: Collector) -> None:
        telemetry = sending(collector.url, headers={"authorization": "env:COLLECTOR"})
        async with house(telemetry=telemetry, environ={"COLLECTOR": "Bearer canary-5f1d"}) as h:
            await h.ask()
            await arrived(collector, 2)
            assert b"canary-5f1d" not in h.wired.observed.metrics.render()
        path, headers, body = collector.requests[0]
        assert (path, headers["content-type"]) == ("/v1/traces", "application/x-protobuf")
        assert headers["authorization"] == "Bearer canary-5f1d"
        assert b"canary-5f1d" not in body

    run(scene)


CARD = "order 4556 7375 8689 9855 is late"


@pytest.mark.parametrize(("tier", "withheld"), [(None, False), (Tier.FRONTIER, True)])
def test_a_label_that_does_not_reach_the_collectors_tier_keeps_the_callers_words(
    house: Build, tier: Tier | None, withheld: bool
) -> None:
    async def scene(collector: Collector) -> None:
        async with house(telemetry=sending(collector.url, tier=tier, openinference=True)) as h:
            reply = await h.ask(CARD, hints=Hints(session="ada@example.org"))
            assert reply.decision.label.value is Label.CONFIDENTIAL
            spans = await arrived(collector, 2)
            assert spans[0][1].get("tierwise.telemetry.withheld", False) is withheld
            bodies = b"".join(body for _, _, body in collector.requests)
            assert (b"ada@example.org" in bodies) is not withheld
            assert b"4556" not in bodies

    run(scene)


def test_a_release_that_tightens_the_ceilings_is_obeyed_at_once(house: Build) -> None:
    async def scene(collector: Collector) -> None:
        async with house(telemetry=sending(collector.url, tier=Tier.FRONTIER)) as h:
            await h.ask(hints=Hints(session="one@example.org"))
            await arrived(collector, 2)
            tighter = h.gateway.rules.labels
            tight = msgspec.structs.replace(tighter, preset="private")
            h.gateway.rules = msgspec.structs.replace(h.gateway.rules, labels=tight)
            await h.ask(hints=Hints(session="two@example.org"))
            await arrived(collector, 4)
        bodies = b"".join(body for _, _, body in collector.requests)
        assert b"one@example.org" in bodies
        assert b"two@example.org" not in bodies

    run(scene)


@pytest.mark.parametrize(("pass_on_to", "told"), [(None, 0), (Tier.LOCAL, 1), (Tier.FRONTIER, 2)])
def test_a_trace_is_handed_on_only_as_far_as_was_said(house: Build, pass_on_to: Tier | None, told: int) -> None:
    async def scene(collector: Collector) -> None:
        telemetry = sending(collector.url, pass_on_to=pass_on_to)
        async with house(telemetry=telemetry) as h:
            replies = [await h.ask(model=model) for model in ("near", "far")]
            seen = [h.upstreams[name].asked[0].headers for name in ("near", "far")]
            parents = [headers.get("traceparent") for headers in seen]
            expected = [f"00-{trace_id(r.decision.id)}-{span_id(r.decision.id, 0)}-01" for r in replies]
            assert [one for one in parents if one] == expected[:told]
            assert [headers.get("baggage") for headers in seen].count("tierwise.counted=true") == told

    run(scene)


def test_a_callers_trace_goes_on_and_a_strange_header_is_no_trace(house: Build) -> None:
    async def scene(collector: Collector) -> None:
        async with house(telemetry=sending(collector.url)) as h:
            call = msgspec.structs.replace(h.call(), trace=TRACE)
            reply = await h.gateway.handle(call)
            (whole, _), _ = await arrived(collector, 2)
            assert (whole.trace_id.hex(), whole.parent_span_id.hex()) == (TRACE.id, TRACE.parent)
            assert (await h.recorded(reply.decision.id)).trace == TRACE

    run(scene)


async def ten_calls(h: House) -> None:
    began = monotonic()
    for _ in range(10):
        await text_of(await h.ask(stream=True))
    assert monotonic() - began < 5, "calls waited for the collector"
    assert await h.wired.ledger.count() == 10


@pytest.mark.parametrize("act", MISBEHAVIOURS, ids=lambda act: act.__name__)
def test_a_collector_that_misbehaves_slows_nothing_and_loses_no_row(house: Build, act: Any) -> None:
    async def scene() -> None:
        with misbehaving(act) as url:
            async with house(telemetry=sending(url, timeout_s=0.3, flush_s=0.5)) as h:
                await ten_calls(h)
                began = monotonic()
            assert monotonic() - began < 5, "the end waited for the collector"
            assert sum(dropped(h).values()) == 10

    asyncio.run(scene())


def test_a_collector_that_is_not_there_slows_nothing_and_loses_no_row(house: Build) -> None:
    async def scene() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with house(telemetry=sending(url, flush_s=0.5)) as h:
            await ten_calls(h)
        assert sum(dropped(h).values()) == 10

    asyncio.run(scene())


@pytest.mark.parametrize("status", [301, 307, 400, 401, 500])
def test_a_collector_that_refuses_is_not_asked_again_and_no_redirect_is_followed(house: Build, status: int) -> None:
    async def scene(collector: Collector) -> None:
        collector.answer = status
        async with house(telemetry=sending(collector.url, metrics=False)) as h:
            await h.ask()
            assert await asyncio.to_thread(until, lambda: dropped(h) == {"refused": 1}), dropped(h)
        assert [path for path, _, _ in collector.requests] == ["/v1/traces"]

    run(scene)


def test_a_collector_that_is_busy_is_asked_again(house: Build) -> None:
    async def scene(collector: Collector) -> None:
        collector.answer = 503
        async with house(telemetry=sending(collector.url, metrics=False)) as h:
            await h.ask()
            assert await asyncio.to_thread(until, lambda: bool(collector.requests))
            collector.answer = 200
            assert await asyncio.to_thread(until, lambda: len(collector.requests) == 2)
            exporter = h.wired.observed.exporter
            assert exporter is not None
            assert await asyncio.to_thread(until, lambda: exporter.sent == 1)
        assert not dropped(h)
        assert collector.requests[0][2] == collector.requests[1][2]

    run(scene)


def test_a_full_queue_drops_spans_counts_them_and_still_counts_every_call(house: Build) -> None:
    async def scene() -> None:
        with misbehaving(MISBEHAVIOURS[0]) as url:
            settings = sending(url, max_queued=3, timeout_s=30, flush_s=0.2, every_s=0.01)
            async with house(telemetry=settings) as h:
                for _ in range(20):
                    await h.ask()
                assert dropped(h)["queue_full"] >= 12
                text = h.wired.observed.metrics.render().decode()
                assert f'tierwise_telemetry_dropped_total{{why="queue_full"}} {dropped(h)["queue_full"]}\n' in text
                decisions = [line for line in text.splitlines() if line.startswith("tierwise_decisions_total{")]
                assert sum(int(line.rpartition(" ")[2]) for line in decisions) == 20

    asyncio.run(scene())


def test_what_waits_at_the_end_is_sent(house: Build) -> None:
    async def scene(collector: Collector) -> None:
        async with house(telemetry=sending(collector.url, every_s=600)) as h:
            for _ in range(5):
                await h.ask()
            assert not collector.spans
        assert len(collector.spans) == 10
        assert collector.metrics

    run(scene)


@pytest.mark.parametrize("trusted", [False, True])
def test_a_collector_whose_certificate_nobody_vouches_for_gets_nothing(
    house: Build, tmp_path: Path, trusted: bool
) -> None:
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))

    async def scene() -> None:
        with collecting(tls) as collector:
            telemetry = sending(collector.url, ca_file=str(tmp_path / "ca.pem") if trusted else None, flush_s=0.5)
            async with house(telemetry=telemetry) as h:
                await h.ask()
            assert len(collector.spans) == (2 if trusted else 0)
            assert dropped(h) == ({} if trusted else {"unreachable": 1})

    asyncio.run(scene())


@pytest.mark.parametrize("url", ["nonsense", "http://user:secret-9d@host/", "ftp://host", "http://host/?a=b"])
def test_an_address_that_is_none_is_told_at_the_start(house: Build, url: str) -> None:
    async def scene() -> None:
        async with house(telemetry=sending(url, tier=Tier.FRONTIER)):
            pass

    with pytest.raises(ConfigError, match="telemetry") as refused:
        asyncio.run(scene())
    assert "secret-9d" not in str(refused.value)


def test_no_proxy_of_the_environment_is_used(house: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "OTEL_EXPORTER_OTLP_ENDPOINT"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    async def scene(collector: Collector) -> None:
        async with house(telemetry=sending(collector.url)) as h:
            await h.ask()
            await arrived(collector, 2)

    run(scene)


def test_budgets_and_what_waits_are_shown_without_anybodys_key(house: Build) -> None:
    async def scene() -> None:
        budgets = (
            Budget(scope="key:ada", limit_usd=Decimal(5)),
            Budget(scope="workflow:tickets", limit_usd=Decimal(1)),
        )
        flow = Workflow(name="tickets")
        async with house(budget=budgets, workflow=(flow,)) as h:
            await h.ask(hints=Hints(workflow="tickets"))
            text = h.wired.observed.metrics.render().decode()
            assert 'tierwise_budget_remaining_usd{budget="0",scope="key",window="1d"} 5\n' in text
            assert 'scope="workflow:tickets",window="1d"}' in text
            assert "ada" not in text
            assert "tierwise_ledger_pending_rows 0\n" in text
            assert 'tierwise_ledger_write_seconds_count{what="outcome"} 1\n' in text

    asyncio.run(scene())
