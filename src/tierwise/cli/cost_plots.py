"""How do costs look as plots for a report? SVG and PNG files, drawn with matplotlib (the extra `plots`).

Opens no window and reads no style of the machine. Invariant: an axis of money begins at 0.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tierwise.cli.cost_found import Cost
from tierwise.core.extras import without
from tierwise.core.usage import TOKENS_PER_MTOK as MTOK
from tierwise.economics.breakeven import Own
from tierwise.economics.compare import Answer, CostPlan
from tierwise.economics.curve import curves
from tierwise.economics.spend import Line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROWS = 12
INCHES, DPI = (7.2, 4.0), 160


def draw(found: Cost, plan: CostPlan | None, folder: Path) -> list[Path]:
    """Write every plot to the folder, as SVG and as PNG. ConfigError where the extra is missing."""
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as error:
        raise without(error, "plots", "Plots", key="--plots") from error
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    with mpl.rc_context({"svg.hashsalt": "tierwise", "svg.fonttype": "none", "font.family": "DejaVu Sans"}):
        for name, title, paint in _plots(found, plan):
            figure = Figure(figsize=INCHES, layout="constrained")
            axes = figure.add_subplot()
            axes.set_title(title, loc="left", parse_math=False)
            axes.spines[["top", "right"]].set_visible(False)
            paint(axes)
            for kind in ("svg", "png"):
                written.append(folder / f"{name}.{kind}")
                figure.savefig(written[-1], dpi=DPI, metadata={"Date": None} if kind == "svg" else {})
    return written


def _plots(found: Cost, plan: CostPlan | None) -> Iterator[tuple[str, str, Any]]:
    """Give each plot: the name of its file, its title, and who paints it."""
    if found.baselines:
        yield "elsewhere", "Spent, and the same tokens elsewhere", lambda axes: _elsewhere(axes, found)
    for view, lines in found.views.items():
        if lines:
            paint = _days if view == "day" else _names
            yield f"by-{view}", f"Cost by {view}", lambda axes, paint=paint, lines=lines: paint(axes, lines)
    if plan is not None:
        own, volume = plan.whole(), plan.plan.tokens_per_month
        for at, answer in enumerate(found.comparisons, 1):
            title = f"A month of own machines and of {answer.api.name}"
            yield f"break-even-{at}", title, lambda axes, answer=answer: _lines(axes, own, answer, volume)


def _elsewhere(axes: "Axes", found: Cost) -> None:
    rows = [("spent", found.whole.cost_usd), *((f"{one.role}\n{one.model}", one.usd) for one in found.baselines)]
    _bars(axes, [name for name, _ in rows], [float(amount) for _, amount in rows])


def _names(axes: "Axes", lines: tuple[Line, ...]) -> None:
    shown = lines[:ROWS]
    _bars(axes, [line.name for line in shown], [float(line.cost_usd) for line in shown])
    own = [float(line.own_usd) for line in shown]
    if any(own):
        left = [float(line.cost_usd) for line in shown]
        axes.barh(range(len(shown)), own, left=left, color="#c2570c", label="own machines")
        _legend(axes)


def _bars(axes: "Axes", names: list[str], amounts: list[float]) -> None:
    axes.barh(range(len(names)), amounts, color="#2563a8")
    axes.set_yticks(range(len(names)), names, parse_math=False)
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.set_xlabel("US dollars")


def _days(axes: "Axes", lines: tuple[Line, ...]) -> None:
    from datetime import date

    days = [date.fromisoformat(line.name) for line in lines]
    axes.bar(days, [float(line.cost_usd) for line in lines], color="#2563a8", label="sent")  # type: ignore[arg-type]
    own = [float(line.own_usd) for line in lines]
    if any(own):
        bottom = [float(line.cost_usd) for line in lines]
        axes.bar(days, own, bottom=bottom, color="#c2570c", label="own machines")  # type: ignore[arg-type]
        _legend(axes)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("US dollars")
    axes.tick_params("x", rotation=30)


def _lines(axes: "Axes", own: Own, answer: Answer, volume: int) -> None:
    drawn = curves(own, answer, volume)
    for line, name, look in ((drawn.own, "own machines", "-"), (drawn.api, "API", "--")):
        across = [point.tokens / MTOK for point in line]
        colour = "#2563a8" if look == "-" else "#c2570c"
        axes.plot(across, [float(point.usd) for point in line], look, color=colour, label=name)
    for stretch in drawn.open:
        last = stretch.last or stretch.first
        axes.axvspan(stretch.first / MTOK, last / MTOK, color="#12805c", alpha=0.15, lw=0)
    axes.axvline(volume / MTOK, color="#5d636e", lw=0.8)
    axes.annotate("the plan's volume", (volume / MTOK, 1), (3, -9), xycoords=("data", "axes fraction"),
                  textcoords="offset points", fontsize=8, color="#5d636e")  # fmt: skip
    axes.set_xlim(0, drawn.most_tokens / MTOK)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("million tokens a month (shaded: the inputs' ranges leave it open)")
    axes.set_ylabel("US dollars a month")
    _legend(axes)


def _legend(axes: "Axes") -> None:
    axes.legend(frameon=False, ncols=2, loc="lower right", bbox_to_anchor=(1, 1))
