"""May this key use this target for this data? What a key's grant takes away from a judgement.

Asked wherever policy is asked of a resolved target, so it holds on every hop and on every door.
Invariant: a denial stays one; a grant can only deny more.
"""

from tierwise.core.grant import Grant
from tierwise.core.label import Label
from tierwise.policy.judge import Judgement, Target

MODELS, LABEL = "key:models", "key:label"
"""The rules that records name."""


def granted(judgement: Judgement, grant: Grant | None, label: Label, target: Target) -> Judgement:
    """Return the judgement, with a denial for each way in which the key's grant does not reach so far."""
    if grant is None:
        return judgement
    if not grant.allows_label(label):
        judgement = judgement.denied(LABEL, f"the key {grant.name} may send data up to {grant.label}, this is {label}")
    if not grant.allows_model(target.model.id):
        judgement = judgement.denied(MODELS, f"the key {grant.name} may not use {target.model.id}")
    return judgement
