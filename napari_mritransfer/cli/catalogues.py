"""What there is to choose from: shipped models and strategies."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from rich.table import Table
from rich.text import Text

from napari_mritransfer.cli.console import Answer, AsJson, answer, out
from napari_mritransfer.transfer.catalogue import CATALOGUE
from napari_mritransfer.zoo.card import DEFAULT_MODEL, ModelCard, model_cards
from napari_mritransfer.zoo.cohort_card import CohortCard, cohort_cards


def models(as_json: AsJson = False) -> None:
    """List the shipped models and what they were trained on."""

    def found() -> Answer:
        cards, predictors = model_cards(), cohort_cards()

        def show() -> None:
            out.print("[underline]Networks that reconstruct images[/]")
            for card in cards:
                default = "  (default)" if card.name == DEFAULT_MODEL else ""
                out.print(f"[bold]{card.name}[/]{default}\n  {card.title}")
                show_facts(_reconstruction_facts(card))
            _show_predictors(predictors)
            out.print("Published by others: [bold]mritransfer models list[/]")

        rows = [{"kind": "reconstruction", **asdict(card)} for card in cards]
        return Answer([*rows, *({"kind": "prediction", **asdict(card)} for card in predictors)], show)

    answer(as_json, found)


def _reconstruction_facts(card: ModelCard) -> dict[str, str]:
    return {
        "Parameters": f"{card.parameters['ft']:,}; LFT learns {card.parameters['lft']:,}",
        "Trained at": f"{card.rates[0]:.0%} to {card.rates[1]:.0%} of {card.matrix}; "
        f"{', '.join(card.mask_kinds)} masks",
        **_told(card.training, card.metrics),
    }


def _show_predictors(cards: Sequence[CohortCard]) -> None:
    if cards:
        out.print("[underline]Networks that predict a label from a volume[/] (mritransfer cohort)")
    for card in cards:
        simulated = "  (learned from simulated scans)" if card.simulated else ""
        out.print(f"[bold]{card.name}[/]{simulated}\n  {card.title}")
        show_facts(
            {
                "Predicts": card.predicts,
                "Parameters": f"{card.parameters:,}",
                **_seen(card),
                **_told({name: fact for name, fact in card.training.items() if name != "simulated"}, card.metrics),
            }
        )


def _seen(card: CohortCard) -> dict[str, str]:
    """How scans are looked at: slice by slice, or whole."""
    if card.slicing:
        return {"Slices": f"{card.slicing}, joined by {card.pooling}"}
    looks = {"Sees": "the whole volume" + (", of a brain without its skull" if card.brain_only else "")}
    if (bins := card.bins) is None:
        return looks
    stop, unit = bins["start"] + bins["count"] * bins["width"], f" {card.unit}".rstrip()
    return looks | {"Bins": f"{bins['count']} from {bins['start']:g} to {stop:g}{unit}; nothing beyond is predicted"}


def _told(training: Mapping[str, object], metrics: Mapping[str, object]) -> dict[str, str]:
    sentences = {key.replace("_", " ").capitalize(): str(value) for key, value in training.items()}
    return sentences | {key: str(value) for key, value in metrics.items()}


def strategies(as_json: AsJson = False) -> None:
    """List the transfer strategies: what learns, where it comes from."""

    def found() -> Answer:
        def show() -> None:
            for row in CATALOGUE:
                out.print(f"[bold]{row.name}[/]  {row.label}\n  {row.summary}")
                rate = {"Learning rate": f"{row.learning_rate:g}"} if row.learning_rate else {}
                choices = {"Options": ", ".join(f"{k} = {v}" for k, v in row.options.items())} if row.options else {}
                show_facts({"Reference": row.reference, **rate, **choices})

        return Answer([asdict(row) for row in CATALOGUE], show)

    answer(as_json, found)


def show_facts(facts: dict[str, str]) -> None:
    """A small table of what is known about an entry."""
    table = Table(show_header=False, box=None, padding=(0, 1))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for key, value in facts.items():
        table.add_row(f" {key}", Text(value))
    out.print(table)
