"""COMMANDS: one module per noun, imported only when its command runs."""

import sys


def main() -> None:
    """Run the command line; every error becomes one line that names the mend, and an exit code."""
    from tierwise.cli.app import run

    sys.exit(run(sys.argv[1:]))
