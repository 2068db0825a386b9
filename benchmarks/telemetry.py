"""What does telemetry cost a call? Alone, and as the difference that it makes to a gateway at work. Prints JSON.

`observe_us` is all that stands on the event loop for one decision (counting and a place in the queue), `put_us` the
place in the queue alone; `spans_us` and `write_us` are the thread's share. `loop_cpu_us` is the processor time of the
event loop's thread for one call through the whole gateway, ledger and transport included, with metrics alone and with a
collector; the gateways take turns.
"""

import argparse
import asyncio
import json
import operator
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec

from tierwise import bootstrap
from tierwise.config import Document, Settings
from tierwise.core.call import Hints
from tierwise.core.decision import CandidateRecord, Decision
from tierwise.core.label import Tier
from tierwise.gateway.observed import Observed
from tierwise.registry.settings import EndpointRow, ModelRow
from tierwise.telemetry import otlp
from tierwise.telemetry.export import Exporter, Made
from tierwise.telemetry.known import Known, Served
from tierwise.telemetry.metrics import Metrics
from tierwise.telemetry.names import naming
from tierwise.telemetry.settings import TelemetrySettings
from tierwise.telemetry.spans import spans
from tierwise.testing import ScriptedUpstream
from tierwise.wires import chat

ROUNDS, PIECES = 7, 2000
BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "one two three"}]}).encode()


class Taking(BaseHTTPRequestHandler):
    """A collector that takes everything."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer 200."""
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def timed(what: Callable[[], object]) -> float:
    """Return the median microseconds of one call."""
    rounds = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        for _ in range(PIECES):
            what()
        rounds.append((time.perf_counter() - begin) / PIECES * 1e6)
    return round(statistics.median(rounds), 2)


def pieces(decision: Decision) -> dict[str, float]:
    """Measure each part alone, on a record as the gateway made it, with eight candidates and two attempts."""
    more = tuple(
        CandidateRecord(model=f"m{n}", endpoint="up", tier=Tier.LOCAL, allowed=True, reason="next") for n in range(7)
    )
    first = msgspec.structs.replace(decision.attempts[0], verdict="next", error="TimedOut: first byte")
    decision = msgspec.structs.replace(
        decision, candidates=decision.candidates + more, attempts=(first, *decision.attempts)
    )
    served = Served(endpoint="up", model="m", name="m", provider="scripted", address="127.0.0.1", port=1)
    known = Known(models={("up", "m"): served})
    made = Made(known=known, naming=naming("v1.41"), reaches=lambda _label: True)
    settings = TelemetrySettings(url="http://127.0.0.1:1", max_queued=ROUNDS * PIECES * 2)

    def exporter() -> Exporter:
        return Exporter(settings, made, lambda: None)  # type: ignore[arg-type, return-value]  # never started

    queue, seen = exporter(), Observed(Metrics(known), exporter())
    written = spans(decision, 0.1, known, made.naming)
    return {
        "observe_us": timed(lambda: seen.observe(decision, 0.1)),
        "put_us": timed(lambda: queue.put(decision, 0.1)),
        "spans_us": timed(lambda: spans(decision, 0.1, known, made.naming)),
        "write_us": timed(lambda: otlp.traces(written, {}, ("tierwise", "1"), "")),
        "span_bytes": round(sum(len(otlp.span(one)) for one in written) / len(written)),
    }


async def through(both: tuple[Settings, Settings], calls: int) -> tuple[list[float], list[float], Decision]:
    """Return the processor time of this thread for a call, in microseconds by round, of two gateways in turn."""
    async with bootstrap.opened(both[0]) as bare, bootstrap.opened(both[1]) as sending:
        call = chat.decode_request(BODY, Hints())
        found: tuple[list[float], list[float]] = ([], [])
        for _ in range(ROUNDS + 1):
            for wired, times in zip((bare, sending), found, strict=True):
                begin = time.thread_time()
                for _ in range(calls):
                    reply = await wired.gateway.handle(call)
                times.append((time.thread_time() - begin) / calls * 1e6)
        return found[0][1:], found[1][1:], reply.decision


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=300, help="calls in a round, of which there are seven")
    calls = parser.parse_args().calls
    server = ThreadingHTTPServer(("127.0.0.1", 0), Taking)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with ScriptedUpstream.in_thread(models=("m",)) as upstream, tempfile.TemporaryDirectory() as home:
        endpoint = EndpointRow(name="up", kind="scripted", url=upstream.url)
        bare = Document(endpoint=(endpoint,), model=(ModelRow(id="m", endpoint="up"),))
        collector = TelemetrySettings(url=f"http://127.0.0.1:{server.server_address[1]}")
        sending = msgspec.structs.replace(bare, telemetry=collector)
        both = tuple(Settings(document=doc, home=Path(home, n)) for n, doc in (("a", bare), ("b", sending)))
        before, after, decision = asyncio.run(through((both[0], both[1]), calls))
    told = {
        "loop_cpu_us_metrics": round(statistics.median(before), 1),
        "loop_cpu_us_collector": round(statistics.median(after), 1),
        "loop_cpu_us_difference": round(statistics.median(map(operator.sub, after, before)), 1),
    }
    server.shutdown()
    print(json.dumps(pieces(decision) | told))


if __name__ == "__main__":
    main()
