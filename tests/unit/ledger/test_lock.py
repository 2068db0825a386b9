"""One writer at a time; the second is told who the first is."""

import os
from pathlib import Path

import pytest

from tierwise.core.errors import StoreError
from tierwise.ledger.lock import WriterLock, held


def test_the_second_is_told_who_holds_it_until_it_is_given_back(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    lock = WriterLock(path)
    for _ in range(2):
        with pytest.raises(StoreError, match=rf"process {os.getpid()} already writes .* TIERWISE_HOME"):
            WriterLock(path)
    lock.release()
    WriterLock(path).release()


def test_a_file_left_by_a_dead_process_holds_nobody_up(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    (tmp_path / "ledger.db.lock").write_text("4000000000000\n")
    WriterLock(path).release()
    assert (tmp_path / "ledger.db.lock").read_text() == f"{os.getpid()}\n"


def test_one_can_look_who_holds_it_and_takes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    assert not held(path)
    lock = WriterLock(path)
    assert held(path)
    lock.release()
    assert not held(path)
    WriterLock(path).release()
