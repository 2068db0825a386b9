"""The highest label wins, the default speaks only into silence, and every source is listed."""

from hypothesis import example, given
from hypothesis import strategies as st

from tierwise.core.decision import LabelSource
from tierwise.core.declassified import Declassified
from tierwise.core.label import Label, highest
from tierwise.policy.detect import Finding
from tierwise.policy.label import label_call
from tierwise.policy.settings import LabelSettings

LABELS = st.sampled_from(Label)
FINDINGS = st.lists(
    st.builds(Finding, detector=st.sampled_from(["card", "jwt"]), label=LABELS, path=st.sampled_from(["a", "b", "c"]))
)


def test_the_default_counts_only_where_caller_and_workflow_are_silent() -> None:
    settings = LabelSettings(default=Label.CONFIDENTIAL)
    silent = label_call(settings, caller=None, workflow=None, session=Label.PUBLIC, findings=())
    assert silent.value is Label.CONFIDENTIAL
    assert [source.source for source in silent.sources] == ["session", "default"]
    for said in ({"caller": Label.PUBLIC, "workflow": None}, {"caller": None, "workflow": Label.PUBLIC}):
        assert label_call(settings, session=None, findings=(), **said).value is Label.PUBLIC


def test_a_detector_raises_and_says_where() -> None:
    findings = [Finding(detector="card", label=Label.CONFIDENTIAL, path=f"messages[{n}]") for n in range(5)]
    findings.append(Finding(detector="scan", label=Label.RESTRICTED, path="tools[0]", detail="detector failed: X"))
    labelled = label_call(LabelSettings(), caller=Label.PUBLIC, workflow=None, session=None, findings=findings)
    assert labelled.value is Label.RESTRICTED
    assert labelled.sources == (
        LabelSource(source="caller", label=Label.PUBLIC),
        LabelSource(
            source="detector:card",
            label=Label.CONFIDENTIAL,
            detail="messages[0], messages[1], messages[2] and 2 more",
        ),
        LabelSource(source="detector:scan", label=Label.RESTRICTED, detail="tools[0] (detector failed: X)"),
    )


@given(st.none() | LABELS, st.none() | LABELS, st.none() | LABELS, FINDINGS, LABELS)
def test_the_label_is_that_of_the_highest_source(
    caller: Label | None, workflow: Label | None, session: Label | None, findings: list[Finding], default: Label
) -> None:
    labelled = label_call(
        LabelSettings(default=default), caller=caller, workflow=workflow, session=session, findings=findings
    )
    given_labels = [label for label in (caller, workflow, session) if label is not None]
    given_labels += [finding.label for finding in findings]
    if caller is None and workflow is None:
        given_labels.append(default)
    order = ["public", "internal", "confidential", "restricted"]
    assert order.index(labelled.value) == max(order.index(label) for label in given_labels)
    assert {source.label for source in labelled.sources} == set(given_labels)


def declassified(**fields: object) -> Declassified:
    made = {"id": "d1", "made": 0.0, "until": 1_800_000_000.0, "who": "ada", "why": "ids"} | fields
    return Declassified(**made)  # type: ignore[arg-type]


FOUND = st.lists(
    st.builds(
        Finding,
        detector=st.sampled_from(["card", "iban", "scan", "own"]),
        label=st.sampled_from(list(Label)),
        path=st.just("p"),
    ),
    max_size=5,
)


@given(
    FOUND,
    st.sampled_from(list(Label)),
    st.sampled_from(list(Label)),
    st.sets(st.sampled_from(["card", "iban", "scan"])),
)
@example([Finding(detector="scan", label=Label.RESTRICTED, path="p")], Label.PUBLIC, Label.PUBLIC, {"card", "scan"})
def test_a_declassification_lowers_only_what_its_detectors_found(
    findings: list[Finding], caller: Label, session: Label, forgiven: set[str]
) -> None:
    settings = LabelSettings()
    one = declassified(session="s", detectors=tuple(forgiven), to=session)
    result = label_call(settings, caller=caller, workflow=None, session=session, findings=findings, forgiven=(one,))
    left = [f.label for f in findings if f.detector not in forgiven or f.detector == "scan"]
    assert result.value == highest((caller, session, *left))
    assert one.source in {source.source for source in result.sources}


@given(FOUND)
def test_without_a_declassification_nothing_is_forgiven(findings: list[Finding]) -> None:
    result = label_call(LabelSettings(), caller=None, workflow=None, session=None, findings=findings)
    assert result.value == highest((Label.INTERNAL, *(f.label for f in findings)))
