"""docs/reference/telemetry.md, written from the table of names and from a gateway on which everything has happened:
`python -m tests.documents.telemetry`, which `scripts/docs` calls."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.integration.telemetry.collector import read_attributes
from tests.integration.telemetry.scene import played
from tierwise.telemetry.families import Family
from tierwise.telemetry.names import ATTRIBUTES, METRICS, SOURCES, Metric, Name

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "telemetry.md"
HEAD = f"""\
# Telemetry: spans and metrics

Written by `scripts/docs` from the table of names (`src/tierwise/telemetry/names.py`) and from a gateway at work. How to connect a
collector, Prometheus and Grafana: [observe a gateway](../howto/observe.md); the settings: [configuration](configuration.md#telemetry).

Two GenAI conventions are spoken, one at a time: `v1.41`, the last one that was released, and `latest`, what its new repository
says since then. Tests hold every name against both registries.

| | read from |
|---|---|
| `v1.41` | {SOURCES["v1.41"]} |
| `latest` | {SOURCES["latest"]} |
| OpenInference | {SOURCES["openinference"]} |

## Spans

A call is one span of kind SERVER from the request to the end of the answer; waiting between attempts is part of it. Below it
stands one span of kind CLIENT for each attempt, named `chat MODEL`. Tokens and cost stand on attempts alone: sum those. What a call costs in all is told under a name of its own, which is not to be added to them. A second attempt at
the same model is a retry, not a fallback.

No content is in any of it, and there is no setting for that. Errors are told by their class, never by their text. What a caller or
an endpoint wrote (the session, the model that an endpoint says it is) is told only where it looks like a name: up to 128
letters, digits and `._:/@+~#-`.

**Withheld** attributes are left out where the ceiling of the call's label does not reach the collector's tier. Then the caller's trace is
not continued either, and the spans say `tierwise.telemetry.withheld`.

`service.name` and `service.version` are on the resource. A trace that no caller began has an id that follows from the decision's.

"""
ATTRIBUTE_HEAD = "| v1.41 | latest, where other | OpenInference | what it says | withheld |\n|---|---|---|---|---|\n"
METRIC_HEAD = "| Prometheus | OTLP | kind | labels | what it counts |\n|---|---|---|---|---|\n"
GENAI_HEAD = "| what | v1.41 | latest | latest, embeddings | kind, unit |\n|---|---|---|---|---|\n"
METRICS_TEXT = """
## Metrics

`GET /metrics` shows them to Prometheus, and a collector gets the same by OTLP. A label's value is of a closed set or from the
configuration, anything else is `other`: never a key, a session or an id. Every call is counted, whatever becomes of its spans.
A collector that some label does not reach is told no workflow's name: neither those labels of metrics nor their sums apart.
`tierwise_cost_usd_total` is exact to the last digit as it is shown; `cache_read`, `cache_write` and `reasoning` are parts of `input` and
`output`, never to be added to them. `source` is `reported`, or `estimated` where an endpoint did not say.

"""
GENAI_TEXT = """
### In the words of the conventions

By OTLP only, beside ours, with `gen_ai.operation.name`, `gen_ai.provider.name`, `gen_ai.request.model`, `server.address`,
`server.port`, `error.type` on durations of failures, `gen_ai.token.type` (v1.41) or `gen_ai.token.modality` (latest).

"""


def page() -> str:
    """Write the page; plays a scene on loopback."""
    with tempfile.TemporaryDirectory() as home:
        with played(Path(home)) as (_, collector):
            pass
        own = {name: metric for name, metric in collector.metrics.items() if name.startswith("tierwise.")}
    attributes = "".join(f"| {' | '.join(_attribute(row))} |\n" for row in ATTRIBUTES)
    metrics = "".join(f"| {' | '.join(_metric(metric))} |\n" for _, metric in sorted(own.items()))
    conventional = "".join(f"| {' | '.join(_conventional(row))} |\n" for row in METRICS)
    return (
        HEAD
        + ATTRIBUTE_HEAD
        + attributes
        + METRICS_TEXT
        + METRIC_HEAD
        + metrics
        + GENAI_TEXT
        + GENAI_HEAD
        + conventional
    )


def _attribute(row: Name) -> tuple[str, ...]:
    return (
        f"`{row.v141}`" if row.v141 else "",
        f"`{row.latest}`" if row.latest else "",
        ", ".join(f"`{name}`" for name in row.openinference),
        row.text,
        "yes" if row.private else "",
    )


def _metric(metric: Any) -> tuple[str, ...]:
    kind = {"sum": "counter"}.get(metric.WhichOneof("data"), metric.WhichOneof("data"))
    family = Family(name=metric.name, kind=kind, unit=metric.unit, text="")
    labels = dict.fromkeys(_labels(getattr(metric, metric.WhichOneof("data")).data_points))
    return (
        f"`{family.prometheus}`",
        f"`{metric.name}`",
        f"{kind}, {metric.unit}" if metric.unit else kind,
        ", ".join(f"`{label}`" for label in labels),
        metric.description.rstrip("."),
    )


def _labels(points: Any) -> Iterator[str]:
    return (label for point in points for label in read_attributes(point.attributes))


def _conventional(row: Metric) -> tuple[str, ...]:
    names = (f"`{name}`" if name else "" for name in (row.v141, row.latest, row.latest_embeddings))
    return (row.text, *names, f"{row.kind}, `{row.unit}`")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
