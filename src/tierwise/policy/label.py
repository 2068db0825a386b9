"""How sensitive is this call, and who says so? The highest of every source, each of them listed.

Does not know targets. Invariant: another source can only raise the label. The one way down is a declassification: it
takes out what detectors found and what the session carried before, and stands among the sources itself.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from tierwise.core.decision import Labelled, LabelSource
from tierwise.core.declassified import Declassified
from tierwise.core.label import Label, highest
from tierwise.policy.detect import Finding
from tierwise.policy.settings import LabelSettings

MAX_PLACES = 3
"""Places of one detector that a record names."""


def label_call(
    settings: LabelSettings,
    *,
    caller: Label | None,
    workflow: Label | None,
    session: Label | None,
    stored: Label | None = None,
    findings: Iterable[Finding],
    forgiven: Sequence[Declassified] = (),
) -> Labelled:
    """Return the label in force; `stored` is that of an earlier answer that the call builds on.

    The default counts only where both caller and workflow are silent. `forgiven` are the declassifications that
    concern the call; `session` is the label that it has carried since the newest of them.
    """
    stated = (("caller", caller), ("workflow", workflow), ("session", session), ("stored", stored))
    sources = [LabelSource(source=name, label=label) for name, label in stated if label is not None]
    if caller is None and workflow is None:
        sources.append(LabelSource(source="default", label=settings.default))
    counted: list[Finding] = []
    under: dict[str, list[str]] = {one.id: [] for one in forgiven if one.session is not None}
    for finding in findings:
        ident = forgiving(finding, forgiven)
        if ident:
            under.setdefault(ident, []).append(f"{finding.detector} ({finding.label}) at {finding.path}")
        else:
            counted.append(finding)
    sources.extend(_detected(counted))
    sources.extend(_named(one, under[one.id]) for one in forgiven if one.id in under)
    return Labelled(value=highest(source.label for source in sources), sources=tuple(sources))


def forgiving(finding: Finding, forgiven: Sequence[Declassified]) -> str:
    """Return the declassification under which this finding stands, "" for none; a scan that broke off never does."""
    return finding.forgiven or next(
        (one.id for one in forgiven if finding.detector in one.detectors and finding.detector != "scan"), ""
    )


def _named(one: Declassified, found: list[str]) -> LabelSource:
    until = datetime.fromtimestamp(one.until, UTC).strftime("%Y-%m-%d %H:%M UTC")
    what = _listed(found) if found else "the session"
    return LabelSource(source=one.source, label=one.to, detail=f"{what}, by {one.who} until {until}: {one.why}")


def _detected(findings: Iterable[Finding]) -> list[LabelSource]:
    places: dict[tuple[str, Label], list[str]] = {}
    for finding in findings:
        place = f"{finding.path} ({finding.detail})" if finding.detail else finding.path
        places.setdefault((finding.detector, finding.label), []).append(place)
    return [
        LabelSource(source=f"detector:{name}", label=label, detail=_listed(found))
        for (name, label), found in places.items()
    ]


def _listed(places: list[str]) -> str:
    more = len(places) - MAX_PLACES
    return ", ".join(places[:MAX_PLACES]) + (f" and {more} more" if more > 0 else "")
