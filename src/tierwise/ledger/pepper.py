"""With what are keys hashed? A secret of this installation, in a file of its own beside the ledger.

A copy of the ledger alone therefore proves nobody's key. Knows no keys.
Invariant: the file is made once, whole or not at all, readable by its owner only; it is never replaced.
"""

import os
import secrets
from pathlib import Path

from tierwise.core.errors import ConfigError
from tierwise.sqlite.connect import explained

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
        with explained(path):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
            fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(fd, "w") as file:
                file.write(secrets.token_hex(PEPPER_BYTES) + "\n")
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(draft, path)  # fails where somebody was faster, whose secret then counts
            except FileExistsError:
                pass
            finally:
                draft.unlink()
    return read_pepper(path)
