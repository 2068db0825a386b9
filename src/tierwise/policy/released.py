"""How is a policy written down, so that it can be released, named and compared? `[labels]` and `[[rule]]` as one text.

Invariant: the same policy has the same text, whatever the order and layout of its file; defaults are written too, so
that a later version of this program with others changes nothing; what is read back is checked as a configuration is.
"""

import msgspec

from tierwise.core.errors import ConfigError
from tierwise.policy.settings import LabelSettings, Rule


class Written(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a configuration says about policy."""

    labels: LabelSettings = LabelSettings()
    rule: tuple[Rule, ...] = ()


_text = msgspec.json.Decoder(Written)


def canonical(policy: Written) -> bytes:
    """Return the policy's one text."""
    return msgspec.json.encode(policy, order="sorted")


def parse(text: bytes) -> Written:
    """Read a policy back; ConfigError where this program does not know what it says."""
    try:
        return _text.decode(text)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise ConfigError(f"a released policy cannot be read by this version of Tierwise: {error}") from error
