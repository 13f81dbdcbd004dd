"""Settle a growth: find the checkpoint, its family and the method, and see what cannot be."""

from __future__ import annotations

import copy
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from zoo.checkpoints import fitting_runtimes, guarded, inspected, locate
from zoo.errors import InputError, ZooError
from zoo.events import Listener, ignore
from zoo.types.growers import Rebuilds
from zoo.types.growing import Deepen, Widen
from zoo.types.protocols import Describes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from zoo.catalogue import Catalogue
    from zoo.growing.plan import GrowthPlan, GrowthStep
    from zoo.growing.work import Drawing
    from zoo.settings import Settings
    from zoo.types.growers import Family, Grower, WholeNetwork
    from zoo.types.model import Candidate, Checkpoint, ModelEntry
    from zoo.types.protocols import ProbeOptions, Source
    from zoo.types.specs import FamilySpec, GrowerSpec, RuntimeSpec


#: What a larger configuration does not decide: names, labels and numbers stay those of the weights.
_KEPT = {"architectures", "auto_map", "dtype", "torch_dtype", "transformers_version"}
_KEPT |= {"model_type", "id2label", "label2id", "num_labels"}


@dataclass(frozen=True, kw_only=True)
class GrowthRequest:
    """What a person asks for.

    Attributes:
        model: reference, folder or name of the registry.
        steps: how it grows; empty where ``target`` says it.
        target: a larger configuration: a folder, or its ``config.json``.
        method: name of the grower; empty takes the default.
        options: of the grower.
        seed: of everything that is drawn.
        allow_inexact: make it even where it does not compute the same function.
        data: real inputs for the proof, and for a method that learns.
        probe: how to read them.
        samples: most of them that a method learns from.
        trust_remote_code: references that may run their own code.
    """

    model: str
    steps: tuple[Widen | Deepen, ...] = ()
    target: str = ""
    method: str = ""
    options: Mapping[str, Any] | None = None
    seed: int = 0
    allow_inexact: bool = False
    data: str = ""
    probe: ProbeOptions | None = None
    samples: int = 1000
    trust_remote_code: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class PreparedGrowth:
    """A growth that can be carried out; no weight has been read.

    Attributes:
        request: what was asked for.
        candidate: the checkpoint, pinned.
        described: its configuration and preprocessing, on this machine.
        runtime: what opens it.
        drawing: what will be done.
        samples: real inputs for the proof.
        place: the folder to write.
        plan: the same for people.
    """

    request: GrowthRequest
    candidate: Candidate
    source: Source
    described: Checkpoint
    runtime: RuntimeSpec
    rebuilds: Rebuilds
    family: FamilySpec
    grower: Grower
    method: GrowerSpec
    drawing: Drawing
    samples: Sequence[Any]
    place: Path
    plan: GrowthPlan

    @property
    def entry(self) -> ModelEntry:
        """What is known of the checkpoint."""
        return self.candidate.entry


def prepare_growth(
    request: GrowthRequest,
    folder: str,
    settings: Settings,
    catalogue: Catalogue,
    *,
    on_event: Listener = ignore,
) -> PreparedGrowth:
    """Find everything that is wrong before a weight is read.

    Args:
        request: what a person asks for.
        folder: to write, as they wrote it; empty: nowhere yet.
        settings: how to run.
        catalogue: what the plugins provide.
        on_event: is told what happens.

    Raises:
        InputError: what cannot be, and what can.
        ZooError: the checkpoint cannot be used.
    """
    from zoo.appearing import check_new
    from zoo.building.estimates import free_memory
    from zoo.growing.plan import GrowthPlan, size_of, steps_of, with_memory
    from zoo.growing.samples import read_samples

    place = Path(folder).expanduser()
    if folder:
        check_new(place, folder)
    method: GrowerSpec = catalogue.preferred("grower", request.method)
    _check_data(request, method)
    grower: Grower = catalogue.create("grower", method.name, dict(request.options or {}))
    candidate, source = locate(
        request.model,
        settings,
        catalogue,
        trust_remote_code=request.trust_remote_code,
        on_event=on_event,
    )
    candidate = inspected(candidate, source)
    described = _described(candidate, source)
    spec, runtime = _rebuilder(candidate.entry, settings, catalogue)
    with guarded(spec, "imagine", request.model):
        network = runtime.imagine_whole(described)
    named, family = family_of(network.config, catalogue, request.model)
    drawing, larger, notes = _drawn(request, family, grower, network)
    steps = steps_of(drawing)
    if not steps:
        raise InputError(f"{request.model} would stay as it is.", "--width 2x, or --depth +1")
    if not request.allow_inexact:
        _refuse_inexact(request, method, steps)
    plan = GrowthPlan(
        model=candidate.model,
        family=named.name,
        method=method.name,
        steps=steps,
        exact=method.preserving and not drawing.reasons,
        before=size_of(network),
        after=size_of(larger),
        download=source.missing_bytes(candidate),
        seed=request.seed,
        folder=folder,
        license=candidate.entry.license,
        notes=(*notes, *drawing.blueprint.notes),
    )
    return PreparedGrowth(
        request=request,
        candidate=candidate,
        source=source,
        described=described,
        runtime=spec,
        rebuilds=runtime,
        family=named,
        grower=grower,
        method=method,
        drawing=drawing,
        samples=read_samples(request, candidate.entry, on_event),
        place=place,
        plan=with_memory(plan, free_memory("cpu")),
    )


def family_of(config: Any, catalogue: Catalogue, model: str) -> tuple[FamilySpec, Family]:
    """Find the family of a configuration.

    Raises:
        InputError: no plugin knows it; with those that are known.
    """
    specs: Mapping[str, FamilySpec] = catalogue.specs("family")
    for name, spec in specs.items():
        if config.model_type in spec.model_types:
            return spec, catalogue.create("family", name)
    known = sorted({kind for each in specs.values() for kind in each.model_types})
    raise InputError(
        f"{model}: nobody here knows how to grow the architecture {config.model_type!r}.",
        f"Known: {', '.join(known)}. A plugin adds one with the hook zoo_families.",
    )


def _check_data(request: GrowthRequest, method: GrowerSpec) -> None:
    if method.needs and not request.data:
        what = "labelled data" if method.needs == "labels" else "data"
        raise InputError(f"{method.name} learns from {what}, and there is none.", "--data DATA")


def _described(candidate: Candidate, source: Source) -> Checkpoint:
    if not isinstance(source, Describes):
        raise InputError(
            f"{candidate.model}: its source cannot show a configuration without the weights.",
            "zoo models pull MODEL, then name the folder.",
        )
    return source.describe(candidate)


def _rebuilder(
    entry: ModelEntry, settings: Settings, catalogue: Catalogue
) -> tuple[RuntimeSpec, Rebuilds]:
    for spec in fitting_runtimes(entry, entry.modality, settings, catalogue):
        runtime = catalogue.create("runtime", spec.name)
        if isinstance(runtime, Rebuilds):
            return spec, runtime
    raise InputError(
        f"no runtime makes larger networks of {entry.ref} ({entry.library}).",
        "Name the checkpoint that it was exported from."
        if entry.library != "transformers"
        else "Leave --runtime out.",
    )


def _drawn(
    request: GrowthRequest, family: Family, grower: Grower, network: WholeNetwork
) -> tuple[Drawing, WholeNetwork, tuple[str, ...]]:
    """Settle what is done, make the larger network without weights, and say what to know of it."""
    from zoo.growing.work import draw

    wanted, notes = _wanted(request, family, network)
    places: set[Literal["end", "between"]] = {
        each.place for each in request.steps if isinstance(each, Deepen)
    }
    if len(places) > 1:
        raise InputError("new layers go to one place: the end, or between.", "Grow twice for both.")
    place = places.pop() if places else "end"
    with _possible(request.model):
        drawing = draw(network, family, grower, wanted, seed=request.seed, place=place)
        return drawing, network.enlarged(drawing.config), notes


@contextmanager
def _possible(model: str) -> Iterator[None]:
    """Turn what a library says of sizes that it cannot have into one sentence."""
    try:
        yield
    except (ZooError, MemoryError):
        raise
    except Exception as error:
        said = (str(error).strip().splitlines() or [""])[0].rstrip(".")
        raise InputError(
            f"{model} cannot grow like this ({type(error).__name__}: {said}).",
            "Other sizes may do; ZOO_DEBUG=1 shows where it failed.",
        ) from error


def _wanted(
    request: GrowthRequest, family: Family, network: WholeNetwork
) -> tuple[Any, tuple[str, ...]]:
    """The larger configuration, made of the steps or read, and what to know of it."""
    if request.target and request.steps:
        raise InputError("--to says everything, and sizes say it, too.", "Give one of the two.")
    if request.target:
        return _read_config(request.target, network.config)
    if not request.steps:
        raise InputError("nothing is to grow.", "--width 1.5x, --depth +2, --to CONFIG")
    return family.grown(network.config, request.steps), ()


def _read_config(target: str, like: Any) -> tuple[Any, tuple[str, ...]]:
    """Read a larger configuration; what it does not say stays as it is."""
    said = _document(target)
    kind = said.get("model_type", like.model_type)
    if kind != like.model_type:
        raise InputError(
            f"a {like.model_type} cannot grow into a {kind}.",
            "Name a configuration of the same architecture.",
        )
    fields = {*like.to_dict(), *getattr(like, "attribute_map", {})} - _KEPT
    larger = copy.deepcopy(like)
    for name in fields.intersection(said):
        try:
            setattr(larger, name, said[name])
        except Exception as error:
            raise InputError(
                f"{target!r}: {name} cannot be {said[name]!r}.", f"It is {getattr(like, name)!r}."
            ) from error
    unknown = sorted(name for name in {*said} - fields - _KEPT if not name.startswith("_"))
    if not unknown:
        return larger, ()
    named = ", ".join(unknown[:3]) + (f" and {len(unknown) - 3} more" if unknown[3:] else "")
    return larger, (f"{target!r} names what a {like.model_type} does not have: {named}.",)


def _document(target: str) -> dict[str, Any]:
    import json

    path = Path(target).expanduser()
    path = path / "config.json" if path.is_dir() else path
    try:
        said = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(
            f"the configuration {target!r} cannot be read: {error}.", "--to FOLDER or config.json"
        ) from error
    if not isinstance(said, dict):
        raise InputError(f"{target!r} holds no configuration.", "--to FOLDER or config.json")
    return said


def _refuse_inexact(
    request: GrowthRequest, method: GrowerSpec, steps: Sequence[GrowthStep]
) -> None:
    reasons = [f"{each.what}: {each.reason}" for each in steps if each.reason]
    if not method.preserving:
        reasons.insert(0, f"{method.name} does not keep it")
    if reasons:
        more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
        raise InputError(
            f"{request.model} would no longer compute the same function: {reasons[0]}{more}.",
            "zoo grow --allow-inexact makes it all the same, and says how far off it is.",
        )
