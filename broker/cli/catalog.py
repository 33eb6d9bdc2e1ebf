"""``ostiary catalog``: what Ostiary knows of the operations it can be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import typer

from broker.cli.output import OutputFormat, OutputOption, emit

if TYPE_CHECKING:
    from connectors.aws.catalogue.figures import Figures

app = typer.Typer(no_args_is_help=True, add_completion=False)

ALL: Final = "all"
"""Name of the row over all services."""
MOST_USED: Final = "most used"
"""Name of the row over the operations people use most."""


@app.callback()
def _group() -> None:
    """Look at the catalogue of operations."""


@app.command()
def stats(output: OutputOption = OutputFormat.TABLE) -> None:
    """Print how much of AWS the catalogue knows exactly, over all services and for those people use most."""
    from connectors.aws.catalogue.data import load
    from connectors.aws.catalogue.figures import CORE, figures, most_used

    catalogue = load()
    services = sorted(catalogue.services())
    total = figures(catalogue, services)
    core = {service: figures(catalogue, [service]) for service in CORE}
    most, incomplete = most_used(catalogue)
    if output is OutputFormat.TABLE:
        rows = (_row(service, each) for service, each in core.items())
        emit([_row(ALL, total), _row(MOST_USED, most), *rows], output)
    else:
        used = {**_plain(most), "incomplete": list(incomplete)}
        emit({**_report(catalogue.sources, len(services), total, core), "most_used": used}, output)


def _report(sources: Mapping[str, str], services: int, total: Figures, core: Mapping[str, Figures]) -> dict[str, Any]:
    return {
        "sources": dict(sources),
        "services": services,
        **_plain(total),
        "core": {service: _plain(each) for service, each in core.items()},
    }


def _row(service: str, figures: Figures) -> dict[str, Any]:
    return {"service": service, **_plain(figures)}


def _plain(figures: Figures) -> dict[str, Any]:
    return {
        "operations": figures.operations,
        "exact_percent": figures.percent(figures.exact),
        "complete_percent": figures.percent(figures.complete),
        "mechanical_percent": figures.percent(figures.mechanical),
        "secrets": figures.secrets,
        "escalating": figures.escalating,
    }
