"""How long does it take to say which recorded decisions flip under another policy? 10^6 of them, by default.

Makes a ledger through the ledger's own writer (8 models on three tiers, 6 workflows, 40 keys, all labels, 3 KB a
record, numbers of tokens drawn anew for each), then runs `tierwise policy diff` and `tierwise replay` as a user would,
and prints seconds, seconds of CPU (of all its processes: on a busy machine the surer figure), records a second and the
most memory of any process as JSON lines.
"""

import argparse
import asyncio
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path

import msgspec
import uvloop

from tierwise import config
from tierwise.bootstrap import rules_from
from tierwise.core.call import Hints
from tierwise.core.decision import AttemptRecord, Decision
from tierwise.core.grant import Grant
from tierwise.core.label import Label
from tierwise.core.usage import Usage
from tierwise.gateway.again import labelled
from tierwise.gateway.decide import Ask, decide, resolve
from tierwise.gateway.facts import Facts
from tierwise.gateway.forgiven import Forgiven
from tierwise.gateway.rules import Rules
from tierwise.ledger.ids import IdSource
from tierwise.ledger.store import Ledger
from tierwise.ledger.writer import Options
from tierwise.wires import chat

TIERS = ("local", "self_hosted", "frontier")
WORKFLOWS = ("tickets", "claims", "chat", "code", "search", "letters")
AT_ONCE = 512
CONFIG = (
    "".join(
        f'[[endpoint]]\nname = "{tier}"\nkind = "scripted"\ntier = "{tier}"\nurl = "http://127.0.0.1:{9000 + n}/v1"\n'
        f'region = "{"us" if tier == "frontier" else "eu"}"\n'
        for n, tier in enumerate(TIERS)
    )
    + "".join(
        f'[[model]]\nid = "model-{n}-8b-instruct"\nendpoint = "{TIERS[n % 3]}"\ncontext_tokens = 32000\n'
        + ('price = { input_usd_per_mtok = "2", output_usd_per_mtok = "10" }\n' if n % 3 == 2 else "")
        for n in range(8)
    )
    + "".join(f'[[workflow]]\nname = "{name}"\ntrusted = ["model-0-8b-instruct"]\n' for name in WORKFLOWS)
)
POLICIES = {
    # One workflow stays inside: a sixth of the decisions may flip.
    "one_workflow": '[[rule]]\nname = "claims"\nwhen = { workflow = "claims", tier = "frontier" }\nthen.deny = true\n',
    # Nothing goes out and all is under another duty: every decision flips.
    "everything": '[labels]\npreset = "private"\n[[rule]]\nname = "all"\nthen.obligations = ["no_store"]\n',
}


def templates(rules: Rules) -> list[tuple[Decision, Ask]]:
    """Return decisions of every workflow and label, as this configuration makes them."""
    found = []
    for workflow in (None, *WORKFLOWS):
        for label in Label:
            for key in range(40):
                body = {"model": "auto", "messages": [{"role": "user", "content": "word " * 40}], "max_tokens": 300}
                call = chat.decode_request(json.dumps(body).encode(), Hints(workflow=workflow, label=label))
                ask = Ask(
                    id="0", ts=0.0, now=0.0, model="auto", wire="chat", features=call.features, hints=call.hints,
                    key_id=f"key-{key}", grant=Grant(name=f"key-{key}", team=f"team-{key % 5}"),
                )  # fmt: skip
                pool = resolve(rules, ask)
                said = labelled(rules, call, pool.workflow, None, Forgiven())
                found.append((decide(rules, Facts(rules.breaker, ()), ask, pool, said).decision, ask))
    return found


def outcome(rules: Rules, template: tuple[Decision, Ask], ident: str, draw: random.Random) -> Decision:
    """Return a record with numbers of its own."""
    decision, ask = template
    tokens = min(int(draw.lognormvariate(6.5, 1.2)) + 10, 24_000)
    features = msgspec.structs.replace(ask.features, input_tokens_est=tokens)
    model = rules.catalog.models[decision.chosen or ""]
    attempt = AttemptRecord(
        endpoint=model.endpoint, model=model.id, tier=rules.catalog.endpoints[model.endpoint].tier, wire="chat",
        started=time.time(), served_model=model.served_name, first_byte_ms=draw.uniform(20, 900),
        duration_ms=draw.uniform(900, 9000), usage=Usage(input=tokens // 3, output=draw.randrange(1, 300)),
        cost_usd=Decimal(tokens).scaleb(-6) if model.price else None,
        cost_reason=None if model.price else "unmetered", verdict="ok",
    )  # fmt: skip
    return msgspec.structs.replace(
        decision, id=ident, ts=time.time(), features=features, attempts=(attempt,), outcome="answered",
        total_cost_usd=attempt.cost_usd, session=f"session-{draw.randrange(100_000)}",
    )  # fmt: skip


async def fill(rules: Rules, path: Path, count: int) -> None:
    """Write so many records, each awaited until it is durable (against a crash: the disk is not measured here)."""
    known, ids, draw = templates(rules), IdSource(time.time_ns, os.urandom), random.Random(7)
    async with await Ledger.open(path, options=Options(durability="normal")) as ledger:
        for begin in range(0, count, AT_ONCE):
            batch = range(begin, min(begin + AT_ONCE, count))
            made = [outcome(rules, draw.choice(known), ids.next(), draw) for _ in batch]
            await asyncio.gather(*(ledger.outcome(decision) for decision in made))


def timed(home: Path, *arguments: str) -> dict[str, object]:
    """Run the command; return what it counted, how long it took, and the most memory of one of its processes."""
    environment = {**os.environ, "TIERWISE_HOME": str(home), "TIERWISE_CONFIG": str(home / "tierwise.toml")}
    begin, cpu = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "tierwise", *arguments, "--json"], env=environment, capture_output=True, check=False
    )
    took = time.perf_counter() - begin
    if done.returncode not in (0, 1):
        sys.exit(done.stderr.decode())
    said = json.loads(done.stdout)
    # Of all children so far the largest, those of the command's own pool included.
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "command": " ".join(arguments[:2]),
        "decisions": said["decisions"],
        "flipped": said["flipped"],
        "seconds": round(took, 1),
        "cpu_s": round(after.ru_utime + after.ru_stime - cpu.ru_utime - cpu.ru_stime, 1),
        "decisions_per_s": round(said["decisions"] / took),
        "peak_mib_of_one_process": round(after.ru_maxrss / 1024),
    }


def main() -> None:
    """Fill, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--home", type=Path, help="keep the ledger here, and use the one that lies there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = options.home or Path(folder)
        home.mkdir(exist_ok=True)
        own, path = home / "tierwise.toml", home / "ledger.sqlite"
        own.write_text(CONFIG)
        if not path.exists():
            begin = time.perf_counter()
            uvloop.run(fill(rules_from(config.load(own)), path, options.records))
            size = path.stat().st_size / options.records
            print(json.dumps({"filled_s": round(time.perf_counter() - begin), "bytes_per_record": round(size)}))
        for name, policy in POLICIES.items():
            new = home / f"{name}.toml"
            new.write_text(policy + CONFIG)
            for command in (("policy", "diff", str(new)), ("replay", "--config", str(new))):
                print(json.dumps({"policy": name, "cores": os.cpu_count()} | timed(home, *command)), flush=True)


if __name__ == "__main__":
    main()
