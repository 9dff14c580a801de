"""The commands of the zoo: networks to start from, made into .tflite files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.cli.app import Json, app, print_json, relative
from harness.cli.project import Application
from harness.errors import EXIT_PASS, BadInputError, HarnessError

zoo = Application(help="Networks to start from: list them, make them into .tflite files.", no_args_is_help=True)
app.add_typer(zoo, name="zoo")


@zoo.command("list")
def list_networks(as_json: Json = False) -> int:
    """List the networks, their parameters, and what each can be trained on."""
    from harness.zoo.networks import NETWORKS

    if as_json:
        print_json([_network(item) for item in NETWORKS.values()])
    else:
        from harness.report.tables import console
        from harness.report.zoo import networks

        console().print(networks(NETWORKS.values()))
    return EXIT_PASS


def _network(item: Any) -> dict[str, Any]:
    import msgspec

    return {
        "name": item.name,
        "title": item.title,
        "source": item.source,
        "parameters": msgspec.to_builtins(item.parameters),
        "dataset": item.dataset,
        "untrainable": item.untrainable,
    }


@zoo.command()
def build(
    specs: Annotated[
        list[str], typer.Argument(metavar="NETWORK...", help="lenet, or with parameters: conv:channels=8,kernel=3.")
    ],
    dtype: Annotated[str, typer.Option("--type", help="int8, weights and activations, or float32.")] = "int8",
    io: Annotated[
        str | None,
        typer.Option("--io", help="Type of inputs and outputs, where it is not --type: float32.", show_default=False),
    ] = None,
    train: Annotated[bool, typer.Option("--train", help="Train it, instead of random weights.")] = False,
    epochs: Annotated[
        int | None, typer.Option("--epochs", help="How long to train; what it needs.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of weights, training and random samples.")] = 1,
    sparsity: Annotated[float, typer.Option("--sparsity", help="Share of weights that become 0.")] = 0.0,
    channel_pruning: Annotated[
        float, typer.Option("--channel-pruning", help="Share of channels that are removed.")
    ] = 0.0,
    multiple_of: Annotated[
        int, typer.Option("--multiple-of", help="Round channels up to multiples of this; CMSIS-NN likes 4.")
    ] = 1,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Copy files here, too; else they stay in the cache.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> int:
    """Make networks into .tflite files, with random weights or trained, and say what they are."""
    from harness.zoo.networks import parse
    from harness.zoo.recipe import recipe

    recipes = [
        recipe(
            parse(text),
            type=dtype,
            io=io,
            train=train,
            epochs=epochs,
            seed=seed,
            sparsity=sparsity,
            channel_pruning=channel_pruning,
            multiple_of=multiple_of,
        )
        for text in specs
    ]
    return _build(recipes, output, as_json)


def _build(recipes: list[Any], output: Path | None, as_json: bool) -> int:
    import msgspec

    from harness.report.progress import Steps
    from harness.report.tables import console
    from harness.report.zoo import failures, made
    from harness.zoo.make import attempt, copy

    if output is not None and output.exists() and not output.is_dir():
        raise BadInputError(f"{output} is no folder", "--output takes the folder that files are put into")
    with Steps(quiet=as_json) as steps:
        outcomes = dict(zip(recipes, attempt(recipes, steps), strict=True))
    files = [outcome for outcome in outcomes.values() if not isinstance(outcome, HarnessError)]
    if output is not None:
        files = [copy(item, output) for item in files]
    if as_json:
        print_json([{"path": str(item.path), **msgspec.to_builtins(item.metadata)} for item in files])
    else:
        for item in files:
            console().print(made(item.metadata, relative(item.path)), soft_wrap=True)
    errors = {recipe.label: outcome for recipe, outcome in outcomes.items() if isinstance(outcome, HarnessError)}
    if len(errors) > 1:
        sys.stderr.write(failures(list(errors)[1:]) + "\n")
    for error in errors.values():
        raise error
    return EXIT_PASS
