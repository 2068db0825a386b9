"""When were the criteria declared, and what did they say?"""

import hashlib

import msgspec

from tierwise.core.criteria import Criteria
from tierwise.evals.evidence import Seal


def sealed(criteria: Criteria, ts: float) -> Seal:
    """Seal criteria: the digest of their canonical JSON, and the time."""
    digest = hashlib.sha256(msgspec.json.encode(criteria, order="deterministic")).hexdigest()
    return Seal(digest=f"sha256:{digest}", ts=ts)
