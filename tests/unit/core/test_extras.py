"""What is said where a package of an extra is missing; and that a defect of ours is never told so."""

import pytest

from tierwise.core.extras import without


def test_a_missing_package_is_told_with_the_mend_here_and_in_a_clone() -> None:
    told = str(without(ModuleNotFoundError(name="scipy.special"), "evals", "verdicts"))
    assert "pip install 'tierwise[evals]'" in told
    assert "--editable '.[evals]'" in told


def test_a_module_of_our_own_that_cannot_be_imported_is_a_defect() -> None:
    with pytest.raises(ImportError, match="decide"):
        without(ImportError("cannot import name 'decide'", name="tierwise.evals.verdict"), "evals", "verdicts")
