"""The person's data through a model again: from the store, or by one more pass over it."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import numpy as np

from zoo.engine import LocalEngine, ModelTask
from zoo.errors import NotApplicable, ZooError
from zoo.pipeline import prepare
from zoo.readings import ATTRIBUTION, read_models
from zoo.store import key
from zoo.types.reporting import Maps

if TYPE_CHECKING:
    import numpy.typing as npt

    from zoo.catalogue import Catalogue
    from zoo.engine import ModelResult
    from zoo.events import Listener
    from zoo.pipeline import Prepared
    from zoo.plan import PlannedModel
    from zoo.runs import Request
    from zoo.settings import Settings
    from zoo.types.features import Features
    from zoo.types.model import Checkpoint

#: Pictures that are attributed: enough to see a habit, few enough to look at.
EXAMPLES = 6


class Looking:
    """Reads features and attribution maps of one question's data, on demand.

    Args:
        request: the question; data that has gone since, or has changed, is refused.
        fingerprint: of the samples that were ranked; empty takes whatever is there.
        layers: model -> the layer to read; the default one where it is missing.
    """

    def __init__(
        self,
        request: Request,
        settings: Settings,
        catalogue: Catalogue,
        *,
        fingerprint: str = "",
        layers: dict[str, str] | None = None,
        on_event: Listener,
    ) -> None:
        self._request, self._settings, self._catalogue = request, settings, catalogue
        self._fingerprint, self._layers = fingerprint, layers or {}
        self._tell = on_event

    def features(self, model: str) -> Features:
        """Read (N, D) features of a model, with its logits where it has a head.

        Raises:
            NotApplicable: the data or the model cannot be read any more.
        """
        return self._read(model, self.prepared)

    def maps(self, model: str) -> Maps:
        """Attribute a few samples to their pictures.

        Raises:
            NotApplicable: no pictures, or nothing can be attributed.
        """
        samples, prepared = self._examples
        features = self._read(model, prepared, attributed=True)
        values = features.extras.get("attributions")
        if values is None:
            raise NotApplicable(features.attribution_note or f"{model} cannot be attributed")
        finite = np.flatnonzero(np.isfinite(values).all(axis=1))
        side = round(values.shape[1] ** 0.5)
        probe = prepared.probe
        return Maps(
            model=model,
            layer=features.layer,
            method=ATTRIBUTION,
            samples=samples[finite],
            values=values[finite].reshape(len(finite), side, side),
            images=[_picture(probe.inputs[int(row)]) for row in finite],
            labels=[_label(probe, int(row)) for row in finite],
        )

    @cached_property
    def _examples(self) -> tuple[npt.NDArray[Any], Prepared]:
        """A few samples, spread evenly, as data of their own: nothing else goes through a model."""
        probe = self.prepared.probe
        if probe.modality != "image":
            raise NotApplicable("maps are drawn of images only")
        rows = np.unique(np.linspace(0, probe.samples - 1, EXAMPLES).astype(int))
        few = replace(
            probe,
            inputs=tuple(probe.inputs[int(row)] for row in rows),
            labels=probe.labels[rows],
            fingerprint=key(of=probe.fingerprint, rows=rows.tolist()),
        )
        return rows, replace(self.prepared, probe=few)

    @cached_property
    def prepared(self) -> Prepared:
        """The question with its data.

        Raises:
            NotApplicable: the data cannot be read, or is no longer what was ranked.
        """
        request = msgspec.structs.replace(self._request, budget=0.0, finetune_top=0)
        try:
            prepared = prepare(request, self._settings, self._catalogue)
        except ZooError as error:
            raise NotApplicable(f"the data cannot be read again: {_bare(error)}") from error
        if self._fingerprint and prepared.probe.fingerprint != self._fingerprint:
            raise NotApplicable("the data is not what it was when it was ranked")
        return prepared

    def _read(self, model: str, prepared: Prepared, *, attributed: bool = False) -> Features:
        """Read one layer of a model; the others are attributed only if it is not the usual one."""
        models = tuple(each for each in prepared.plan.models if each.candidate.model == model)
        if not models:
            raise NotApplicable(f"{model} cannot be opened any more")
        alone = replace(prepared, plan=msgspec.structs.replace(prepared.plan, models=models))
        layer = self._layers.get(model, "")
        try:
            with LocalEngine(self._settings, alone.probe, self._tell) as engine:
                result = self._measure(engine, alone, attributed=attributed)
                if attributed and layer not in ("", result.default_layer):
                    result = self._measure(engine, alone, attributed=True, layers="all")
                return engine.read(result, layer or result.default_layer)
        except NotApplicable:
            raise
        except ZooError as error:
            raise NotApplicable(f"{model} cannot be measured again: {_bare(error)}") from error

    def _measure(
        self,
        engine: LocalEngine,
        prepared: Prepared,
        *,
        attributed: bool,
        layers: Literal["last", "all"] = "last",
    ) -> ModelResult:
        def task_of(planned: PlannedModel, checkpoint: Checkpoint) -> ModelTask:
            return ModelTask(
                checkpoint=checkpoint,
                runtime=self._catalogue.spec("runtime", planned.runtime),
                rivals=tuple(self._catalogue.spec("runtime", each) for each in planned.rivals),
                layers=layers,
                estimators=(),
                permutations=0,
                folds=0,
                seed=self._request.probe.seed,
                attributions=ATTRIBUTION if attributed else "",
                attribution_samples=prepared.probe.samples,
            )

        readings = read_models(
            prepared,
            engine,
            task_of,
            settings=self._settings,
            catalogue=self._catalogue,
            on_event=self._tell,
        )
        for result in readings.results.values():
            if attributed and any(each.stage == "attribute" for each in result.failures):
                break
            return result
        reason = readings.failures[0].error if readings.failures else "nothing came out of it"
        raise NotApplicable(f"{prepared.plan.models[0].candidate.model}: {reason.rstrip('.')}")


def _picture(image: Any) -> bytes:
    """Give the encoded bytes of an image of a probe."""
    return bytes(image.data) if image.data is not None else Path(image.path).read_bytes()


def _label(probe: Any, index: int) -> str:
    return str(probe.label_names[int(probe.labels[index])]) if probe.labels.ndim == 1 else ""


def _bare(error: ZooError) -> str:
    return error.message.rstrip(".")
