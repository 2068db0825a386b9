"""A gateway in front of scripted upstreams on which everything happened that a metric can tell of; what it then shows."""

import contextlib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from tests.integration.server.conftest import HEAD, Door, asking, opened_door
from tests.integration.telemetry.collector import Collector, collecting, until
from tierwise.config import Document, Settings
from tierwise.core.label import Tier
from tierwise.core.usage import Price
from tierwise.economics.budget import Budget
from tierwise.economics.given import Given
from tierwise.economics.own import Machine, Served
from tierwise.gateway.workflow import Workflow
from tierwise.policy.settings import Rule, Then, When
from tierwise.quality.settings import Gates
from tierwise.registry.settings import EndpointRow, ModelRow
from tierwise.telemetry.settings import TelemetrySettings
from tierwise.testing import ScriptedUpstream

PRICE = Price(input_usd_per_mtok=Decimal(2), output_usd_per_mtok=Decimal(10))
CARD = "order 4556 7375 8689 9855 is late"


def document(upstream: ScriptedUpstream, collector: Collector) -> Document:
    """Two tiers, and a server that tells its slots; a workflow for each way in which a call can go wrong."""
    upstream.pages |= {"/props": {"total_slots": 2}, "/slots": [{"is_processing": True}, {"is_processing": False}]}

    def model(name: str, endpoint: str, script: str = "") -> ModelRow:
        price = PRICE if endpoint == "far" else None
        return ModelRow(id=name, endpoint=endpoint, served_name="m" + script, price=price, strength=len(name))

    return Document(
        endpoint=(
            EndpointRow(name="near", kind="scripted", url=upstream.url),
            EndpointRow(name="slotted", kind="llamacpp", url=upstream.url),
            EndpointRow(name="far", kind="scripted", tier=Tier.FRONTIER, url=upstream.url),
        ),
        model=(
            model("near", "near"),
            model("far", "far", "?cached=2&thinking=hm"),
            model("broken", "near", "?fault=error&status=503"),
            model("refusing", "near", "?fault=refusal"),
            model("cutting", "far", "?fault=bad_json"),
            model("short", "near", "?reads=5"),
            ModelRow(id="busy", endpoint="slotted", served_name="m", tasks=("nothing here",)),
            ModelRow(id="numbers", endpoint="far", served_name="m", capabilities=("embeddings",), price=PRICE),
        ),
        workflow=(
            Workflow(name="falling", candidates=("broken", "far"), trusted=("broken",)),
            Workflow(name="climbing", candidates=("refusing", "far"), strategy="cascade", gates=Gates(refusal=True)),
            Workflow(name="lost", candidates=("cutting",)),
        ),
        rule=(Rule(name="no-far", when=When(workflow="lost", tier=Tier.FRONTIER, model="far"), then=Then(deny=True)),),
        budget=(
            Budget(scope="all", limit_usd=Decimal(10)),
            Budget(scope="workflow:falling", limit_usd=Decimal(10), soft_limit_usd=Decimal("0.00000001")),
        ),
        machine=(
            Machine(
                name="rack",
                endpoint="near",
                busy_share=Given(value=Decimal("0.5")),
                usd_per_month=Given(value=Decimal(80)),
                serves=(Served(model="near", output_tokens_per_s=Given(value=Decimal(100))),),
            ),
        ),
        telemetry=TelemetrySettings(url=collector.url, every_s=0.01, metrics_every_s=0.05, openinference=True),
    )


def happen(door: Door) -> None:
    """Ask for everything."""

    def ask(model: str, text: str = "one two", head: bytes = b"", **more: object) -> int:
        return door.ask(asking(model, text, **more), HEAD + head)[0]

    assert ask("near") == ask("near", stream=True) == ask("far") == 200
    assert ask("auto:falling") == ask("auto:climbing") == 200
    assert ask("far", CARD) == 403
    assert ask("auto:lost") >= 500
    assert ask("short", " ".join(f"w{number}" for number in range(3000))) == 200
    embed = b'{"model": "numbers", "input": "one two"}'
    assert door.ask(embed, HEAD, b"/v1/embeddings")[0] == 200
    assert ask("near", head=b"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n") == 200


def shown(door: Door) -> str:
    """Return what Prometheus would read."""
    answer = door.send(b"GET /metrics HTTP/1.1\r\n%bConnection: close\r\n\r\n" % HEAD)
    assert answer[9:12] == b"200"
    return answer.partition(b"\r\n\r\n")[2].decode()


@contextlib.contextmanager
def played(home: Path) -> Iterator[tuple[str, Collector]]:
    """Let it all happen; gives what `/metrics` shows at the end, and the collector."""
    with collecting() as collector, ScriptedUpstream.in_thread(models=("m",)) as upstream:
        with opened_door(Settings(document=document(upstream, collector), home=home), upstream) as door:
            happen(door)
            assert until(lambda: len([span for span in collector.spans if span.kind == 2]) >= 10)
            assert until(lambda: "tierwise_incidents_open{" in shown(door))
            text = shown(door)
        yield text, collector  # everything was sent, the metrics too
