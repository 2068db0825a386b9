"""May this hop still be asked? Policy once more, on the resolved target: under what the call was decided by and under
what is in force by now.

Both have to allow it, so a release that is taken up while a call is open can only make its later hops stricter. What
another release finds in the same call counts as well: the call is labelled anew.
Invariant: a hop for which this returns was allowed under both, with no duty that it was not prepared for.
"""

from tierwise.core.call import Call
from tierwise.core.decision import Labelled
from tierwise.core.errors import LeakStopped, PolicyDenied
from tierwise.core.label import Label, highest
from tierwise.gateway.decide import Hop
from tierwise.gateway.forgiven import Forgiven
from tierwise.gateway.masking import DUTY
from tierwise.gateway.rules import Rules
from tierwise.gateway.run import Run
from tierwise.gateway.workflow import Workflow
from tierwise.policy.granted import granted
from tierwise.policy.judge import Target
from tierwise.policy.label import label_call


def labelled(
    rules: Rules, call: Call, workflow: Workflow | None, session: Label | None, forgiven: Forgiven
) -> Labelled:
    """Label a call by everything that is known of it; `session` is what its session has carried.

    A workflow that is bound to the call's key labels it too where the caller names another: a name is no way out.
    """
    bound = (flow for flow in rules.workflows.values() if call.key_id is not None and call.key_id in flow.match.key)
    labels = [flow.label for flow in (workflow, *bound) if flow is not None and flow.label is not None]
    return label_call(
        rules.labels,
        caller=call.hints.label,
        workflow=highest(labels) if labels else None,
        session=session,
        stored=call.inherited,
        findings=rules.detectors.scan(call.parts, forgiven.hashes),
        forgiven=(*forgiven.session, *forgiven.texts),
    )


def judge_again(run: Run, hop: Hop, rules: Rules) -> None:
    """Raise PolicyDenied unless the hop is allowed under the call's own rules and under `rules`, now in force.

    LeakStopped where the call's own rules deny what was decided by them: then the decision was wrong.
    """
    label = run.ruling.decision.label.value
    _judge(run, hop, run.rules, label)
    if rules is not run.rules:
        again = labelled(rules, run.call, run.ruling.workflow, None, run.forgiven)
        _judge(run, hop, rules, highest((label, again.value)))


def _judge(run: Run, hop: Hop, rules: Rules, label: Label) -> None:
    decision, target = run.ruling.decision, Target(hop.endpoint, hop.model)
    denied = LeakStopped if rules is run.rules else PolicyDenied
    (verdict,) = rules.policy.judge(label, decision.workflow, decision.key_id, [target])
    verdict = granted(verdict, run.call.grant, label, target)
    if not verdict.allowed:
        raise denied(f"{hop.model.id}: {verdict.reason}", rule=verdict.rule or "policy")
    added = set(verdict.obligations) - set(hop.obligations)
    if added:  # by a release since the order of trial was made: the hop was not prepared for it
        raise denied(f"{hop.model.id}: now under {', '.join(sorted(added))}", rule="obligations")
    if rules is run.rules:
        return
    if DUTY in verdict.obligations and rules.labels != run.rules.labels:
        raise PolicyDenied(f"{hop.model.id}: what has to be replaced is found otherwise now", rule=DUTY)
    if verdict.requires_all and (lost := run.asking.losses(hop.endpoint, hop.model)):
        raise PolicyDenied(f"{hop.model.id}: cannot be told {', '.join(lost[:8])}", rule=verdict.requires_all)
