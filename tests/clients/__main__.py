"""Install the clients, drive each of them at each place, say what came of it and write it into the reference.

Examples:  scripts/clients  ·  scripts/clients openai-python claude-code  ·  scripts/clients codex --server gemini
"""

import argparse
import sys
import tempfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from tests.clients import howto, isolation, page
from tests.clients.catalog import MODELS, MORE, PLACES, Catalog, Client, catalog
from tests.clients.drive import Where, drive
from tests.clients.found import Finding, Outcome, found, merged, write
from tests.clients.install import NotInstalled, installed, programs, stands
from tests.clients.stage import stage

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference" / "clients.md"
HOWTO = ROOT / "docs" / "howto" / "clients.md"
SHOWN = ROOT / "src" / "tierwise" / "web" / "rows" / "clients.json"


def main() -> int:
    """Read the options; install outside and drive inside the namespace."""
    parser = argparse.ArgumentParser(
        prog="scripts/clients", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "client", nargs="*", help="names as in tests/clients/clients.toml, with a wire or without; else all"
    )
    parser.add_argument(
        "--server",
        action="append",
        choices=(*PLACES, *MORE),
        help=f"what answers; without it, everything but {', '.join(MORE)}",
    )
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
        names = [client.environment for client in wanted]
        whole = _install(rows, [*names, *({MODELS} if set(options.server or ()) & set(MORE) else ())], options.folder)
        if isolation.possible():
            return isolation.isolated("tests.clients", "--inside", *sys.argv[1:]) or int(not whole)
        sys.stderr.write("no namespace can be made here: the clients are not kept off the network\n")
    good = True
    for finding in () if options.pages else _findings(rows, wanted, options):
        sys.stdout.write(page.line(finding) + "\n")
        sys.stdout.flush()
        write(merged(rows, found(), [finding]))
        good = good and finding.outcome.good
    write(merged(rows, found(), []))
    REFERENCE.write_text(page.page(rows, found()), "utf-8")
    HOWTO.write_text(howto.howto(rows), "utf-8")
    SHOWN.write_text(howto.rows(rows), "utf-8")
    return int(not good)


def _install(rows: Catalog, names: Iterable[str], folder: Path) -> bool:
    """Install what is missing; say what could not be, and whether all could."""
    whole = True
    for name in dict.fromkeys(names):
        try:
            installed(rows.named(name), folder)
        except NotInstalled as error:
            sys.stderr.write(f"{name}: {error}\n")
            whole = False
    return whole


def _findings(rows: Catalog, wanted: Iterable[Client], options: argparse.Namespace) -> Iterator[Finding]:
    for client in wanted:
        for place in options.server or PLACES:
            needed = [client.environment, *([MODELS] if place in MORE else [])]
            if client.steps_at(place) and all(stands(rows.named(name), options.folder) for name in needed):
                yield Finding(
                    client=client.id, place=place, version=rows.version(client), isolated=options.inside,
                    as_of=datetime.now(UTC).date().isoformat(), outcome=_outcome(rows, client, place, options.folder),
                )  # fmt: skip


def _outcome(rows: Catalog, client: Client, place: str, installed: Path) -> Outcome:
    environment, installed = rows.named(client.environment), installed.resolve()
    with tempfile.TemporaryDirectory(prefix="tierwise-clients-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        where = Where(
            environment=installed / environment.name,
            path=tuple(programs(environment, installed)),
            folder=folder / "client",
        )
        with stage(place, client, folder, installed) as started:
            return drive(client, started, place, where)


if __name__ == "__main__":
    sys.exit(main())
