"""Names of methods where a person presses the tab key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.errors import ZooError

if TYPE_CHECKING:
    from collections.abc import Callable

    import click
    from click.shell_completion import CompletionItem


def completing(
    *kinds: str,
) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    """Complete the last name of a list with commas; those before it are not offered again.

    Args:
        *kinds: that may be named; all that ``zoo distill`` adds up where none is given.
    """

    def complete(
        ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        del ctx, param
        before, comma, begun = incomplete.rpartition(",")
        named = {each.partition(":")[0] for each in before.split(",")}
        return [
            CompletionItem(f"{before}{comma}{name}", help=summary)
            for name, summary in _known(kinds).items()
            if name.startswith(begun) and name not in named
        ]

    return complete


def _known(kinds: tuple[str, ...]) -> dict[str, str]:
    """Map names to summaries; a configuration that cannot be read completes nothing."""
    from zoo.api import open_catalogue
    from zoo.building.naming import KINDS
    from zoo.settings import resolve

    try:
        catalogue = open_catalogue(resolve().settings)
    except ZooError:
        return {}
    return {
        name: spec.summary
        for kind in kinds or KINDS
        for name, spec in sorted(catalogue.specs(kind).items())
    }
