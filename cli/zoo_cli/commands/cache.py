"""``zoo cache``: what Zoo keeps on this machine, and making room."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from zoo.errors import ExitCode
from zoo.render.quantities import duration_text, size_text, some
from zoo_cli import options
from zoo_cli.context import noun_group, zoo_command
from zoo_cli.kept import KINDS, Kept, choose, kept, remove
from zoo_cli.output import Column
from zoo_cli.quantities import DURATION, SIZE

if TYPE_CHECKING:
    from zoo_cli.context import Context

cache = noun_group("cache", "Show and prune what Zoo keeps.")

_DEFAULT_AGE = 30 * 86400.0


@zoo_command("show", parent=cache, examples=("zoo cache show", "zoo cache show --json"))
def show(context: Context) -> None:
    """Show what is kept, how large it is, and what may go.

    Weights are not here: they stay in the Hub's own cache, shared with every other program.
    """
    from zoo_cli.documents.house import CacheDocument, KeptKind

    folder = context.settings.folder
    found = kept(folder)
    now = time.time()
    kinds = []
    for kind, (what, prunable) in KINDS.items():
        mine = [each for each in found if each.kind == kind]
        one = KeptKind(
            kind=kind,
            files=sum(each.files for each in mine),
            bytes=sum(each.bytes for each in mine),
            oldest=max((now - each.used for each in mine), default=None),
            prunable=prunable,
            what=what,
        )
        kinds.append(one)
    columns = (
        Column("kind"),
        Column("files", right=True),
        Column("bytes", "SIZE", right=True, show=size_text),
        Column("oldest", right=True, show=_age, priority=2),
        Column("what", flexible=True, priority=1),
    )
    total = sum(each.bytes for each in found)
    document = CacheDocument(folder=str(folder), bytes=total, kinds=tuple(kinds))
    rows = [msgspec.to_builtins(each) for each in kinds]
    context.output.rows(columns, rows, document=document)
    context.output.note(f"{size_text(total)} in {folder}")


@zoo_command(
    "prune",
    parent=cache,
    examples=("zoo cache prune --older-than 30d", "zoo cache prune --max-size 5GB --dry-run"),
)
@options.option(
    "--older-than",
    type=DURATION,
    metavar="TIME",
    default_shown="30d without --max-size",
    variable="ZOO_CACHE_OLDER_THAN",
    help="Remove what has not been used for so long.",
)
@options.option(
    "--max-size",
    type=SIZE,
    metavar="SIZE",
    default_shown="none",
    variable="ZOO_CACHE_MAX_SIZE",
    help="Remove the longest unused until the rest fits.",
)
@options.dry_run
@options.yes
def prune(
    context: Context, older_than: float | None, max_size: float | None, dry_run: bool, yes: bool
) -> int:
    """Remove what can be computed again when it is needed.

    Features, attributions, prepared inputs, graphs and grown checkpoints go; scores and runs stay:
    see `zoo runs remove`.
    """
    if older_than is None and max_size is None:
        older_than = _DEFAULT_AGE
    chosen = choose(
        kept(context.settings.folder), now=time.time(), older_than=older_than, max_size=max_size
    )
    freed = sum(each.bytes for each in chosen)
    phrase = f"{some(len(chosen), 'item')}, {size_text(freed)}"
    asked = bool(chosen) and not dry_run
    if asked and not context.output.confirm(f"Remove {phrase}?", yes=yes):
        context.output.note("Nothing was removed.")
        return ExitCode.DONE
    left = remove(chosen) if asked else ()
    for each, reason in left:
        context.output.warn(f"{each.path} could not be removed: {reason}.")
    _report(context, chosen, freed, dry_run=dry_run)
    if dry_run:
        context.output.note(f"Would remove {phrase}. Nothing was removed.")
    else:
        context.output.success(f"Removed {phrase}.")
    return ExitCode.PARTIAL if left else ExitCode.DONE


def _report(context: Context, chosen: list[Kept], freed: int, *, dry_run: bool) -> None:
    from zoo_cli.documents.house import PrunedCache, PrunedItem

    now = time.time()
    items = [
        PrunedItem(path=str(e.path), kind=e.kind, bytes=e.bytes, unused=now - e.used)
        for e in chosen
    ]
    rows = [msgspec.to_builtins(each) for each in items]
    columns = (
        Column("path"),
        Column("kind", priority=2),
        Column("bytes", "SIZE", right=True, show=size_text),
        Column("unused", right=True, show=_age, priority=1),
    )
    document = PrunedCache(dry_run=dry_run, bytes=freed, removed=tuple(items))
    if rows or context.output.machine:
        context.output.rows(columns, rows, document=document)


def _age(seconds: float) -> str:
    return f"{seconds / 86400:.0f} d" if seconds >= 86400 else duration_text(max(seconds, 0.0))
