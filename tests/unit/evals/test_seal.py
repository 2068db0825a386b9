"""When were the criteria declared? Once sealed they stay, and what changed is said."""

from decimal import Decimal
from pathlib import Path

import pytest

from tierwise.core.criteria import Criteria
from tierwise.core.errors import ConfigError
from tierwise.evals.seal import SEALS, changed, digest, seal, sealed, seals


def test_the_same_criteria_have_the_same_digest_however_they_were_written() -> None:
    assert digest(Criteria(max_latency_ms_p95=1000)) == digest(Criteria(max_latency_ms_p95=1000.0))
    assert digest(Criteria(margin=0.03)) != digest(Criteria()) == sealed(Criteria(), 5.0).digest


def test_a_seal_stays_until_the_criteria_change(tmp_path: Path) -> None:
    folder = tmp_path / "inbox"
    first = seal(folder, Criteria(), 10.0)
    assert seal(folder, Criteria(), 20.0) == first and first.ts == 10.0
    other = seal(folder, Criteria(error_cost_usd=Decimal("0.50")), 30.0)
    back = seal(folder, Criteria(), 40.0)
    assert [one.seal for one in seals(folder)] == [first, other, back]
    assert (folder / SEALS).stat().st_mode & 0o077 == 0


def test_what_changed_is_said_in_the_words_of_the_configuration() -> None:
    after = Criteria(margin=0.05, max_latency_ms_p95=900.0)
    assert changed(Criteria(), after) == ("margin: 0.02 → 0.05", "max_latency_ms_p95: unset → 900.0")


def test_a_file_that_holds_no_seals_is_refused(tmp_path: Path) -> None:
    (tmp_path / SEALS).write_text("nonsense\n")
    with pytest.raises(ConfigError, match="no seals"):
        seals(tmp_path)
