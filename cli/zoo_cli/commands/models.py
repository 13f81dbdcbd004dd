"""``zoo models``: which checkpoints there are, what is known of one, and bringing them here."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from zoo.errors import ExitCode, InputError, NothingMatchedError, ZooError
from zoo.events import Event, Listener
from zoo.render.quantities import count_text, parameters_text, size_text, some
from zoo.types.failure import Failure
from zoo_cli import options
from zoo_cli.commands.models_compare import compare
from zoo_cli.context import noun_group, zoo_command
from zoo_cli.output import Column
from zoo_cli.progress import listening
from zoo_cli.quantities import SIZE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from zoo.registry import Registry
    from zoo.types import Candidate, Checkpoint, ModelEntry, Source
    from zoo_cli.context import Context

models = noun_group("models", "List, show, pull and compare models.")
models.add_command(compare)

_WORKERS = 4
_COLUMNS = (
    Column("model", key=True),
    Column("task", priority=1),
    Column("modality", priority=3),
    Column("architecture", priority=4, flexible=True),
    Column("parameters", "PARAMS", right=True, show=parameters_text, priority=2),
    Column("bytes", "SIZE", right=True, show=size_text),
    Column("license", "LICENCE", priority=2),
)


def _filter(
    name: str, metavar: str, help_text: str, **attributes: Any
) -> Callable[[options.F], options.F]:
    return options.option(
        f"--{name}",
        metavar=metavar,
        default=None,
        default_shown="any",
        variable=f"ZOO_{name.upper().replace('-', '_')}",
        help=help_text,
        **attributes,
    )


@zoo_command(
    "list",
    parent=models,
    examples=(
        "zoo models list --modality image --max-size 100MB",
        "zoo models list --search bert --json",
    ),
)
@_filter("modality", "NAME", "image, text or audio.", type=click.Choice(("image", "text", "audio")))
@_filter("task", "TASK", "A pipeline tag of the Hub, such as image-classification.")
@_filter("license", "ID", "Such as apache-2.0.")
@_filter("max-size", "SIZE", "Leave larger ones out, and those of unknown size.", type=SIZE)
@_filter("search", "TEXT", "Part of the name, the architecture or a tag.")
@options.registry
@options.limit
def list_(
    context: Context,
    *,
    modality: str | None,
    task: str | None,
    license: str | None,  # noqa: A002 -- the option's name
    max_size: float | None,
    search: str | None,
    limit: int | None,
) -> int:
    """List the models of the registry, and what it knows of them."""
    from zoo_cli.documents.models import ModelList, facts

    registry = _registry(context)
    exact = {"modality": modality, "task": task, "license": license}
    kept = [
        entry
        for entry in registry.entries
        if all(want is None or getattr(entry, name) == want for name, want in exact.items())
        and (max_size is None or (entry.bytes is not None and entry.bytes <= max_size))
        and (search is None or _mentions(entry, search))
    ]
    if not kept:
        raise NothingMatchedError(
            f"no model of {registry.path} matches ({len(registry.entries)} are in it).",
            "zoo models list without filters shows them all.",
        )
    found = tuple(facts(entry) for entry in kept[:limit])
    rows = [msgspec.to_builtins(each) for each in found]
    document = ModelList(registry=str(registry.path), models=found)
    context.output.rows(_COLUMNS, rows, document=document)
    unknown = sum(entry.bytes is None for entry in kept)
    if unknown:
        context.output.note(f"{some(unknown, 'model')} not resolved yet.")
        context.output.hint(f"zoo registry lock --registry {registry.path}")
    return ExitCode.DONE


@zoo_command(
    "show",
    parent=models,
    examples=("zoo models show hub:google/vit-base-patch16-224", "zoo models show ./my-checkpoint"),
)
@click.argument("model")
@options.registry
def show(context: Context, *, model: str) -> int:
    """Look at a model without downloading a weight, and show every fact."""
    from zoo.checkpoints import inspected
    from zoo.plan import source_of
    from zoo_cli.documents.models import ModelDocument, facts

    (candidate,) = _candidates(context, (model,))
    source = source_of(candidate, _sources(context))
    candidate = inspected(candidate, source)
    entry = candidate.entry
    missing = source.missing_bytes(candidate)
    document = ModelDocument(**msgspec.structs.asdict(facts(entry)), missing_bytes=missing)
    context.output.value(document, _facts(entry, missing), ids=[entry.ref])
    return ExitCode.DONE


@zoo_command(
    "pull",
    parent=models,
    examples=("zoo models pull hub:google/vit-base-patch16-224", "zoo models pull --all"),
)
@click.argument("names", metavar="MODEL...", nargs=-1)
@options.option(
    "--all",
    "every",
    is_flag=True,
    default_shown="off",
    variable="ZOO_ALL",
    help="Every model of the registry.",
)
@options.registry
def pull(context: Context, *, names: tuple[str, ...], every: bool) -> int:
    """Download models into the Hub's cache, verified, so that they can be used offline.

    A download that was interrupted goes on where it stopped. Entries of your own registry that
    had no revision are pinned to the commit that was pulled.
    """
    if bool(names) == every:
        raise InputError("name models to pull, or add --all.", "zoo models list")
    candidates = _candidates(context, names)
    with listening(context, models=len(candidates)) as listener:
        answers = _fetch(context, candidates, listener)
    pulled = [answer for answer in answers if not isinstance(answer, ZooError)]
    if not pulled and len(answers) == 1:
        raise next(answer for answer in answers if isinstance(answer, ZooError))
    failures = [
        Failure.of(answer, stage="fetch", model=candidate.model)
        for candidate, answer in zip(candidates, answers, strict=True)
        if isinstance(answer, ZooError)
    ]
    _pin(context, candidates, answers)
    return _report(context, pulled, failures)


def _registry(context: Context) -> Registry:
    from zoo.registry import find_registry, load_registry

    return load_registry(find_registry(context.settings.registry))


def _candidates(context: Context, names: Sequence[str]) -> list[Candidate]:
    from zoo.registry import candidate_for

    registry = _registry(context)
    if not names:
        return list(registry.candidates())
    return [candidate_for(name, registry, base=Path.cwd()) for name in names]


def _sources(context: Context, listener: Listener | None = None) -> dict[str, Source]:
    from zoo.events import ignore
    from zoo.sources import open_sources

    return open_sources(context.catalogue, context.settings, listener or ignore)


def _fetch(
    context: Context, candidates: Sequence[Candidate], listener: Listener
) -> list[Checkpoint | ZooError]:
    """Fetch side by side; an interruption stops every download, which can go on later."""
    from zoo.plan import source_of

    interrupted = threading.Event()

    def told(event: Event) -> None:
        if interrupted.is_set():
            raise ZooError("interrupted.")
        listener(event)

    sources = _sources(context, told)

    def fetch(candidate: Candidate) -> Checkpoint | ZooError:
        try:
            checkpoint = source_of(candidate, sources).fetch(candidate)
        except ZooError as error:
            if len(candidates) > 1:
                listener(Event(kind="failure", model=candidate.model, message=error.message))
            return error
        listener(Event(kind="model", model=candidate.model, message="here and verified"))
        return checkpoint

    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="fetch") as pool:
        try:
            return list(pool.map(fetch, candidates))
        except BaseException:
            interrupted.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _pin(
    context: Context, candidates: Sequence[Candidate], answers: Sequence[Checkpoint | ZooError]
) -> None:
    """Write the commits that were pulled into the person's own registry."""
    from zoo.registry import packaged_registry, save_registry

    registry = _registry(context)
    if registry.path.resolve() == packaged_registry().resolve():
        return
    found = {
        candidate.entry.ref: answer.entry
        for candidate, answer in zip(candidates, answers, strict=True)
        if not isinstance(answer, ZooError) and answer.entry.ref != candidate.entry.ref
    }
    pinned = [entry.ref for entry in registry.entries if entry.ref in found]
    if pinned:
        save_registry(registry.replace(found.get(entry.ref, entry) for entry in registry.entries))
        context.output.note(f"Pinned {some(len(pinned), 'model')} in {registry.path}.")


def _report(context: Context, pulled: Sequence[Checkpoint], failures: Sequence[Failure]) -> int:
    from zoo_cli.documents.models import PulledModel, PulledModels

    found = tuple(
        PulledModel(
            model=checkpoint.model,
            bytes=checkpoint.entry.bytes,
            folder=checkpoint.folder,
            digest=checkpoint.digest,
        )
        for checkpoint in pulled
    )
    rows = [msgspec.to_builtins(each) for each in found]
    columns = (
        Column("model", key=True),
        Column("bytes", "SIZE", right=True, show=size_text),
        Column("folder", flexible=True, priority=1),
    )
    document = PulledModels(models=found, failures=tuple(failures))
    if rows or context.output.machine:
        context.output.rows(columns, rows, document=document)
    for failure in failures:
        context.output.warn(f"{failure.model}: {failure.error}")
        context.output.hint(failure.hint)
    if not pulled:
        return ExitCode.FAILED
    return ExitCode.PARTIAL if failures else ExitCode.DONE


def _mentions(entry: ModelEntry, text: str) -> bool:
    words = (entry.ref, entry.architecture or "", entry.task or "", *entry.tags.values())
    return any(text.lower() in word.lower() for word in words)


def _facts(entry: ModelEntry, missing: int) -> str:
    """Every fact on a line of its own."""
    facts = {
        "model": entry.ref,
        "task": entry.task,
        "modality": entry.modality,
        "library": entry.library,
        "architecture": entry.architecture,
        "parameters": None if entry.parameters is None else count_text(entry.parameters),
        "labels": entry.labels,
        "licence": entry.license,
        "size": size_text(entry.bytes),
        "to download": size_text(missing) if missing else "nothing: it is here",
        **entry.tags,
    }
    lines = [f"{name:<14} {fact}" for name, fact in facts.items() if fact is not None]
    lines += [f"{'file':<14} {path}  {digest}" for path, digest in entry.files.items()]
    return "\n".join(lines)
