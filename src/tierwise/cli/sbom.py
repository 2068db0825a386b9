"""The command `tierwise sbom`: what is installed here, for those who have to know."""

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from tierwise.cli.options import Json, print_json, say, table
from tierwise.installation import packages, sbom
from tierwise.ledger.export import complete


def sbom_(
    out: Annotated[Path | None, typer.Option(help="Write the bill of materials to this file.")] = None,
    as_json: Json = False,
) -> None:
    """List what this installation consists of; with --json or --out as a bill of materials in CycloneDX 1.6.

    Packages come with version, licence and the digest of what was installed of them, the shipped models with theirs.

    Examples:
      tierwise sbom
      tierwise sbom --out sbom.json
    """
    if out is not None:
        with complete(out) as part:
            part.write_bytes(msgspec.json.format(msgspec.json.encode(sbom()), indent=2) + b"\n")
        say(f"written to {out}")
    elif as_json:
        print_json(sbom())
    else:
        rows = [(one.name, one.version, one.licence) for one in packages().values()]
        sys.stdout.write(table(("package", "version", "licence"), rows) + "\n")
