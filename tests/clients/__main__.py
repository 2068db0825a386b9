"""Install the clients, drive each of them at each place, say what came of it and write it into the reference.

Examples:  scripts/clients  ·  scripts/clients openai-python claude-code  ·  scripts/clients codex --server gemini
"""

import argparse
import sys
import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from tests.clients import howto, isolation, page
from tests.clients.catalog import PLACES, Catalog, Client, catalog
from tests.clients.drive import Where, drive
from tests.clients.found import Finding, found, merged, write
from tests.clients.install import NotInstalled, installed, programs, stands
from tests.clients.stage import stage

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference" / "clients.md"
HOWTO = ROOT / "docs" / "howto" / "clients.md"


def main() -> int:
    """Read the options; install outside and drive inside the namespace."""
    parser = argparse.ArgumentParser(
        prog="scripts/clients", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "client", nargs="*", help="names as in tests/clients/clients.toml, with a wire or without; else all"
    )
    parser.add_argument("--server", action="append", choices=PLACES, help="what answers; without it, everything")
    parser.add_argument(
        "--folder", type=Path, default=ROOT / "work" / "clients", help="where the clients are installed"
    )
    parser.add_argument("--pages", action="store_true", help="drive nothing: only write both pages again")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    rows = catalog()
    try:
        wanted = rows.selected(options.client)
    except LookupError as error:
        names = " ".join(dict.fromkeys(client.client for client in rows.client))
        parser.error(f"no such client: {error}; there are: {names}")
    if options.inside:
        isolation.loopback_up()
    elif not options.pages:
        _install(rows, wanted, options.folder)
        if isolation.possible():
            return isolation.isolated("tests.clients", "--inside", *sys.argv[1:])
        sys.stderr.write("no namespace can be made here: the clients are not kept off the network\n")
    places = () if options.pages else tuple(options.server or PLACES)
    new = [_told(finding) for finding in _findings(rows, wanted, places, options)]
    findings = merged(rows, found(), new)
    write(findings)
    REFERENCE.write_text(page.page(rows, findings), "utf-8")
    HOWTO.write_text(howto.howto(rows), "utf-8")
    return int(not all(finding.outcome.good for finding in new))


def _install(rows: Catalog, wanted: Iterable[Client], folder: Path) -> None:
    for name in dict.fromkeys(client.environment for client in wanted):
        try:
            installed(next(e for e in rows.environment if e.name == name), folder)
        except NotInstalled as error:
            sys.stderr.write(f"{name}: {error}\n")


def _findings(
    rows: Catalog, wanted: Iterable[Client], places: tuple[str, ...], options: argparse.Namespace
) -> Iterable[Finding]:
    for client in wanted:
        environment = rows.environment_of(client)
        for place in places:
            if client.steps_at(place) and stands(environment, options.folder):
                with tempfile.TemporaryDirectory(prefix="tierwise-clients-", ignore_cleanup_errors=True) as name:
                    where = Where(
                        environment=options.folder.resolve() / environment.name,
                        path=tuple(programs(environment, options.folder.resolve())),
                        folder=Path(name) / "client",
                    )
                    with stage(place, client, Path(name) / "gateway") as started:
                        outcome = drive(client, started, place, where)
                yield Finding(
                    client=client.id, place=place, version=rows.version(client), isolated=options.inside,
                    as_of=datetime.now(UTC).date().isoformat(), outcome=outcome,
                )  # fmt: skip


def _told(finding: Finding) -> Finding:
    sys.stdout.write(page.line(finding) + "\n")
    sys.stdout.flush()
    return finding


if __name__ == "__main__":
    sys.exit(main())
