"""What do the detectors find, what do they pin wrongly, and how long do they take? Run: scripts/bench detectors

`--tree FOLDER` cuts any folder's text files into turns of a coding session instead and prints what was pinned.
"""

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.detectors.cases import corpus
from tests.detectors.page import measure, page, pinned
from tests.detectors.sessions import drawn, tree

from tierwise.policy.detect import Detectors
from tierwise.policy.settings import LabelSettings


def told(folder: Path) -> None:
    turns = list(
        tree(folder, (".",) if folder.is_file() else tuple(p.name for p in folder.iterdir() if p.is_dir()), ())
    )
    began = time.process_time()
    wrong = pinned(turns, Detectors(LabelSettings()))
    spent_ms = (time.process_time() - began) * 1000
    for one in wrong:
        print(f"{', '.join(sorted(one.found)):24} {one.turn.source}")
    share = 100 * len(wrong) / max(1, len(turns))
    print(f"{len(wrong)} of {len(turns)} turns pinned ({share:.2f} %), {spent_ms / max(1, len(turns)):.2f} ms a turn")


def timed() -> None:
    for name, calls in (("cases", [c.parts for c in corpus()]), ("drawn turns", [t.parts for t in drawn()])):
        detectors, began = Detectors(LabelSettings()), time.process_time()
        for parts in calls:
            detectors.scan(parts)
        first = time.process_time() - began
        size = sum(len(part.text) for parts in calls for part in parts)
        print(f"{len(calls)} {name}, {size / len(calls):.0f} characters each: {first / len(calls) * 1e6:.0f} us each")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tree", type=Path, help="a folder with text files")
    wanted = parser.parse_args()
    if wanted.tree:
        told(wanted.tree)
        return
    print(page(measure()))
    timed()


if __name__ == "__main__":
    main()
