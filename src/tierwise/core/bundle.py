"""What exactly was measured? A bundle names everything that makes the answers of a candidate what they are.

Invariant: two bundles with the same digest answer alike as far as Tierwise can know; any part that changes, changes it.
"""

import hashlib

import msgspec


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """The parts. Each is a digest or a name that changes with what it names; "" where there is none.

    `models` holds, for each model that may answer, its id and what is known of the weights behind it: the digest of a
    file, the digest that its server tells, else the endpoint's kind and the served name. `engine` is the program that
    runs local weights, with its version. `gates` are the workflow's quality gates without the thresholds that a
    certificate sets, `scorer` is what calls an answer right.
    """

    workflow: str
    models: tuple[tuple[str, str], ...]
    prompt: str = ""
    engine: str = ""
    policy: str = ""
    gates: str = ""
    scorer: str = ""

    @property
    def digest(self) -> str:
        """Return the bundle's name."""
        return "sha256:" + hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()

    def changed(self, other: "Bundle") -> tuple[str, ...]:
        """Return which parts differ, in words."""
        found = [name for name in self.__struct_fields__ if getattr(self, name) != getattr(other, name)]
        if "models" in found:
            before, after = dict(self.models), dict(other.models)
            models = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
            found[found.index("models")] = "models (" + ", ".join(models) + ")"
        return tuple(found)
