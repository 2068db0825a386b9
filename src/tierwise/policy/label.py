"""How sensitive is this call, and who says so? The highest of every source, each of them listed.

Does not know targets. Invariant: another source can only raise the label.
"""

from collections.abc import Iterable

from tierwise.core.decision import Labelled, LabelSource
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
) -> Labelled:
    """Return the label in force; `stored` is that of an earlier answer that the call builds on.

    The default counts only where both caller and workflow are silent.
    """
    stated = (("caller", caller), ("workflow", workflow), ("session", session), ("stored", stored))
    sources = [LabelSource(source=name, label=label) for name, label in stated if label is not None]
    if caller is None and workflow is None:
        sources.append(LabelSource(source="default", label=settings.default))
    sources.extend(_detected(findings))
    return Labelled(value=highest(source.label for source in sources), sources=tuple(sources))


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
