"""Install the clients, drive each of them at each place, print what came of it, write the page if all were driven."""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.clients import isolation, page
from tests.clients.catalog import PLACES, Client, Environment, catalog
from tests.clients.drive import Finding, Where, drive, steps_at
from tests.clients.install import NotInstalled, installed, programs, version
from tests.clients.stage import stage

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Read the options; install outside and drive inside the namespace."""
    parser = argparse.ArgumentParser(prog="scripts/clients", description=__doc__)
    parser.add_argument("client", nargs="*", help="ids as in tests/clients/clients.toml; without one, all of them")
    parser.add_argument("--place", action="append", choices=PLACES, help="what answers; without it, everything")
    parser.add_argument("--cache", type=Path, default=ROOT / "work" / "clients", help="where the clients are installed")
    parser.add_argument("--upgrade", action="store_true", help="install the newest versions again")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    rows = catalog()
    unknown = set(options.client) - {client.id for client in rows.client}
    if unknown:
        parser.error(f"no such client: {', '.join(sorted(unknown))}; there are: {' '.join(c.id for c in rows.client)}")
    wanted = [client for client in rows.client if client.id in options.client or not options.client]
    environments = {e.name: e for e in rows.environment}
    if options.inside:
        isolation.loopback_up()
        return _drive(wanted, environments, options, isolated=True)
    for name in dict.fromkeys(client.environment for client in wanted):
        try:
            installed(environments[name], options.cache, again=options.upgrade)
        except NotInstalled as error:
            sys.stderr.write(f"{name}: {error}\n")
    if isolation.possible():
        passed = [a for a in sys.argv[1:] if a != "--upgrade"]
        return isolation.isolated("tests.clients", "--inside", *passed)
    sys.stderr.write("no namespace can be made here: the clients are not kept off the network\n")
    return _drive(wanted, environments, options, isolated=False)


def _drive(
    wanted: list[Client], environments: dict[str, Environment], options: argparse.Namespace, *, isolated: bool
) -> int:
    findings: list[Finding] = []
    versions: dict[str, str] = {}
    for client in wanted:
        environment = environments[client.environment]
        if not (options.cache / environment.name / "stamp").exists():
            continue
        versions[client.id] = version(environment, client.package, options.cache)
        for place in options.place or PLACES:
            if steps_at(place, client) and place in client.places:
                findings.append(_one(client, place, environment, options.cache))
                sys.stdout.write(page.line(findings[-1]) + "\n")
                sys.stdout.flush()
    if not options.client and not options.place:
        text = page.page(wanted, findings, versions, isolated=isolated)
        (ROOT / "docs" / "reference" / "clients.md").write_text(text, "utf-8")
    return int(any(finding.faults or finding.inexact for finding in findings))


def _one(client: Client, place: str, environment: Environment, cache: Path) -> Finding:
    with tempfile.TemporaryDirectory(prefix="tierwise-clients-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        with stage(place, client, folder / "gateway") as started:
            where = Where(
                environment=cache / environment.name,
                path=tuple(programs(environment, cache)),
                folder=folder / "client",
            )
            return drive(client, started, place, where)


if __name__ == "__main__":
    sys.exit(main())
