"""docs/reference/endpoints.md, written from the rows: `python -m tests.documents.kinds`, which `scripts/docs` calls."""

from pathlib import Path

from tierwise.registry.kinds import KindRow, kinds

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "endpoints.md"
HEAD = """\
# Kinds of endpoint

Written by `scripts/docs` from `src/tierwise/registry/rows/endpoints.toml`. An `[[endpoint]]` names its `kind`; everything
below can be said otherwise there. **Wires** are those that lose nothing, the one to prefer first; **also** are second
interfaces that the server only translates, or that its maker calls partial or beta: `wires = [...]` on the endpoint
switches one on. A caller's own wire is taken before any other. Any compatible address is `openai_compatible` or
`anthropic_compatible`.

| kind | tier | wires | also | address unless said | key unless said | source, as of |
|---|---|---|---|---|---|---|
"""


def page() -> str:
    """Write the page."""
    return HEAD + "".join(f"| {' | '.join(_cells(row))} |\n" for row in kinds().values())


def _cells(row: KindRow) -> tuple[str, ...]:
    key = f"`env:{row.key_env}`" if row.key_env else ""
    key += f" in `{row.key_header}`" if key and row.key_header != "authorization" else ""
    return (
        f"`{row.kind}`",
        str(row.tier or "to be said"),
        ", ".join(row.wires),
        ", ".join(row.also),
        f"`{row.url}`" if row.url else "a child process" if row.embedded else "to be said",
        key,
        f"{row.source} ({row.as_of})",
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
