"""docs/reference/governance.md, from the rows: `python -m tests.documents.governance`, which `scripts/docs` calls."""

from pathlib import Path

from tierwise.cli.clauses import CAVEAT, FRAMEWORKS, Clause, clauses

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "governance.md"
HEAD = f"""\
# Records and what auditors ask

Written by `scripts/docs` from `src/tierwise/cli/rows/clauses.toml`. **{CAVEAT}** Having a field does not fulfil a clause; it is
what somebody who has to can point at. The fields are those of a decision record: `tierwise show ID --json`,
[GET /v1/decisions/ID](http.md).

"""
FOOT = """
## How long

`[ledger] keep` deletes records by age; unset, none is deleted. Articles 19 and 26(6) of the EU AI Act ask for at least six months
where they apply: `keep = "183d"` or more. Content is kept apart from records, is not kept at all by default, and can be erased
without touching them ([ledger](ledger.md)).

## What completes it

- A record says what went through the gateway. That nothing went past it is what a provider's bill shows:
  [tierwise reconcile](../howto/reconcile.md).
- Who may do what, and who changed it: `tierwise policy list`, `tierwise keys show NAME`, `tierwise declassify --list`.
- What is installed: `tierwise sbom`, [licences](licences.md). What is protected and what is not: [SECURITY.md](../../SECURITY.md).
"""


def page() -> str:
    """Write the page."""
    head = "| a record's | fields | answers | " + " | ".join(FRAMEWORKS.values()) + " |\n"
    return HEAD + head + "|---" * (3 + len(FRAMEWORKS)) + "|\n" + "".join(map(_row, clauses())) + FOOT


def _row(clause: Clause) -> str:
    fields = ", ".join(f"`{field}`" for field in clause.fields)
    cells = (clause.group, fields, clause.answers, *(", ".join(clause.of(name)) for name in FRAMEWORKS))
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
