"""What is a metric, before it is written? Families of points, and Prometheus' text of them.

Pure. A family has its OpenTelemetry name; the one for Prometheus follows from it as the OTLP translation has it, so
both ways lead to the same dashboards. Amounts are written with every digit that they have.
"""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from itertools import accumulate
from typing import Any, Literal

import msgspec

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
UNITS = {"s": "_seconds", "USD": "_usd"}
Number = int | float | Decimal


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One series. Of a histogram `value` is the sum and `counts` those of each bucket, the last one open."""

    labels: Mapping[str, str | int] = {}
    value: Number = 0
    counts: tuple[int, ...] = ()


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """A metric and its series; `bounds` are the upper ones of a histogram's buckets."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    text: str
    unit: str = ""
    points: tuple[Point, ...] = ()
    bounds: tuple[float, ...] = ()

    @property
    def prometheus(self) -> str:
        """The name of its samples, without what a histogram's have beside it."""
        unit = UNITS.get(self.unit, "")
        return self.name.replace(".", "_") + unit + ("_total" if self.kind == "counter" else "")


def without_workflows(family: Family) -> Family:
    """Return the family with no workflow's name in it; points that are then of the same labels are added up."""
    if family.kind == "histogram":  # none has one
        return family
    found: dict[tuple[tuple[str, str | int], ...], Any] = {}
    for point in family.points:
        labels = {name: value for name, value in point.labels.items() if name != "workflow"}
        if str(labels.get("scope", "")).startswith("workflow:"):
            labels["scope"] = "workflow"
        key = tuple(labels.items())
        found[key] = found.get(key, 0) + point.value
    points = tuple(Point(labels=dict(key), value=value) for key, value in found.items())
    return msgspec.structs.replace(family, points=points)


def gauge(name: str, told: str, value: Number, unit: str = "") -> Family:
    """Return a family of one number."""
    return Family(name=name, kind="gauge", text=told, unit=unit, points=(Point(value=value),))


def text(families: Iterable[Family]) -> bytes:
    """Write families as Prometheus text (`CONTENT_TYPE`)."""
    return "".join(line for family in families for line in _lines(family)).encode()


def _lines(family: Family) -> Iterator[str]:
    name = family.prometheus
    yield f"# HELP {name} {_escaped(family.text)}\n# TYPE {name} {family.kind}\n"
    for point in family.points:
        if family.kind == "histogram":
            yield from _buckets(name, family.bounds, point)
        else:
            yield f"{name}{_labels(point.labels)} {_number(point.value)}\n"


def _buckets(name: str, bounds: tuple[float, ...], point: Point) -> Iterator[str]:
    below = 0
    for bound, below in zip((*map(_number, bounds), "+Inf"), accumulate(point.counts), strict=True):
        yield f"{name}_bucket{_labels({**point.labels, 'le': bound})} {below}\n"
    yield f"{name}_sum{_labels(point.labels)} {_number(point.value)}\n"
    yield f"{name}_count{_labels(point.labels)} {below}\n"


def _labels(labels: Mapping[str, str | int]) -> str:
    return "{" + ",".join(f'{key}="{_escaped(str(value))}"' for key, value in labels.items()) + "}" if labels else ""


def _escaped(said: str) -> str:
    return said.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(number: Number) -> str:
    return f"{number:f}" if isinstance(number, Decimal) else repr(number)
