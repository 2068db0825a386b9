"""How is what an organisation knows kept as a file? Read and written, so that advice can be run again.

Invariant: what is written reads back as the same organisation, and what has its default is left out.
"""

import tomllib
from decimal import Decimal
from pathlib import Path

import msgspec

from tierwise.core.errors import ConfigError
from tierwise.economics.advice.organisation import Organisation
from tierwise.economics.toml_text import toml_text

HEAD = (
    "# What is known, and from where. Run it again: tierwise advise FILE. All keys: docs/reference/advise.md\n"
    "# provenance: measured, contract, list or assumed; low and high are how far off it may be.\n"
)


def read(file: Path) -> Organisation:
    """Read an organisation. Raises ConfigError, with the place, for what is none."""
    try:
        found = tomllib.loads(file.read_text("utf-8"), parse_float=Decimal)
        return msgspec.convert(found, Organisation)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise ConfigError(f"{file}: {error}", file=str(file)) from error


def written(organisation: Organisation) -> str:
    """Return the text of the file."""
    return toml_text(organisation, HEAD)
