"""What is said where a package of an extra is not installed? One way of saying it, with the mend.

Invariant: a module of our own that cannot be imported is a defect, and is never told as a missing extra.
"""

from tierwise.core.errors import ConfigError


def install(extra: str) -> str:
    """Return how to get an extra: of what is installed, and of a clone."""
    return f"pip install 'tierwise[{extra}]', or in a clone: pip install --editable '.[{extra}]'"


def without(error: ImportError, extra: str, what: str, **where: str) -> ConfigError:
    """Return what to raise where WHAT needs the extra; raises the error itself where it is no foreign package's."""
    if (error.name or "").partition(".")[0] == "tierwise":
        raise error
    return ConfigError(f"{what}: the extra `{extra}` is not installed: {install(extra)}", **where)
