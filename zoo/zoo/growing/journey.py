"""Carry out a growth: open, grow, prove, write; nothing is left where anything fails."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from zoo.appearing import appearing, check_new
from zoo.checkpoints import device_here, graphs, guarded
from zoo.engine.machine import usable_cores
from zoo.errors import CheckpointError, OutOfMemoryError
from zoo.events import Event, Listener, ignore
from zoo.files import write_atomically
from zoo.growing.plan import GrowthPlan
from zoo.growing.proof import Difference, prove
from zoo.growing.samples import COMPARED
from zoo.growing.work import carry_out
from zoo.render.quantities import parameters_text, size_text
from zoo.types.built import BuiltModel
from zoo.types.runtimes import RuntimeOptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from zoo.catalogue import Catalogue
    from zoo.growing.prepared import PreparedGrowth
    from zoo.settings import Settings
    from zoo.types.growers import Learns, WholeNetwork
    from zoo.types.model import Checkpoint

#: Written into the folder, beside the card.
REPORT = "growth.json"
#: Inputs of one pass: their activations are what a proof takes beside the two networks.
_AT_ONCE = 8


class GrowthReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was made, and how it was seen to be right.

    Attributes:
        folder: where it lies, as the person named it.
        plan: what was done.
        proof: how the larger network differs from the smaller one.
        real: inputs of the person's data among those that were compared.
        revision: commit of the smaller checkpoint on the Hub.
        digest: of its files.
        seconds: opening, growing, proving and writing.
        bytes: of all files.
        notes: what a person should know, one sentence each.
        versions: of the libraries.
    """

    folder: str
    plan: GrowthPlan
    proof: tuple[Difference, ...]
    real: int = 0
    revision: str = ""
    digest: str = ""
    seconds: dict[str, float] = {}
    bytes: int = 0
    notes: tuple[str, ...] = ()
    versions: dict[str, str] = {}
    schema_version: int = 1


def grow_checkpoint(
    prepared: PreparedGrowth,
    folder: str,
    settings: Settings,
    catalogue: Catalogue,
    *,
    quietly: bool = False,
    on_event: Listener = ignore,
) -> GrowthReport:
    """Make the checkpoint that was settled.

    Args:
        prepared: by :func:`zoo.growing.prepared.prepare_growth`.
        folder: to write, as the person wrote it.
        settings: how to run.
        catalogue: what the plugins provide.
        quietly: it is a means to something else: plugins are not told of it.
        on_event: is told what happens.

    Raises:
        CheckpointError: it would compute something else, which was not allowed; nothing is left.
        ZooError: what went wrong; nothing is left.
    """
    from zoo.growing.card import write_card

    place = Path(folder).expanduser()
    _require_memory(prepared.plan)
    checkpoint = _fetched(prepared, on_event)
    report, network = _grown(prepared, checkpoint, folder, settings, on_event, catalogue=catalogue)
    with appearing(place, partial(check_new, place, folder)) as temporary:
        started = time.monotonic()
        network.save(temporary)
        _require_same(prepared, network, temporary, settings)
        size = sum(path.stat().st_size for path in temporary.rglob("*") if path.is_file())
        seconds = report.seconds | {"writing": time.monotonic() - started}
        report = msgspec.structs.replace(report, bytes=size, seconds=seconds)
        write_atomically(temporary / "README.md", write_card(report, prepared.entry).encode())
        document = msgspec.json.format(msgspec.json.encode(report))
        write_atomically(temporary / REPORT, document)
    if not quietly:
        catalogue.host.tell("zoo_model_built", result=built_model(report))
    return report


def built_model(report: GrowthReport) -> BuiltModel:
    """Give what plugins are told of a model that was built."""
    return BuiltModel(
        folder=report.folder,
        command="grow",
        method=report.plan.method,
        teachers={"ancestor": report.plan.model},
        parameters=report.plan.after.parameters,
        bytes=report.bytes,
        seconds=sum(report.seconds.values()),
        notes=report.notes,
    )


def _require_memory(plan: GrowthPlan) -> None:
    if plan.free is not None and plan.memory > plan.free:
        raise OutOfMemoryError(
            f"growing {plan.model} takes {size_text(plan.memory)} of memory, and "
            f"{size_text(plan.free)} are free.",
            "Grow it less, or on a larger machine.",
        )


def _fetched(prepared: PreparedGrowth, on_event: Listener) -> Checkpoint:
    if prepared.plan.download:
        said = f"{prepared.entry.ref}: fetching ({size_text(prepared.plan.download)})"
        on_event(Event(kind="note", message=said))
    return prepared.source.fetch(prepared.candidate)


def _options(settings: Settings) -> RuntimeOptions:
    return RuntimeOptions(
        device=device_here(settings.device),
        threads=settings.threads if settings.threads > 1 else settings.jobs or usable_cores(),
        cache=str(graphs(settings)),
    )


def _grown(
    prepared: PreparedGrowth,
    checkpoint: Checkpoint,
    folder: str,
    settings: Settings,
    on_event: Listener,
    *,
    catalogue: Catalogue,
) -> tuple[GrowthReport, WholeNetwork]:
    """Open, grow and prove; the network is in the numbers of its ancestor's files."""
    request, plan = prepared.request, prepared.plan
    options = _options(settings)
    seconds: dict[str, float] = {}
    started = time.monotonic()
    with guarded(prepared.runtime, "open", checkpoint.model):
        old = prepared.rebuilds.open_whole(checkpoint, options)
    numbers = next(old.module.parameters()).dtype
    seconds["opening"] = time.monotonic() - started
    size = parameters_text(plan.after.parameters)
    on_event(Event(kind="note", message=f"growing {plan.model} to {size} parameters"))
    started = time.monotonic()
    if "fp64" in plan.proof:
        old.module.double()
    else:  # what is rounded to half precision afterwards, cannot be compared exactly
        old.module.float()
    learn = _learner(prepared, old, catalogue, on_event)
    grown = carry_out(old, prepared.drawing, prepared.grower, seed=request.seed, learn=learn)
    seconds["growing"] = time.monotonic() - started
    on_event(Event(kind="note", message="comparing the two on the same inputs"))
    started = time.monotonic()
    batches = _batches(old, request.seed, prepared.samples)
    proof = prove(old, grown.network, prepared.drawing, batches, numbers)
    seconds["proving"] = time.monotonic() - started
    if not request.allow_inexact:
        _refuse_different(proof, plan)
    report = GrowthReport(
        folder=folder,
        plan=plan,
        proof=proof,
        real=len(prepared.samples),
        revision=prepared.entry.parsed.revision or "",
        digest=checkpoint.digest,
        seconds=seconds,
        notes=(*plan.notes, *grown.notes),
        versions=_versions(),
    )
    return report, grown.network


def _batches(
    network: WholeNetwork, seed: int, samples: Sequence[Any]
) -> list[Mapping[str, Tensor]]:
    """Inputs of noise, and the real ones, a few at a time."""
    starts = range(0, COMPARED, _AT_ONCE)
    noise = [network.inputs(_AT_ONCE, COMPARED * seed + start) for start in starts]
    starts = range(0, len(samples), _AT_ONCE)
    return noise + [network.inputs(0, 0, samples[each : each + _AT_ONCE]) for each in starts]


def _learner(
    prepared: PreparedGrowth, old: WholeNetwork, catalogue: Catalogue, on_event: Listener
) -> Learns | None:
    """What a method that learns trains with; None for the others."""
    if not prepared.method.needs:
        return None
    from zoo.growing.learning import make_learn

    return make_learn(prepared, old, catalogue, on_event)


def _refuse_different(proof: Sequence[Difference], plan: GrowthPlan) -> None:
    for each in proof:
        if not each.passed:
            raise CheckpointError(
                f"{plan.model}: the larger network differs by {each.largest:.1e} in {each.numbers} "
                f"(allowed: {each.tolerance * each.scale:.1e}); nothing was written.",
                "--allow-inexact keeps it all the same. If the plan called it exact, report it to "
                "whoever provides the family: zoo plugins list --hook zoo_families",
            )


def _require_same(
    prepared: PreparedGrowth, network: WholeNetwork, folder: Path, settings: Settings
) -> None:
    """Open what was written, and compare every number of it."""
    written = msgspec.structs.replace(prepared.described, folder=str(folder))
    with guarded(prepared.runtime, "open", "what was written"):
        again = prepared.rebuilds.open_whole(written, _options(settings))
    found, expected = again.module.state_dict(), network.module.state_dict()
    for name, value in expected.items():
        if name not in found or not bool((found[name] == value).all()):
            raise CheckpointError(f"{prepared.plan.model}: {name} is not what was written.")


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("zoo-reuse", "torch", "transformers")}
