"""What did the newest comparison of a workflow say? The page that `tierwise decide` or `report` wrote, as it lies.

Nothing is reckoned here: a report is made by a command, and read from its file. Invariant: the page may load nothing
and run nothing, whatever stands in it.
"""

import asyncio
from pathlib import Path

from tierwise.core.errors import ConfigError
from tierwise.evals import runs
from tierwise.server.http import Request, missing

HTML = (b"content-type", b"text/html; charset=utf-8")
POLICY = (
    b"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    b"sandbox"  # an origin of its own: nothing in it is of the pages, whatever stands in it
)
HEAD = (
    (b"content-security-policy", POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)


class Reports:
    """The reports under a home folder."""

    def __init__(self, home: Path) -> None:
        self._home = home

    async def show(self, request: Request, workflow: str) -> None:
        """Answer with the newest report that there is, or raise Rejected where there is none."""
        try:
            page = await asyncio.to_thread(self._read, workflow)
        except (ConfigError, OSError):
            mend = "`tierwise compare WORKFLOW`, then `tierwise decide WORKFLOW`, makes it"
            raise missing(f"there is no report on {workflow[:64]!a}: {mend}") from None
        await request.answer(page, HEAD, kind=HTML)

    def _read(self, workflow: str) -> bytes:
        made = (place / runs.REPORT for place in reversed(runs.runs(self._home, workflow)))
        found = next((file for file in made if file.is_file()), None)
        if found is None:
            raise ConfigError("nothing was decided")
        return found.read_bytes()
