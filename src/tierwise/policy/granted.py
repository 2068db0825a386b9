"""May this key use this target for this data? What a key's grant takes away from a judgement.

Asked wherever policy is asked of a resolved target, so it holds on every hop and on every door.
Invariant: a denial stays one; a grant can only deny more.
"""

import msgspec

from tierwise.core.grant import Grant
from tierwise.core.label import Label
from tierwise.policy.judge import Judgement, Target

MODELS, LABEL = "key:models", "key:label"
"""The rules that records name."""


def granted(judgement: Judgement, grant: Grant | None, label: Label, target: Target) -> Judgement:
    """Return the judgement, or a denial where the key's grant does not reach so far."""
    if grant is None or not judgement.allowed:
        return judgement
    if not grant.allows_label(label):
        reason = f"the key {grant.name} may send data up to {grant.label}, this is {label}"
        return msgspec.structs.replace(judgement, allowed=False, rule=LABEL, reason=reason)
    if not grant.allows_model(target.model.id):
        reason = f"the key {grant.name} may not use {target.model.id}"
        return msgspec.structs.replace(judgement, allowed=False, rule=MODELS, reason=reason)
    return judgement
