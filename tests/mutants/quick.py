"""A plugin of pytest for trials: drawn examples are the same in every run, and what fails is not made smaller."""

from hypothesis import Phase, settings


def pytest_configure() -> None:
    phases = (Phase.explicit, Phase.generate)
    settings.register_profile("mutants", parent=settings(), derandomize=True, database=None, phases=phases)
    settings.load_profile("mutants")
