"""With which key is the audited log signed? A file beside the ledger, or what the configuration names.

The key that is no longer used stays in the file as a public one, so that what it signed is still believed.
Invariant: the file is made once, readable by its owner only.
"""

import secrets
from pathlib import Path

from tierwise.audit.notes import KEY_BYTES, Signer
from tierwise.core.errors import ConfigError
from tierwise.core.secret import Secret
from tierwise.ledger.once import replaced, written_once


def make_signer(path: Path) -> Signer:
    """Return who signs with the key in this file, made now if there is none yet."""
    if not path.exists():
        written_once(path, _new().written.reveal())
    return read_signer(path)


def read_signer(path: Path) -> Signer:
    """Return who signs with the key in this file. Raises ConfigError."""
    try:
        return Signer.parse(Secret(path.read_text("ascii")))
    except FileNotFoundError:
        raise ConfigError(
            f"{path} is missing: the ledger's log is signed with it; a gateway that starts makes it", file=str(path)
        ) from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read as a signing key: {error}", file=str(path)) from error


def rotated(path: Path) -> Signer:
    """Put a new key in the place of the one in this file, and keep that as an earlier one."""
    before = read_signer(path)
    signer = Signer(before.key.name, secrets.token_bytes(KEY_BYTES), before.keys)
    replaced(path, signer.written.reveal())
    return signer


def _new() -> Signer:
    return Signer(f"tierwise/{secrets.token_hex(8)}", secrets.token_bytes(KEY_BYTES))
