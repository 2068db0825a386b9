"""What is the process told that draws the pages?

Invariant: no key of an endpoint gets there; of the environment only what is Tierwise's own, and the ledger's password.
"""

from typing import Any

from tierwise import config
from tierwise.config import Settings

_OURS = "TIERWISE_"


def orders(settings: Settings) -> dict[str, Any]:
    """Return what that process has to know, as JSON carries it."""
    password = settings.document.ledger.password
    named = {password.removeprefix("env:")} if password else set()
    keys = {row.secret.removeprefix("env:") for row in settings.document.key} | {config.OWN_KEY}
    environ = {
        name: value
        for name, value in settings.environ.items()
        if name in named or (name.startswith(_OURS) and name not in keys)
    }
    environ["TIERWISE_HOME"] = str(settings.home)
    return {"config": None if settings.file is None else str(settings.file), "environ": environ}
