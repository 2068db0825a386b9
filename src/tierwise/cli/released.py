"""What is in force for a command? What a gateway over the same ledger serves by: a release of the policy, else the
file's; and certificates, as far as no incident says that traffic has drifted from them."""

from tierwise import bootstrap, config
from tierwise.incidents.desk import drifting


async def in_force(settings: config.Settings) -> config.Settings:
    """Return the settings with the policy that a gateway serves by. StoreError where that cannot be read."""
    async with bootstrap.reading(settings) as history:
        return settings if history is None else settings.under(await history.release())


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
