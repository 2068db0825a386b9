"""With what are keys hashed? A secret of this installation, in a file of its own beside the ledger.

A copy of the ledger alone therefore proves nobody's key. Knows no keys.
Invariant: the file is made once, whole or not at all, readable by its owner only; it is never replaced.
"""

import secrets
from pathlib import Path

from tierwise.core.errors import ConfigError
from tierwise.ledger.once import written_once

PEPPER_BYTES = 32


def read_pepper(path: Path) -> bytes:
    """Return the secret; ConfigError where there is none, for then no key that was made with it can be recognized."""
    try:
        text = path.read_text("ascii").strip()
        pepper = bytes.fromhex(text)
    except FileNotFoundError:
        raise ConfigError(
            f"{path} is missing: the keys of this ledger were hashed with it; restore it from a backup", file=str(path)
        ) from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read as the secret that keys are hashed with: {error}") from error
    if len(pepper) != PEPPER_BYTES:
        raise ConfigError(f"{path} does not hold {PEPPER_BYTES} bytes: restore it from a backup", file=str(path))
    return pepper


def given_pepper(digits: str | None, reference: str) -> bytes:
    """Return the secret that was given as digits in `reference`; ConfigError where they are none."""
    try:
        given = bytes.fromhex(digits or "")
    except ValueError:
        given = b""
    if len(given) != PEPPER_BYTES:
        raise ConfigError(f"{reference} must hold {2 * PEPPER_BYTES} hexadecimal digits", key="server.key_pepper")
    return given


def make_pepper(path: Path) -> bytes:
    """Return the secret, made now if there is none yet."""
    if not path.exists():
        written_once(path, secrets.token_hex(PEPPER_BYTES) + "\n")
    return read_pepper(path)
