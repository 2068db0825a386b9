"""Which pages are there? One row each; every test of the pages goes through this table, so a new page joins with a line.

`{decision}` stands for the id of a call in the ledger: where nothing was recorded, that page is not there.
"""

from typing import NamedTuple


class Shown(NamedTuple):
    """A page: its address, how its first heading begins, and its name in the pictures."""

    path: str
    heading: str
    name: str


PAGES = (
    Shown("/ui/?period=month", "Overview", "overview"),
    Shown("/ui/decisions", "Decisions", "decisions"),
    Shown("/ui/decisions/{decision}", "Decision", "decision"),
    Shown("/ui/decisions/{decision}/replay", "By the rules in force now", "replay"),
    Shown("/ui/playground", "Playground", "playground"),
    Shown("/ui/models", "Models and machine", "models"),
    Shown("/ui/models/pull?model=gemma-4-e2b", "Fetch gemma-4-e2b", "pull"),
    Shown("/ui/cost", "Cost", "cost"),
    Shown("/ui/policy", "Policy", "policy"),
    Shown("/ui/workflows", "Workflows", "workflows"),
    Shown("/ui/workflows/tickets", "tickets", "workflow"),
    Shown("/ui/runs", "Commands", "commands"),
)
