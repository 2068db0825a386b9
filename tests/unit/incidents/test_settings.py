"""What can be written is obeyed, everything else is refused with the mend."""

import pytest

from tierwise.core.errors import ConfigError
from tierwise.incidents.settings import LOG, NotifyRow, rows_of


def test_the_log_is_told_in_any_case() -> None:
    hook = NotifyRow(name="hook", kind="webhook", url="http://127.0.0.1/")
    quiet = NotifyRow(name="mine", kind="log", severity="critical")
    assert rows_of((hook,)) == (LOG, hook)
    assert rows_of((hook, quiet)) == (hook, quiet), "a row of its own says how much"
    with pytest.raises(ConfigError, match="two notifiers are named 'hook'"):
        rows_of((hook, hook))


def test_a_row_wants_its_kinds_from_its_severity_on() -> None:
    row = NotifyRow(name="a", kind="log", severity="warning", kinds=("audit",))
    assert row.wants("audit", "critical")
    assert not row.wants("audit", "notice")
    assert not row.wants("budget", "critical")
