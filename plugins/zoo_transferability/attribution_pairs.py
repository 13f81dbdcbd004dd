"""A file of two models: ``feat.<model>.<layer>``, ``grad.<model>.<layer>`` and ``images``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from zoo.errors import InputError, NotApplicable
from zoo.types.features import Features
from zoo_transferability.attribution_graph import reduce_channels

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

Reduction = Literal["absmean", "mean", "none"]
Attribution = Literal["gradient_x_input", "saliency"]

_FEATURES, _GRADIENTS, _INPUTS = "feat.", "grad.", "images"
_HINT = (
    "For depara, save feat.<model>.<layer> (P, D) of two models and, for the nodes, "
    "grad.<model>.<layer> and images (P, C, H, W)."
)


@dataclass(frozen=True, eq=False)
class GraphLayer:
    """One layer of one model.

    Attributes:
        name: ``model:layer``.
        features: its outputs (P, D), flattened.
        maps: (P, G) attributions; None where the file has no gradients.
    """

    name: str
    features: Features
    maps: Array | None


def read_pairs(
    arrays: Mapping[str, npt.NDArray[Any]], *, reduction: Reduction, attribution: Attribution
) -> tuple[list[GraphLayer], list[GraphLayer]]:
    """Sort the arrays of a file by model and layer, in the order of the file.

    Raises:
        NotApplicable: there are no such arrays.
        InputError: not two models, other numbers of probes, shapes that do not fit, NaN.
    """
    names = [name for name in arrays if name.startswith(_FEATURES)]
    if not names:
        raise NotApplicable("needs features, which are not here.")
    models = list(dict.fromkeys(name.split(".")[1] for name in names))
    if len(models) != 2:
        raise InputError(
            f"depara compares two models, and the arrays are of {len(models)}: "
            f"{', '.join(models)}.",
            _HINT,
        )
    _check(arrays, names)
    first, second = (
        [
            _layer(arrays, name, reduction, attribution)
            for name in names
            if name.split(".")[1] == model
        ]
        for model in models
    )
    return first, second


def _check(arrays: Mapping[str, npt.NDArray[Any]], names: list[str]) -> None:
    gradients = [_GRADIENTS + name.removeprefix(_FEATURES) for name in names]
    used = [name for name in (*names, *gradients, _INPUTS) if name in arrays]
    probes = len(np.atleast_1d(arrays[names[0]]))
    for name in used:
        array = arrays[name]
        if array.ndim < 2 or array.dtype.kind not in "fiub":
            raise InputError(
                f"{name} has the shape {array.shape} of {array.dtype}; it must be numbers, "
                "one row a probe.",
                _HINT,
            )
        if len(array) != probes:
            raise InputError(
                f"{names[0]} has {probes} rows, but {name} has {len(array)}: both models must "
                "see the same probes.",
                _HINT,
            )
        if not np.isfinite(array).all():
            where = ", ".join(map(str, np.argwhere(~np.isfinite(array))[0]))
            count = int((~np.isfinite(array)).sum())
            raise InputError(
                f"{count} numbers of {name} are NaN or infinite; the first is at [{where}].",
                "Leave that probe out of every array.",
            )


def _layer(
    arrays: Mapping[str, npt.NDArray[Any]],
    name: str,
    reduction: Reduction,
    attribution: Attribution,
) -> GraphLayer:
    _, model, layer = (*name.split(".", 2), "")[:3]
    flat = np.asarray(arrays[name], dtype=np.float64).reshape(len(arrays[name]), -1)
    features = Features(values=flat, labels=np.zeros((len(flat), 0)), model=model, layer=layer)
    gradient = arrays.get(_GRADIENTS + name.removeprefix(_FEATURES))
    maps = None
    if gradient is not None:
        maps = reduce_channels(_attributed(gradient, arrays, attribution, name), reduction)
    return GraphLayer(f"{model}:{layer}", features, maps)


def _attributed(
    gradient: npt.NDArray[Any],
    arrays: Mapping[str, npt.NDArray[Any]],
    attribution: Attribution,
    name: str,
) -> npt.NDArray[Any]:
    if attribution == "saliency":
        saliency: npt.NDArray[Any] = np.abs(gradient)
        return saliency
    inputs = arrays.get(_INPUTS)
    if inputs is None or inputs.shape != gradient.shape:
        shape = "not there" if inputs is None else f"of shape {inputs.shape}"
        raise InputError(
            f"the gradients of {name.removeprefix(_FEATURES)} have the shape {gradient.shape}, "
            f"and images is {shape}: gradient x input needs both alike.",
            _HINT,
        )
    product: npt.NDArray[Any] = gradient * inputs
    return product
