"""`models`: what is shipped, what others published, and fetching the latter when somebody asks for it."""

import json
from pathlib import Path
from typing import Annotated

import typer

from napari_mritransfer.cli import catalogues
from napari_mritransfer.cli.console import Answer, AsJson, answer, out, progress
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.zoo import download
from napari_mritransfer.zoo.card import UnknownModel, model_cards
from napari_mritransfer.zoo.cohort_card import cohort_cards
from napari_mritransfer.zoo.published import PUBLISHED, PublishedWeights, published_weights

models = typer.Typer(
    help="List the pretrained models and what they were trained on; fetch those that others published.",
    invoke_without_command=True,
    no_args_is_help=False,
)


class NothingFetched(BadInput):
    """Nobody agreed to a download."""


@models.callback()
def _alone(context: typer.Context, as_json: AsJson = False) -> None:
    if context.invoked_subcommand is None:
        catalogues.models(as_json)


@models.command("list")
def list_all(as_json: AsJson = False) -> None:
    """List shipped models and published weights, with licence, size and whether they are on this computer."""

    def found() -> Answer:
        cards = [("reconstruction", card) for card in model_cards()] + [("prediction", card) for card in cohort_cards()]
        shipped = [
            {
                "name": card.name, "title": card.title, "kind": kind, "architecture": card.architecture,
                "shipped": True, "here": True,
            }
            for kind, card in cards
        ]  # fmt: skip
        published = [_record(entry) for entry in PUBLISHED]

        def show() -> None:
            for row in shipped:
                out.print(f"[bold]{row['name']}[/]  shipped\n  {row['title']}")
            for entry in PUBLISHED:
                where = "here" if download.cached(entry) else "not fetched"
                out.print(f"[bold]{entry.name}[/]  {where}, {entry.about}\n  {entry.title}")
                catalogues.show_facts(
                    {
                        "Licence": entry.licence,
                        "Checksum": entry.checksum,
                        "Expects": entry.conventions,
                        "Training": entry.training,
                    }
                )

        return Answer([*shipped, *published], show)

    answer(as_json, found)


@models.command()
def fetch(
    name: Annotated[str, typer.Argument(help="As `mritransfer models list` shows it.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Download without asking.")] = False,
    as_json: AsJson = False,
) -> None:
    """Download published weights into the cache; afterwards they are found by their name."""

    def found() -> Answer:
        entry = published_weights(name, kind=None)
        if entry is None:
            names = ", ".join(row.name for row in PUBLISHED)
            raise UnknownModel(f"There are no published weights called '{name}'; choose one of: {names}.")
        if download.cached(entry) is None:
            _agree(entry, yes, as_json)
        with progress() as bar:
            path = download.fetch(entry, lambda done, total: bar(entry.name, done, total or done))
        return Answer(_record(entry), lambda: out.print(f"{entry.name} is here: {path}", soft_wrap=True))

    answer(as_json, found)


@models.command()
def new(
    architecture: Annotated[str, typer.Argument(help="Such as unet, varnet, istanet, dccnn, multiscale or sliceset.")],
    to: Annotated[Path, typer.Option("--out", help="A .safetensors file to write.")],
    settings: Annotated[str, typer.Option(help="What differs from the usual, as JSON: '{\"chans\": 16}'.")] = "{}",
    seed: Annotated[int, typer.Option(help="Of the weights.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Write a network with fresh weights, to be trained from nothing by `mritransfer finetune --strategy ft`."""

    def found() -> Answer:
        import torch

        from napari_mritransfer.io.atomic import write_bytes
        from napari_mritransfer.training.tensorfile import serialised
        from napari_mritransfer.zoo.weights import build

        if to.suffix != ".safetensors":
            raise BadInput(f"{to.name} is no weights file; let --out end in .safetensors.")
        try:
            chosen = json.loads(settings)
        except ValueError as error:
            raise BadInput(f"The settings are not JSON ({error}); write them like '{{\"chans\": 16}}'.") from error
        if not isinstance(chosen, dict):
            raise BadInput("The settings are not a JSON object; write them like '{\"chans\": 16}'.")
        torch.manual_seed(seed)
        network = build(architecture, chosen)
        metadata = {"format": "napari-mritransfer 1", "kind": "network", "architecture": architecture,
                    "settings": json.dumps(chosen)}  # fmt: skip
        write_bytes(to, serialised(network.state_dict(), metadata))
        count = sum(parameter.numel() for parameter in network.parameters())
        record = {"out": str(to), "architecture": architecture, "settings": chosen, "parameters": count}
        return Answer(record, lambda: out.print(f"{count:,} fresh weights: {to}", soft_wrap=True))

    answer(as_json, found)


def _agree(entry: PublishedWeights, yes: bool, as_json: bool) -> None:
    """Nothing is downloaded without a word."""
    if not as_json:
        out.print(f"{entry.title}\n  {entry.url}", soft_wrap=True)
        catalogues.show_facts(
            {"Licence": entry.licence, "Size": entry.about, "Checksum": entry.checksum, "Training": entry.training}
        )
    if yes:
        return
    try:
        agreed = not as_json and typer.confirm("Download it?", err=True)
    except typer.Abort:  # no terminal to answer from
        agreed = False
    if not agreed:
        raise NothingFetched(f"Nothing was downloaded; run `mritransfer models fetch {entry.name} --yes` to agree.")


def _record(entry: PublishedWeights) -> dict[str, object]:
    path = download.cached(entry)
    return {
        "name": entry.name, "title": entry.title, "kind": entry.kind, "architecture": entry.architecture,
        "shipped": False, "here": path is not None, "path": str(path) if path else None, "url": entry.url,
        "sha256": entry.sha256, "licence": entry.licence, "size_bytes": entry.size_bytes,
        "conventions": entry.conventions, "training": entry.training,
    }  # fmt: skip
