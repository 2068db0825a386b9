"""How many connections can this process bear? Each costs two descriptors: the caller's and the endpoint's.

Raises the process's soft limit as far as it may. Invariant: with as many connections there is still a descriptor for
what is accepted only to be refused, and for the ledger.
"""

import contextlib
import sys

KEPT = 64
"""For the ledger, the listener, engines, look-ups of names, and the connections of those who only ask for health."""


if sys.platform == "win32":

    def _descriptors(needed: int) -> int:
        return needed

else:
    import resource

    def _descriptors(needed: int) -> int:
        """Return how many descriptors there may be, at most as many as are needed."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != resource.RLIM_INFINITY and soft < needed:
            most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
            with contextlib.suppress(ValueError, OSError):  # some systems allow less than they say
                resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return needed if soft == resource.RLIM_INFINITY else min(needed, soft)


def bearable(wanted: int) -> int:
    """Return how many of these connections can be open at once; all of them where the system knows no limit."""
    return max(1, (_descriptors(2 * wanted + KEPT) - KEPT) // 2)
