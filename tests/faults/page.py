"""docs/reference/faults.md, written from the table, the cases and what another gateway answered when it was asked.

Our own column needs no figures: the tests fail while a case of it does not hold.
"""

from collections import Counter
from pathlib import Path

from tests.faults.ask import Run, Told, stored
from tests.faults.cases import CASES, PROOFS
from tests.faults.table import ROWS, Row

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference"
PAGE, OTHER = FOLDER / "faults.md", FOLDER / "faults.json"
PARTS = {
    1: "On the wire", 20: "Bodies", 39: "Keys and money", 50: "Where text may go", 58: "Endpoints that fail and lie",
    70: "The gateway's own life",
}  # fmt: skip
HEAD = """\
# Faults: what goes in, what must come out

Written by `scripts/docs` from `tests/faults`, where this is one table. Every row is put to a running gateway, at each of
its doors: Chat Completions, Responses and Messages, streamed and not, Embeddings and the count of tokens. Of every answer
it is asked besides that it has just the caller's dialect; that it holds no traceback, path, key or internal address; that
what was answered is recorded once, under the id in its headers, and what was refused as no call is neither recorded nor
asked upstream; and that a good request on another connection is answered right after it.

**Tierwise**: {rows} rows, {cases} cases at doors, {proofs} proofs elsewhere in the tests; all hold, or the tests fail.
Where we decided otherwise than the row, it says so.

{other}

```sh
scripts/faults                                                            # our own gateway
scripts/faults --target http://127.0.0.1:4000 --key KEY --model NAME      # any other
scripts/faults --litellm-config 9100 > litellm.yaml                       # LiteLLM before the scripted upstream
scripts/faults --target http://127.0.0.1:4000 --key KEY --upstream 9100   # and asked, with its upstream in sight
```
"""
ASKED = """\
**{name}** was asked on {date} as the last two commands do, without a database, its patience for slow peers taken as
15 s: of {rows} rows that can be asked from outside, {holds} hold. The machine was busy with other work. Of a foreign gateway only the status, the type and
the dialect are judged, not our codes, and not what cannot be seen from outside; so a row may be asked of it in fewer
cases than of us. What it does not hold is told by one of the answers."""
COMMON = 6


def page(run: Run | None) -> str:
    """Write the page."""
    other = "No other gateway was asked yet."
    if run is not None:
        asked = [told for told in run.rows if told.row and told.asked]
        holds = sum(told.held == told.asked for told in asked)
        other = ASKED.format(name=run.gateway, date=run.date, rows=len(asked), holds=holds)
    cases = sum(len(case.doors) for case in CASES)
    lines = [HEAD.format(rows=len(ROWS), cases=cases, proofs=len(PROOFS), other=other)]
    told = {one.row: one for one in run.rows} if run is not None else {}
    if run is not None and 0 in told:
        lines += ["", *_common(run.gateway, told[0])]
    for row in ROWS:
        if row.number in PARTS:
            columns = ("", "what goes in", "what must come out", "Tierwise", run.gateway if run else "")
            lines += ["", f"## {PARTS[row.number]}", "", _row(columns), "|---|---|---|---|---|"]
        lines.append(_row((str(row.number), row.given, _expected(row), _ours(row), _theirs(told.get(row.number)))))
    return "\n".join(lines) + "\n"


def _common(name: str, told: Told) -> list[str]:
    """Tell what did not hold of every answer: of a gateway that breaks one promise everywhere it is said once."""
    if not told.problems:
        return [f"What is asked of every answer held in all {told.asked} cases of {name}."]
    lines = [
        f"What is asked of every answer held in {told.held} of {told.asked} cases of {name}. What did not, most often:",
        "",
    ]
    return [*lines, *(f"- {_short(problem, 200)}" for problem in told.problems[:COMMON])]


def _short(problem: str, most: int) -> str:
    text = " ".join(problem.split()).replace("|", "\\|").replace("`", "'")
    return f"{text[:most]}{'…' * (len(text) > most)}"


def _expected(row: Row) -> str:
    kind, code = row.openai
    said = " or ".join(map(str, row.status))
    words = [" / ".join(f"`{word}`" for word in (kind, code) if word), f"`{row.anthropic}`" if row.anthropic else ""]
    told = " · ".join(dict.fromkeys(filter(None, words)))
    return "; ".join(filter(None, (f"**{said}** {told}".strip() if said else told, row.also)))


def _ours(row: Row) -> str:
    cases = sum(len(case.doors) for case in CASES if case.row == row.number)
    elsewhere = Counter(proof.test.partition("::")[0] for proof in PROOFS if proof.row == row.number)
    shown = [f"holds, {_cases(cases)}"] * bool(cases) + [f"shown by `{file}`" for file in elsewhere]
    return "; ".join([*shown, *([f"differs: {row.differs}"] if row.differs else [])]) or "not shown"


def _theirs(told: Told | None) -> str:
    if told is None or not told.asked:
        return "not asked"
    if not told.problems:
        return f"holds, {_cases(told.asked)}"
    return f"{told.held} of {told.asked}; {_short(told.problems[0], 110)}"


def _cases(count: int) -> str:
    return "1 case" if count == 1 else f"{count} cases"


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    PAGE.write_text(page(stored(OTHER)), encoding="utf-8")
