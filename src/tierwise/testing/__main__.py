"""Run the scripted upstream as a process: `python -m tierwise.testing --port 9000` prints its URL, a signal ends it."""

import argparse
import asyncio
import contextlib
import signal
import sys

from tierwise.testing.server import ScriptedUpstream


async def run(options: argparse.Namespace) -> None:
    """Serve until SIGINT or SIGTERM."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(name, ended.set)
    models = tuple(options.model or ["scripted-1"])
    async with ScriptedUpstream(host=options.host, port=options.port, key=options.key, models=models) as upstream:
        sys.stdout.write(upstream.url + "\n")
        sys.stdout.flush()
        await ended.wait()


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(prog="python -m tierwise.testing", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--key", help="the bearer token to ask for")
    parser.add_argument("--model", action="append", help="a name to answer to; may be given more than once")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
