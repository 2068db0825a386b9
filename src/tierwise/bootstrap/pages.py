"""What is the process told that draws the pages?

Invariant: no key gets there, whatever its variable is called; of the environment only what is Tierwise's own, the
ledger's password, and what every program of this person gets, for the commands that pages run.
"""

from typing import Any

from tierwise import config
from tierwise.config import Settings

_OURS = "TIERWISE_"
_EVERYBODYS = frozenset({"PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TMPDIR", "TZ"})


def orders(settings: Settings) -> dict[str, Any]:
    """Return what that process has to know, as JSON carries it."""
    password = settings.document.ledger.password
    named = {password.removeprefix("env:")} if password else set()
    told = (reference for _, _, reference in config.references(settings.document) if reference is not None)
    keys = {reference.removeprefix("env:") for reference in told} | {config.OWN_KEY}
    environ = {
        name: value
        for name, value in settings.environ.items()
        if name in named or ((name.startswith(_OURS) or name in _EVERYBODYS) and name not in keys)
    }
    environ["TIERWISE_HOME"] = str(settings.home)
    return {"config": None if settings.file is None else str(settings.file), "environ": environ}
