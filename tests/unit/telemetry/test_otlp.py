"""What is written by hand is read by the official classes, value for value."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Official

from tests.integration.telemetry.collector import plain, read_attributes
from tests.unit.telemetry.samples import HOSTILE, KNOWN, NAMINGS, WHOLE
from tierwise.core.decision import Decision
from tierwise.telemetry import otlp
from tierwise.telemetry.families import Family, Point
from tierwise.telemetry.names import naming
from tierwise.telemetry.spans import Span, spans

RESOURCE: dict[str, otlp.Value] = {"service.name": "tierwise"}
SCOPE = ("tierwise", "1.2")


def read(made: tuple[Span, ...], schema: str = "") -> Any:
    request = ExportTraceServiceRequest.FromString(otlp.traces(made, RESOURCE, SCOPE, schema))
    (resource,) = request.resource_spans
    (scope,) = resource.scope_spans
    assert read_attributes(resource.resource.attributes) == RESOURCE
    assert (scope.scope.name, scope.scope.version, scope.schema_url) == (*SCOPE, schema)
    return scope.spans


def same(span: Span, found: Any) -> None:
    kinds = {"server": Official.SPAN_KIND_SERVER, "client": Official.SPAN_KIND_CLIENT}
    assert (found.name, found.kind) == (span.name, kinds[span.kind])
    assert (found.trace_id.hex(), found.span_id.hex(), found.parent_span_id.hex()) == (span.trace, span.id, span.parent)
    assert (found.start_time_unix_nano, found.end_time_unix_nano) == (span.start_ns, span.end_ns)
    assert (found.status.code == 2) == span.failed
    told = {name: list(value) if isinstance(value, tuple) else value for name, value in span.attributes.items()}
    assert plain(read_attributes(found.attributes)) == plain(told)


def test_a_whole_call_comes_back() -> None:
    made = spans(WHOLE, 1.25, KNOWN, naming("v1.41", openinference=True))
    for span, found in zip(made, read(made, "https://opentelemetry.io/schemas/1.41.0"), strict=True):
        same(span, found)


@given(HOSTILE, st.booleans())
def test_any_call_comes_back(decision: Decision, reaches: bool) -> None:
    made = tuple(span for chosen in NAMINGS for span in spans(decision, 1, KNOWN, chosen, reaches=reaches))
    for span, found in zip(made, read(made), strict=True):
        same(span, found)


VALUES = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"])), st.booleans(), st.integers(-(1 << 63), (1 << 63) - 1),
    st.floats(allow_nan=False), st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=3).map(tuple),
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["a", "b.c", "ü"]), VALUES))
def test_any_value_comes_back(values: dict[str, Any]) -> None:
    span = Span(
        name="n", kind="client", trace="1" * 32, id="2" * 16, parent="", start_ns=1, end_ns=2, attributes=values,
        failed=False,
    )  # fmt: skip
    same(span, read((span,))[0])


def test_metrics_come_back() -> None:
    labels = {"a": "b", "server.port": 443}
    families = (
        Family(name="n.count", kind="counter", text="t", points=(Point(labels=labels, value=1 << 60),)),
        Family(name="n.money", kind="counter", unit="USD", text="t", points=(Point(value=0.25),)),
        Family(name="n.now", kind="gauge", text="t", points=(Point(value=-3),)),
        Family(name="n.none", kind="gauge", text="t"),
        Family(name="n.time", kind="histogram", unit="s", text="t", bounds=(0.5, 1.0),
               points=(Point(labels=labels, value=2.5, counts=(1, 0, 300)),)),
    )  # fmt: skip
    request = ExportMetricsServiceRequest.FromString(otlp.metrics(families, RESOURCE, SCOPE, "", (7, 9)))
    count, money, now, time = request.resource_metrics[0].scope_metrics[0].metrics
    assert (count.name, count.description, money.unit, now.name) == ("n.count", "t", "USD", "n.now")
    assert count.sum.is_monotonic
    assert count.sum.aggregation_temporality == AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
    (point,) = count.sum.data_points
    assert (point.as_int, point.start_time_unix_nano, point.time_unix_nano) == (1 << 60, 7, 9)
    assert read_attributes(point.attributes) == labels
    assert (money.sum.data_points[0].as_double, now.gauge.data_points[0].as_int) == (0.25, -3)
    (histogram,) = time.histogram.data_points
    assert (histogram.count, histogram.sum) == (301, 2.5)
    assert (list(histogram.bucket_counts), list(histogram.explicit_bounds)) == ([1, 0, 300], [0.5, 1.0])
    assert read_attributes(histogram.attributes) == labels
    assert time.histogram.aggregation_temporality == AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
