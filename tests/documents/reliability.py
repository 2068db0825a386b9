"""docs/reference/reliability.md, written from the figures beside it, which `scripts/bench reliability` measures.

`python -m tests.documents.reliability` writes the page anew. A proof that was not run is told as not run.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference"
PAGE, FIGURES = FOLDER / "reliability.md", FOLDER / "reliability.json"


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """A claim, how it is shown, and the figures that are told of it. `never` must be 0 in every run."""

    claim: str
    how: str
    told: Mapping[str, str]
    never: Mapping[str, str] = {}


PROOFS: dict[str, Proof] = {
    "kills": Proof(
        claim="Of every request that was answered, each is recorded once, with what it cost, whenever the gateway is killed.",
        how="Clients ask a running gateway without pause, half of them streaming; it gets SIGKILL at random instants and is "
        "started again. Every call is compared with what the scripted upstream counted for it, token by token.",
        told={
            "kills": "kills", "answered": "answers that clients got whole", "recorded": "records",
            "tokens_recorded": "tokens recorded as answered", "tokens_billed_for_them": "tokens that the upstream counted",
            "restart_s_median": "seconds until it is ready again (median)",
        },
        never={
            "answered_not_recorded": "answered and not recorded", "recorded_twice": "recorded twice",
            "recorded_otherwise_than_billed": "recorded otherwise than billed",
            "asked_without_record": "asked upstream without a record", "left_open": "left open",
            "left_set_aside": "dollars left set aside",
        },
    ),
    "writer": Proof(
        claim="What the ledger has said is durable is there after a SIGKILL, once, in one sequence without gaps.",
        how="The writer alone, with 32 callers, is killed at random instants and opened again.",
        told={
            "kills": "kills", "intents_promised": "intents promised", "outcomes_promised": "outcomes promised",
            "records": "records", "interrupted": "closed as interrupted",
        },
        never={"wrong": "promises broken"},
    ),
    "crowd": Proof(
        claim="No budget is ever overshot, however many ask at once.",
        how="Each round is a budget for ten answers, for which all processes ask at once, through whole gateways. One gateway "
        "owns a ledger in SQLite, so there the processes are its callers; in PostgreSQL each process has its own gateway.",
        told={
            "processes": "processes", "gateways": "gateways", "rounds": "rounds", "admissions": "admissions asked for",
            "answered": "answered", "refused": "refused",
        },
        never={"overshoot_usd": "dollars over a limit", "rounds_without_ten_answers": "rounds without just ten answers"},
    ),
    "admissions": Proof(
        claim="The same of the ledger alone, where calls settle at random costs or stay open.",
        how="Every process has a ledger of its own over one database; SQLite has one writer, so one process there.",
        told={"processes": "processes", "admissions": "admissions asked for", "admitted": "admitted", "untold": "refused because the database was silent"},
        never={"overshoot": "overshoots"},
    ),
    "nth_socket": Proof(
        claim="Whichever call on a socket fails, and however: no answer is lost, none looks finished that is not, the money is "
        "settled, the next request is answered, and nothing marked goes outside.",
        how="The n-th socket, connect, accept, read, write, option or close of a running gateway fails (refused, reset, "
        "timed out, short, at its end, no descriptors left), once or from then on, in every scenario: plain, stream, "
        "fallback, cascade, tool loop, restricted, refused, outside.",
        told={"failed": "calls that failed", "step": "every so many-th"},
    ),
    "nth_disk": Proof(
        claim="Whichever call to the disk fails, or is the last before a SIGKILL: what was answered is recorded once, and nobody "
        "was asked without an intent.",
        how="The n-th write, sync, read or cut of the ledger's files fails (EIO, ENOSPC, EROFS) or kills the process.",
        told={"failed": "calls that failed", "step": "every so many-th"},
    ),
    "nth_migration": Proof(
        claim="A migration that is interrupted is finished or begun anew by the next start, and loses nothing.",
        how="The same while a ledger of the first version is brought up to date.",
        told={"failed": "calls that failed", "interrupted": "of them inside a migration", "step": "every so many-th"},
    ),
    "perimeter": Proof(
        claim="Nothing that is labelled restricted arrives outside, whatever is configured and whatever fails inside.",
        how="Random configurations, wires, labels (by callers, workflows, sessions, detectors or nobody) and faults; everything "
        "that arrives at an outside endpoint is captured and searched for the marks.",
        told={"worlds": "configurations", "marked": "marked requests", "answered_inside": "of them answered inside"},
        never={"marked_bytes_outside": "marked bytes outside"},
    ),
    "judge": Proof(
        claim="Every verdict of the policy is that of a second, independent implementation of its documentation.",
        how="Random policies, calls and targets; both say who may, by which rule, with which duties.",
        told={"cases": "cases"},
    ),
    "fuzz": Proof(
        claim="Whatever the bytes, everything that reads some ends with an answer or an error of ours, within 2 s of work and "
        "100 times the input's memory.",
        how="Good inputs made worse at random, one in 200 of them grown to 1 MB, for every decoder: requests and answers of all "
        "wires, streams in any pieces, errors, seals, policies, configurations of ours and of others, GGUF files, records. "
        "Data sets, which only a command reads, may take 10 s and 400 times: half a million rows may stand in 1 MB. "
        "`scripts/fuzz` runs the same table guided by coverage, and schemathesis on [openapi.json](openapi.json).",
        told={"targets": "targets", "executions": "inputs", "refused": "of them refused"},
        never={"failures": "failures"},
    ),
    "machine": Proof(
        claim="A full or read-only disk, a locked ledger, clocks that jump an hour or a year, summer time, a leap day and "
        "descriptors that run out are refused or survived as the reference of errors says, without a restart.",
        how="A gateway runs while its libc answers as such a machine would.",
        told={"passed": "tests passed"},
        never={"failed": "tests failed"},
    ),
    "audit": Proof(
        claim="No record of a signed log is changed, taken out, moved or cut off unseen.",
        how="Records are written while they are signed; then one thing after the other is done to a copy of the file, at random "
        "places, and the verifier, one file that shares no code with the writer, reads all of it. Several kinds of "
        "tampering, on both stores and with witnesses, are in `tests/contract/test_audit.py`.",
        told={
            "records": "records", "bytes_per_record": "bytes of the file a record", "tamperings": "tamperings",
            "verified_s": "seconds to verify all of it", "longest_s": "seconds at the longest",
            "cpu_of_writing_with_signing": "CPU of writing, with signing : without",
        },
        never={"missed": "not found", "not_whole_untouched": "found where nothing was changed"},
    ),
    "lies": Proof(
        claim="An upstream that lies at any byte of its answer fools nobody: nothing looks finished that is not, nobody reads what "
        "was not sent, and every call is recorded once, as it ended.",
        how="Whole answers of the scripted upstream, for each wire of callers and each of endpoints, streamed and not, words and "
        "tool calls. At every byte the connection ends, is reset, falls silent (a sample), one bit is turned, the bytes "
        "come in two packets, or the body ends as if that were right. A reader of its own, with nothing of the gateway's in "
        "it, says what was sent at most.",
        told={
            "pairs": "pairs of wires", "lies": "lies", "step": "every so many-th byte", "finished": "answers that were whole",
        },
        never={
            "false_finishes": "finished without the upstream's end", "foreign_texts": "with text that was not sent",
            "shortened": "finished without all that was sent", "cut_answers": "of which the caller got half an answer of HTTP",
            "unclear_ends": "with an end and an error, or neither", "unanswered": "without any answer",
            "own_errors": "with an error of the gateway's own", "changed_by_a_split": "changed by a split",
            "reused": "requests on a connection that was broken", "not_recorded_once": "not recorded just once",
            "recorded_otherwise": "recorded otherwise than it ended", "counted_otherwise": "counted otherwise than told, unmarked",
            "left_open": "left open",
        },
    ),
    "peers": Proof(
        claim="Thousands of slow peers slow nobody else down, and take all they held with them.",
        how="Peers drip their headers or their bodies, read slowly or not at all, or sit idle; one good client asks on, in turns "
        "without and with them. Then the same beside raw requests that try to bring HTTP out of step, and at the default "
        "cap on connections. Times are medians of the rounds; most of each is the disk's, before an answer is given.",
        told={
            "peers": "peers", "rounds": "rounds", "many_held": "of them held at once", "many_kib_per_peer": "KiB a peer",
            "many_cut_off_408": "cut off for their slowness", "many_p50_ms_alone": "ms, median of the good client alone",
            "many_p50_ms_beside": "ms beside them", "many_p99_ms_alone": "ms, 99th of 100, alone",
            "many_p99_ms_beside": "ms beside them, 99th of 100", "many_p99_ratio": "ratio",
            "many_cpu_alone": "of one core, alone", "many_cpu_beside": "of one core, beside them",
            "probes_probes": "requests out of step", "probes_p99_ratio": "ratio beside those",
            "cap_held": "held at the default cap", "cap_refused_503": "refused there", "cap_p99_ratio": "ratio there",
        },
        never={
            "slower_than_twice": "phases with more than twice the 99th", "failed": "requests of the good client that failed",
            "answers_out_of_step": "answers out of step", "over_the_cap": "connections over the cap",
            "none_refused_at_the_cap": "caps that refused nobody", "connections_left": "connections left",
            "descriptors_left": "descriptors left", "upstream_left": "upstream requests left", "memory_kept": "phases that kept memory",
        },
    ),
    "soak": Proof(
        claim="After hours of mixed load the gateway stands as it stood after minutes.",
        how="All wires, streamed and not, with faults of the upstream, cancelled calls, refusals, sessions, keys, limits and "
        "budgets. Memory is compared after the warm-up; at most 20 MB more may stand at the end.",
        told={
            "sent": "requests", "answered": "answers that clients got whole", "cancelled": "calls that clients broke off",
            "recorded": "records", "memory_mb_warm": "MB after the warm-up", "memory_mb_last": "MB at the end",
            "growth_mb": "MB more", "log_lines": "lines of log",
        },
        never={
            "grown_too_much": "growth over 20 MB", "descriptors_left": "descriptors left", "threads_left": "threads left",
            "answered_not_recorded": "answered and not recorded", "recorded_twice": "recorded twice",
            "recorded_otherwise": "recorded otherwise than answered", "answered_to_nobody": "recorded as answered to nobody",
            "left_open": "left open", "left_set_aside": "dollars left set aside", "own_errors": "errors of its own",
            "log_too_long": "logs that grew with the load", "unanswered": "requests without any answer",
        },
    ),
    "mutants": Proof(
        claim="The tests notice the defects that have hurt others.",
        how="Each is modelled on an incident of this field, planted alone in a copy of the sources, and put to the tests that "
        "have to notice it, which pass without it (`tests/mutants/defects`).",
        told={"planted": "defects planted", "caught": "noticed by a test that fails", "by_timeout": "of them only by a limit of time"},
        never={"survived": "went unnoticed", "unproven": "could not be tried"},
    ),
}  # fmt: skip

HEAD = """\
# Reliability

Written by `scripts/bench reliability` from what it measured (`reliability.json`, beside this page). Every claim has a
command that shows it again; a failure of any of them ends that command with an error. All of it runs in CI too, in
smaller sizes.

"""
NOT_SHOWN = """\
## What is not shown

- **Loss of power.** A killed process leaves to the kernel what it has written, a machine without power does not. The
  ledger asks the disk for a sync before it says that anything is durable (`synchronous=FULL`, `synchronous_commit=on`),
  and that each such sync is checked for its error is shown above; that the disk keeps its word is not.
- **Two machines.** PostgreSQL runs on the same machine here: its network fails by call, not by cable. Nothing is said of
  its own replication.
- **Other systems.** Calls fail one by one on Linux only.
- **Models.** The endpoints are scripted, so that their bills are known. What real ones bill is theirs to say.
"""


def page(figures: Mapping[str, Any]) -> str:
    """Write the page."""
    return HEAD + _machine(figures) + "".join(_part(name, figures) for name in PROOFS) + NOT_SHOWN


def _machine(figures: Mapping[str, Any]) -> str:
    return f"Measured {figures['date']} on {figures['machine']}, with {figures['versions']}.\n\n"


def _part(name: str, figures: Mapping[str, Any]) -> str:
    proof, runs = PROOFS[name], [run for run in figures["runs"] if run["proof"] == name]
    lines = [f"## {proof.claim}\n\n{proof.how}\n\n"]
    lines += [_run(proof, run) for run in runs]
    if not runs:
        lines.append("Not run for this page.\n\n")
    return "".join(lines)


def _run(proof: Proof, run: Mapping[str, Any]) -> str:
    measured = run["measured"]
    seed = f" Seed {measured['seed']}." if "seed" in measured else ""
    rows = [f"| {words} | {_number(measured[key])} |" for key, words in proof.told.items() if key in measured]
    rows += [f"| {words} | **{_number(measured[key])}** |" for key, words in proof.never.items() if key in measured]
    verdict = "held" if run["held"] else "**BROKEN**"
    told = f"`{run['command']}`: {verdict}, in {_number(run['seconds'])} s.{seed}\n\n"
    return told + f"| {run['store']} | |\n|---|---:|\n" + "\n".join(rows) + "\n\n"


def _number(value: Any) -> str:
    if isinstance(value, list):
        return str(len(value))
    return f"{value:,}" if isinstance(value, int) else f"{value:,g}" if isinstance(value, float) else str(value)


def stored() -> dict[str, Any]:
    """Return the figures that lie beside the page."""
    found: dict[str, Any] = msgspec.json.decode(FIGURES.read_bytes())
    return found


if __name__ == "__main__":
    PAGE.write_text(page(stored()), encoding="utf-8")
