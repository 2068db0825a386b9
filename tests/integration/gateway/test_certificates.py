"""A certificate in a running gateway: what it gives, when it stops, and what drift does to it."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import msgspec

from tests.integration.gateway.conftest import Build, House
from tierwise import bootstrap
from tierwise.core.certificate import Accepts, Certificate, Quality
from tierwise.core.decision import CertificateRecord, Decision
from tierwise.core.label import Label
from tierwise.core.model import Capability
from tierwise.evals import certificates
from tierwise.evals.bundles import bundle_now
from tierwise.gateway.workflow import Workflow
from tierwise.ledger.incidents import Incident
from tierwise.policy.released import Written
from tierwise.policy.settings import LabelSettings, Rule, Then, When

FLOW = Workflow(name="tickets", candidates=("near", "far"), strategy="cascade", on_gate_failure="flag")
ABLE: tuple[Capability, ...] = ("stream", "json", "logprobs")
PATIENCE_S = 30.0


def certify(home: House, threshold: float | None, **changed: Any) -> Certificate:
    """Issue a certificate for what answers in this house now, and name it in the workflow as a restart would."""
    gateway, settings = home.gateway, home.wired.settings
    parts: dict[str, Any] = {
        "workflow": FLOW.name,
        "bundle": bundle_now(gateway.rules, FLOW, ("near", "far"), settings),
        "guarantee": "wrong_given_accepted",
        "max_wrong": 0.05,
        "confidence": 0.95,
        "accepts": (Accepts(model="near", threshold=threshold),),
        "quality": (Quality(model="near", score=0.9, baseline_score=1, difference=-0.1, low=-0.2, high=0, n=100),),
        "issued": time.time(),
        "expires": time.time() + 3600,
        "evidence": "sha256:e",
        "dataset": "sha256:d",
        "clusters": 100,
        "baseline": "far",
    }
    made = Certificate(**{**parts, **changed})
    certificates.keep(settings, made)
    flow = msgspec.structs.replace(FLOW, certificate=made.digest)
    rules = msgspec.structs.replace(gateway.rules, workflows={FLOW.name: flow})
    gateway.rules = msgspec.structs.replace(rules, certified=certificates.certified(rules, settings))
    return made


async def asked(home: House) -> Decision:
    return (await home.ask(model="auto:tickets")).decision


def record(decision: Decision) -> CertificateRecord:
    assert decision.certificate
    return decision.certificate


async def until(found: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while not (value := found()):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    return value


def house_of(house: Build) -> Any:
    return house(workflow=(FLOW,), able=ABLE)


def test_what_is_sure_enough_is_kept_and_the_record_says_under_which_certificate(house: Build):
    async def go() -> None:
        async with house_of(house) as home:
            made = certify(home, -5.0)
            reply = await home.ask(model="auto:tickets")
            assert home.asked() == {"near": 1, "mid": 0, "far": 0}
            assert reply.strip_logprobs, "the gate asked for them, the caller did not"
            decision = await home.recorded(reply.decision.id)
            assert record(decision) == CertificateRecord(digest=made.digest, valid=True)
            assert {one.model: one.expected_quality for one in decision.candidates} == {"near": 0.8, "far": 1.0}

    asyncio.run(go())


def test_what_is_not_sure_enough_goes_on_to_the_baseline(house: Build):
    async def go() -> None:
        async with house_of(house) as home:
            certify(home, -0.000001)
            decision = await asked(home)
            assert [one.model for one in decision.attempts] == ["near", "far"]
            assert decision.attempts[0].gate is not None and decision.attempts[0].gate.name == "min_logprob"
            assert decision.outcome == "answered"

    asyncio.run(go())


def test_one_that_expires_while_the_gateway_runs_stops_counting(house: Build):
    async def go() -> None:
        async with house_of(house) as home:
            certify(home, -5.0, expires=time.time() + 0.5)
            assert (await asked(home)).chosen == "near"
            await until(
                lambda: home.gateway.facts.clock() > home.gateway.rules.certified["tickets"].certificate.expires
            )
            decision = await asked(home)
            assert decision.chosen == "far", "without evidence the strongest is first"
            assert "it expired on" in record(decision).void[0]

    asyncio.run(go())


def test_a_release_of_another_policy_makes_it_void_at_once(house: Build):
    async def go() -> None:
        async with house_of(house) as home:
            certify(home, -5.0)
            policy = Written(
                labels=LabelSettings(), rule=(Rule(when=When(label=Label.RESTRICTED), then=Then(deny=True)),)
            )
            gateway = home.gateway
            gateway.rules = gateway.rules.under(policy)
            assert record(await asked(home)).void == ("changed: policy",)

    asyncio.run(go())


def test_a_certificate_that_goes_missing_is_found_out_while_the_gateway_runs(house: Build):
    async def go() -> None:
        async with house_of(house) as home:
            made = certify(home, -5.0)
            followed = certificates.Followed(home.gateway, home.wired.settings, home.wired.transport)
            await followed.look()
            assert record(await asked(home)).valid
            path = certificates.path_of(home.wired.settings, made.digest)
            path.unlink()
            await followed.look()
            decision = await asked(home)
            assert decision.outcome == "answered", "a void certificate stops nobody"
            assert "cannot be read" in record(decision).void[0]
            certificates.keep(home.wired.settings, made)
            await followed.look()
            assert record(await asked(home)).valid

    asyncio.run(go())


def test_drift_opens_an_incident_and_the_certificate_counts_again_when_a_person_has_closed_it(house: Build):
    async def go() -> None:
        async with house_of(house) as home:
            # When it was certified answers were surer than the scripted ones are.
            made = certify(home, -5.0, reference={"near": tuple(-0.001 * at / 200 for at in range(200, 0, -1))})
            gateway = home.gateway
            for _ in range(100):
                await asked(home)
            await until(lambda: gateway.facts.drifted)
            decision = await asked(home)
            assert decision.chosen == "far"
            assert "drift" in record(decision).void[0]

            opened: list[Incident] = []
            deadline = time.monotonic() + PATIENCE_S
            while not opened:
                assert time.monotonic() < deadline
                opened = await home.wired.ledger.incidents()
            (incident,) = opened
            assert (incident.kind, incident.severity) == ("drift", "warning")
            assert incident.subject == f"workflow:tickets under {made.digest[:19]}"
            assert incident.decisions

            # Another process that opens the ledger hears of it, whatever the gateway knows.
            assert gateway.facts.drifted == {incident.subject}
            await asyncio.to_thread(
                bootstrap.books(home.wired.settings).incidents().close, incident.id, "ann", "was a test"
            )
            await until(lambda: not gateway.facts.drifted)
            assert record(await asked(home)).valid

    asyncio.run(go())
