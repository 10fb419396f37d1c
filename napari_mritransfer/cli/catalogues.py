"""What there is to choose from: shipped models and strategies."""

from dataclasses import asdict

from rich.table import Table
from rich.text import Text

from napari_mritransfer.cli.console import Answer, AsJson, answer, out
from napari_mritransfer.transfer.catalogue import CATALOGUE
from napari_mritransfer.zoo.card import DEFAULT_MODEL, model_cards


def models(as_json: AsJson = False) -> None:
    """List the shipped models and what they were trained on."""

    def found() -> Answer:
        cards = model_cards()

        def show() -> None:
            for card in cards:
                default = "  (default)" if card.name == DEFAULT_MODEL else ""
                out.print(f"[bold]{card.name}[/]{default}\n  {card.title}")
                show_facts(
                    {
                        "Parameters": f"{card.parameters['ft']:,}; LFT learns {card.parameters['lft']:,}",
                        "Trained at": f"{card.rates[0]:.0%} to {card.rates[1]:.0%} of {card.lines[0]} to "
                        f"{card.lines[1]} lines; {', '.join(card.mask_kinds)} masks",
                        **{key.replace("_", " ").capitalize(): str(value) for key, value in card.training.items()},
                        **{key: str(value) for key, value in card.metrics.items()},
                    }
                )
            out.print("Published by others: [bold]mritransfer models list[/]")

        return Answer([asdict(card) for card in cards], show)

    answer(as_json, found)


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
