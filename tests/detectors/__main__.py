"""Measure and write the page: `python -m tests.detectors`, which `scripts/docs` calls."""

from tests.detectors.page import PAGE, measure, page

if __name__ == "__main__":
    PAGE.write_text(page(measure()), encoding="utf-8")
