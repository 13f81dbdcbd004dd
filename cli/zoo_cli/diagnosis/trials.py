"""A forward pass of a packaged checkpoint by every installed runtime, through the contract."""

from __future__ import annotations

import io
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from zoo.render.quantities import duration_text
from zoo_cli.diagnosis.finding import Diagnosis
from zoo_cli.diagnosis.storage import GRAPHS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zoo.catalogue import Catalogue
    from zoo.settings import Settings
    from zoo.types import Backbone, Checkpoint, RuntimeSpec

PREFIX = "runtime "
_LIBRARY, _MODALITY = "transformers", "image"
_SIDE = 64
_SLOW = 20.0


def examine_runtime(check: str, settings: Settings) -> Diagnosis:
    """Open the smallest packaged checkpoint, and pass one drawn image through it."""
    from zoo.api import open_catalogue
    from zoo.catalogue import build

    catalogue = open_catalogue(settings)
    spec: RuntimeSpec = catalogue.spec("runtime", check.removeprefix(PREFIX))
    runtime: Any = build(spec)
    facts: dict[str, Any] = {"identity": runtime.identity()}
    if _LIBRARY not in spec.libraries or _MODALITY not in spec.modalities:
        kinds = f"{', '.join(spec.modalities)} checkpoints of {', '.join(spec.libraries)}"
        detail = f"not tried: it opens {kinds}, and none is packaged"
        return Diagnosis(check, "ok", detail, facts=facts)
    return _try(check, runtime, _packaged(catalogue, settings), settings, facts)


def _try(
    check: str, runtime: Any, checkpoint: Checkpoint, settings: Settings, facts: dict[str, Any]
) -> Diagnosis:
    from zoo.types import ImageInput, OnDevice, OpensSlowly, RuntimeOptions

    device = _device(settings)
    cache = str(settings.folder / GRAPHS)
    options = RuntimeOptions(device=device, threads=settings.threads, cache=cache)
    if isinstance(runtime, OpensSlowly):
        seconds = runtime.opening_seconds(checkpoint, options)
        if seconds > _SLOW:
            detail = f"not tried: opening a checkpoint takes some {duration_text(seconds)} here"
            return Diagnosis(check, "ok", detail, facts=facts)
    prepared = runtime.prepare(checkpoint, [ImageInput(name="a drawn image", data=_drawn())])
    started = time.perf_counter()
    backbone: Backbone = runtime.open(checkpoint, options)
    opening = time.perf_counter() - started
    seconds = _pass(backbone, prepared)
    ran = backbone.device if isinstance(backbone, OnDevice) else device
    facts |= {"model": checkpoint.model, "device": ran, "open": opening, "forward": seconds}
    taps = len(backbone.taps)
    backbone.close()
    detail = f"{checkpoint.model} on {ran}: opened in {opening:.1f} s, {taps} taps of an image in "
    return Diagnosis(check, "ok", f"{detail}{seconds * 1000:.1f} ms", facts=facts)


def _pass(backbone: Backbone, prepared: Iterable[Any]) -> float:
    """Seconds of the second of two passes, whose values have to be numbers and the same.

    Raises:
        ZooError: a tap is not as the contract says.
    """
    import numpy as np

    from zoo.errors import PluginError

    batch = backbone.encode(list(prepared))
    taps = {tap.name: tap.dimension for tap in backbone.taps}
    first = backbone.extract(batch, list(taps))
    started = time.perf_counter()
    second = backbone.extract(batch, list(taps))
    seconds = time.perf_counter() - started
    for name, dimension in taps.items():
        values = first[name]
        if values.shape != (1, dimension or values.shape[-1]) or values.dtype != np.float32:
            found = f"{values.dtype} {values.shape}"
            raise PluginError(f"the tap {name} gave {found}, not float32 (1, {dimension}).")
        if not np.isfinite(values).all():
            raise PluginError(f"the tap {name} gave values that are no numbers.")
        if not np.allclose(values, second[name], rtol=1e-3, atol=1e-5):
            raise PluginError(f"the tap {name} gave other values the second time.")
    return seconds


def _device(settings: Settings) -> str:
    from zoo.engine.devices import check_device, choose_devices
    from zoo.engine.machine import may_have_gpu
    from zoo.engine.worker import find_gpus

    asked = check_device(settings.device)
    gpus = find_gpus(None) if asked != "cpu" and may_have_gpu() else 0
    return choose_devices(asked, gpus)[0]


def _packaged(catalogue: Catalogue, settings: Settings) -> Checkpoint:
    from zoo import embedded
    from zoo.plan import source_of
    from zoo.sources import open_sources
    from zoo.types import Candidate, ModelEntry

    def size(name: str) -> int:
        return sum(path.stat().st_size for path in embedded.folder(name).glob("*.safetensors"))

    smallest = min(embedded.names(), key=size)
    entry = ModelEntry(ref=f"embedded:{smallest}")
    candidate = Candidate(entry=entry, base=str(settings.folder))
    return source_of(candidate, open_sources(catalogue, settings)).fetch(candidate)


def _drawn() -> bytes:
    from PIL import Image

    bands = [Image.linear_gradient("L").rotate(turn).resize((_SIDE, _SIDE)) for turn in (0, 90, 45)]
    file = io.BytesIO()
    Image.merge("RGB", bands).save(file, "PNG")
    return file.getvalue()


def settle(found: list[Diagnosis], asked: str) -> list[Diagnosis]:
    """Make a warning of a runtime that fails while another works, unless it was asked for."""
    works = any(each.status == "ok" and "forward" in each.facts for each in found)
    return [
        replace(each, status="warn")
        if works and each.status == "fail" and each.check != f"{PREFIX}{asked}"
        else each
        for each in found
    ]
