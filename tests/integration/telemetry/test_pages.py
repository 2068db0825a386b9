"""The pages and the dashboard tell of what a gateway on which everything has happened really shows."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.documents import dashboard, telemetry
from tests.integration.telemetry.collector import Collector, read_attributes
from tests.integration.telemetry.scene import played

METRIC, LABELS, GROUPED = r"\b(tierwise_[a-z_]+)", r"\{([^{}]*)\}", r"\bby \(([^)]*)\)"


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Collector]]:
    with played(tmp_path_factory.mktemp("scene")) as seen:
        yield seen


def labels_of(text: str) -> dict[str, set[str]]:
    """Return the labels of each sample's name."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name] |= set(sample.labels)
    return dict(found)


def unknown(query: str, labels: dict[str, set[str]]) -> list[str]:
    """Name what a query asks for and nobody shows."""
    wrong = []
    for part in re.split(r"\)\s/\s\(", query):
        names = set(re.findall(METRIC, part))
        asked = {label.strip() for group in re.findall(GROUPED, part) for label in group.split(",")}
        asked |= {one.partition("=")[0].strip(" !") for group in re.findall(LABELS, part) for one in group.split(",")}
        wrong += [name for name in names if name not in labels]
        wrong += [f"{name}: {label}" for name in names for label in asked - labels.get(name, asked)]
        wrong += [] if names else [f"no metric in {part}"]
    return wrong


def test_every_query_of_the_dashboard_asks_for_what_is_shown(shown: tuple[str, Collector]) -> None:
    labels = labels_of(shown[0])
    assert not [f"{query}: {wrong}" for query in dashboard.queries() if (wrong := unknown(query, labels))]


def test_a_query_for_what_nobody_shows_would_be_noticed(shown: tuple[str, Collector]) -> None:
    labels = labels_of(shown[0])
    assert unknown("sum by (teir) (rate(tierwise_decisions_total[5m]))", labels)
    assert unknown('tierwise_decisions_total{key="ada"}', labels)
    assert unknown("rate(tierwise_decision_total[5m])", labels)
    assert unknown("rate(up[5m])", labels)


def test_every_metric_is_on_the_dashboard(shown: tuple[str, Collector]) -> None:
    told = " ".join(dashboard.queries())
    ends = re.compile(r"_(bucket|sum|count)$")
    assert not {name for name in labels_of(shown[0]) if ends.sub("", name) not in told}


def test_the_dashboard_is_as_its_panels_say() -> None:
    assert dashboard.PAGE.read_text("utf-8") == dashboard.page(), "python -m tests.documents.dashboard writes it anew"
    read = json.loads(dashboard.page())
    assert [panel["title"] for panel in read["panels"] if panel["type"] == "row"] == ["Where", "Why", "Cost", "Quality"]
    assert len({panel["id"] for panel in read["panels"]}) == len(read["panels"])
    written = {target["expr"] for panel in read["panels"] for target in panel.get("targets", ())}
    assert written == set(dashboard.queries())


def test_the_page_tells_every_name_there_is() -> None:
    assert telemetry.PAGE.read_text("utf-8") == telemetry.page(), "scripts/docs writes it anew"


def test_what_arrived_is_on_the_page(shown: tuple[str, Collector]) -> None:
    page = Path(telemetry.PAGE).read_text("utf-8")
    names = {name for span in shown[1].spans for name in read_attributes(span.attributes)} | set(shown[1].metrics)
    assert len(names) > 60
    assert not [name for name in sorted(names) if f"`{name}`" not in page]


def test_a_callers_header_arrived_as_its_trace(shown: tuple[str, Collector]) -> None:
    (span,) = (span for span in shown[1].spans if span.parent_span_id.hex() == "00f067aa0ba902b7")
    assert span.trace_id.hex() == "4bf92f3577b34da6a3ce929d0e0e4736"


def test_no_series_of_a_server_has_more_than_its_configuration(shown: tuple[str, Collector]) -> None:
    text = shown[0]
    assert "tierwise_connections_open 1\n" in text
    assert not re.search(r'\b(key|session|user|id|trace)="', text)
