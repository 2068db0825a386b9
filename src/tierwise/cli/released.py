"""What is in force for a command? What a gateway over the same ledger serves by: releases, else the file; and
certificates, as far as no incident says that traffic has drifted from them."""

import msgspec

from tierwise import bootstrap, config
from tierwise.gateway.releases import of_workflows
from tierwise.incidents.desk import drifting


async def in_force(settings: config.Settings) -> config.Settings:
    """Return the settings with the releases that a gateway serves by. StoreError where one cannot be read."""
    async with bootstrap.reading(settings) as history:
        if history is None:
            return settings
        found = settings.under(await history.release())
        return msgspec.structs.replace(found, rollouts=await of_workflows(history))


async def drifted(settings: config.Settings) -> frozenset[str]:
    """Return the certificates that do not count for an incident of drift. StoreError where that cannot be read."""
    async with bootstrap.reading(settings) as history:
        return frozenset() if history is None else frozenset(drifting(await history.incidents()))


def overruled(settings: config.Settings) -> str | None:
    """Say plainly that the configuration's own policy is not the one in force, and how to mend that; else None."""
    if settings.release is None or settings.written == settings.policy:
        return None
    where = settings.file or "the built-in default"
    return (
        f"release {settings.release} of the policy is in force, not [labels] and [[rule]] of {where}: `tierwise policy "
        f"diff {where}` compares them, `tierwise policy apply` puts the file's in force, `tierwise policy detach` lets "
        "the file count again"
    )
