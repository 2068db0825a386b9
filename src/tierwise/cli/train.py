"""The command `tierwise train`: an answer that needs no language model."""

import hashlib
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from tierwise.cli.options import Json, print_json, say
from tierwise.core.errors import ConfigError
from tierwise.core.extras import without

Learned = Literal["train", "train,tune"]


def train(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Messages with labels: CSV, JSON lines or Parquet.")],
    out: Annotated[Path, typer.Option("--out", help="The file to write.")],
    split: Annotated[Learned, typer.Option(help="What is learned from. What claims rest on never is.")] = "train",
    text: Annotated[str | None, typer.Option(help="The field with the message, where there are several.")] = None,
    field: Annotated[str | None, typer.Option(help="The name of the answer's one field, such as intent.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    as_json: Json = False,
) -> None:
    """Fit a linear model on words and parts of words: the candidate that costs next to nothing.

    It answers with one label, through an endpoint of the kind `classifier`, and is compared
    like any other model. The figure that is told is of rows that it had not seen, by
    cross-validation; the same rows give the same file. Needs the extra `evals`.

    Examples:
      tierwise train messages.csv --out intents.safetensors --field intent
      tierwise train messages.jsonl --split train,tune --out intents.safetensors --json
    """
    if out.exists() and not force:
        raise ConfigError(f"{out} is there already; --force replaces it, --out writes elsewhere", file=str(out))
    told = _trained(data, out, split, text, field)
    if as_json:
        print_json(told)
        return
    held = told["held_out"]
    print(f"{out}: {told['labels']} labels, {told['features']:,} features, {told['bytes'] / 1e6:.1f} MB")
    print(f"  learned   {told['rows']:,} rows of {data.name} ({told['dataset'][:19]}…), split {split}")
    print(
        f"  held out  {held.right / held.rows:.1%} right ({held.low:.1%} to {held.high:.1%}, 95 %)"
        f" on rows not seen, in {held.folds} folds; it took its chance for {held.said:.1%}"
    )
    print(f'  serve it  [[endpoint]] with kind = "classifier" and file = "{out}"; it answers in {told["field"]!r}')


def _trained(data: Path, out: Path, split: Learned, text: str | None, field: str | None) -> dict[str, Any]:
    """Train and write; return what there is to tell. Raises ConfigError."""
    try:
        from tierwise.evals import training
    except ImportError as error:
        raise without(error, "evals", "linear models") from error
    from tierwise.evals.data.read import read
    from tierwise.evals.item import Split
    from tierwise.ledger.export import complete

    splits: tuple[Split, ...] = ("train",) if split == "train" else ("train", "tune")
    model = training.train(read(data), splits, text=text, field=field, tell=lambda told: say(f"  fitting   {told}"))
    content = model.to_bytes()
    with complete(out) as part:
        part.write_bytes(content)
    header = model.header
    return {
        "file": str(out),
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "field": header.field,
        "labels": len(header.labels),
        "features": len(model.vocabulary.keys),
        "dataset": header.trained.dataset,
        "splits": header.trained.splits,
        "rows": header.trained.rows,
        "clusters": header.trained.clusters,
        "held_out": header.held_out,
        "temperature": header.temperature,
    }
