"""How fast is the gateway, beside nginx, in the same run on the same machine?

Drives the side-by-side bench that lies beside the project (`--bench`, default ../shared/bench): its upstream and load
generator are built into a scratch folder, then direct, nginx and Tierwise are measured in turn, gateway on core 0,
upstream and load on core 1. Everything that a request goes through is on: labels, policy, gates, the durable ledger.
Absolute figures are those of one machine on one day; the ratio to nginx is what to quote.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from serving import ROOT, TIERWISE, configuration, environment, free_port

MODELS = ("fake", "fake-n50-g10")
TOOLS = {"gcc": "a C compiler", "wrk": "Debian's package wrk", "taskset": "Debian's package util-linux"}


def main() -> int:
    options = arguments()
    bench = options.bench.resolve()
    if not (bench / "bench.py").is_file():
        sys.exit(f"the side-by-side bench is not at {bench}; name its folder with --bench")
    if missing := [f"{tool} ({what})" for tool, what in TOOLS.items() if not shutil.which(tool)]:
        sys.exit("missing on this machine: " + ", ".join(missing))
    if (os.cpu_count() or 1) < 2:
        sys.exit("two cores are needed: one for the gateway, one for upstream and load")
    nginx = shutil.which("nginx", path=os.environ.get("PATH", "") + os.pathsep + "/usr/sbin")
    if nginx is None:
        print("nginx is not installed (Debian's package nginx-light): no ratio to it", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="tierwise-bench-") as folder:
        return measure(options, bench, nginx, Path(folder))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", type=Path, default=ROOT.parent / "shared" / "bench", help="folder of the bench")
    parser.add_argument("--rounds", type=int, default=3, help="of each; medians are reported")
    parser.add_argument("--out", type=Path, help="default: bench-results/gateway-TIME.jsonl")
    parser.add_argument(
        "--home", type=Path, help="where the ledger lies, to choose its disk; default: a scratch folder"
    )
    return parser.parse_args()


def measure(options: argparse.Namespace, bench: Path, nginx: str | None, scratch: Path) -> int:
    binaries = scratch / "bin"
    binaries.mkdir()
    for name in ("upstream", "lg"):
        subprocess.run(["gcc", "-O2", "-o", binaries / name, bench / "src" / f"{name}.c"], check=True)
    out = options.out or ROOT / "bench-results" / f"gateway-{time.strftime('%Y%m%d-%H%M%S')}.jsonl"
    out.parent.mkdir(parents=True, exist_ok=True)
    upstream_port = free_port()
    plan = scratch / "gateways.json"
    home = options.home or scratch / "home"
    home.mkdir(parents=True, exist_ok=True)
    plan.write_text(json.dumps({"gateways": list(gateways(scratch, home, upstream_port, nginx))}))

    environ = {**os.environ, "BENCH_BIN": str(binaries), "UP_PORT": str(upstream_port)}
    program = [sys.executable, str(bench / "bench.py")]
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, {os.cpu_count()} cores")
    run = ["run", "--config", str(plan), "--rounds", str(options.rounds), "--out", str(out), "--logs", str(scratch)]
    subprocess.run([*program, *run], env=environ, check=True)
    print()
    base = ["--base", "direct", *(["--base", "nginx"] if nginx else [])]
    subprocess.run([*program, "report", str(out), *base], env=environ, check=True)
    return summary(out, scratch)


def gateways(scratch: Path, home: Path, upstream_port: int, nginx: str | None) -> list[dict[str, Any]]:
    """Write what the bench starts: nothing (direct), nginx, Tierwise."""
    rows: list[dict[str, Any]] = [{"name": "direct"}]
    if nginx:
        port = free_port()
        (scratch / "nginx.conf").write_text(nginx_configuration(scratch, port, upstream_port))
        rows.append({"name": "nginx", "cmd": f"{nginx} -c {scratch}/nginx.conf -p {scratch}", "port": port})
    port = free_port()
    config = scratch / "tierwise.toml"
    config.write_text(configuration(f"http://127.0.0.1:{upstream_port}/v1", MODELS))
    command = f"{TIERWISE} serve --config {config} --port {port}"
    rows.append({"name": "tierwise", "cmd": command, "port": port, "env": environment(home)})
    return rows


def nginx_configuration(scratch: Path, port: int, upstream_port: int) -> str:
    """Write one worker, kept connections both ways, no buffering of answers, no log."""
    temporary = "\n".join(
        f"  {kind}_temp_path {scratch}/nginx_{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return f"""worker_processes 1; daemon off; pid {scratch}/nginx.pid; error_log {scratch}/nginx.err warn;
events {{ worker_connections 4096; }}
http {{
  access_log off; tcp_nodelay on; client_body_buffer_size 128k; keepalive_requests 100000000;
{temporary}
  upstream model {{ server 127.0.0.1:{upstream_port}; keepalive 512; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://model; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
    }}
  }}
}}
"""


def summary(out: Path, scratch: Path) -> int:
    """Print the figures that the project aims at; 1 when Tierwise could not be measured or answered badly."""
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    ours = [row for row in rows if row["name"] == "tierwise"]
    good = [row for row in ours if "error" not in row and not row["sat_bad"]]
    print(f"\nresults: {out}")
    if len(good) < len(ours) or not good:
        print(f"tierwise failed in {len(ours) - len(good)} of {len(ours)} rounds; it said:", file=sys.stderr)
        print((scratch / "tierwise.log").read_text()[-2000:], file=sys.stderr)
        return 1
    ratios = [row["sat_rps"] / other["sat_rps"] for row in good for other in rows if is_beside(other, row)]
    if ratios:
        rounds = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        print(f"tierwise / nginx, req/s in the same round: {statistics.median(ratios):.2f} (rounds: {rounds})")
    print(f"resident memory after load: {statistics.median(row['rss_mb'] for row in good):.0f} MB (with its children)")
    print(f"start to first answer: {statistics.median(row['start_s'] for row in good):.2f} s")
    return 0


def is_beside(other: dict[str, Any], row: dict[str, Any]) -> bool:
    return other["name"] == "nginx" and other["round"] == row["round"] and "error" not in other


if __name__ == "__main__":
    sys.exit(main())
