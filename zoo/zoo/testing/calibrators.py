"""Whether a calibrator keeps its promises, found out on tiny checkpoints.

:data:`KIT` has them as checks with names, which ``zoo plugins check`` asks too;
``assert not check_calibrator(spec)`` asks all at once.
"""

from __future__ import annotations

import copy
import random
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import torch

from zoo.catalogue import Catalogue, build
from zoo.errors import InputError
from zoo.testing.findings import METHODS, Found, among, broken_promises, named, promised, under
from zoo.testing.kit import Kit
from zoo.testing.modules import kind_of, same
from zoo.testing.promises import BrokenPromiseError, asking, described, lacking
from zoo.types.distilling import Calibrator, Studied

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from torch import Tensor

    from zoo.testing.kit import Trial
    from zoo.types.model import Modality
    from zoo.types.specs import CalibratorSpec
    from zoo.types.training import TrainableNetwork

    Fitted = Mapping[str, Tensor]

#: A convolutional network and a model of texts.
_NETWORKS: dict[str, Modality] = {"resnet": "image", "bert": "text"}
_BATCH, _CLASSES = 6, 5
_WORDS = ("the", "a", "not", "of", "cat", "dog", "bird", "zoo", "model", "good", "bad", "great")
_ROUNDING = 1e-4


def check_calibrator(spec: CalibratorSpec, method: object = None) -> list[str]:
    """Find out which promises a calibrator breaks.

    It is fitted to tiny checkpoints of random weights, which the installed runtime opens, and
    applied again by a copy that knows only what was saved. Networks that ``fit`` refuses with an
    :class:`zoo.errors.InputError` are left out, unless it refuses all.

    Args:
        spec: what the plugin advertises.
        method: its object; None makes one with the default options.

    Returns:
        One sentence a broken promise, of the first network with which one is broken.
    """
    return broken_promises(_found, spec, method)


def _found(spec: CalibratorSpec, method: Any) -> Iterator[Found]:
    with asking("making it with its default options"):
        tried = build(spec) if method is None else method
    if missing := lacking(tried, Calibrator):
        yield Found(METHODS, f"it {missing}")
        return
    yield Found(METHODS)
    refused = Found("fitted", "fit refuses all networks")

    def ask(name: str, first: bool) -> Iterator[Found]:
        del first
        yield from _calibrated(tried, _opened(name), _NETWORKS[name])

    with torch.random.fork_rng(devices=[]):
        yield from among(
            _NETWORKS,
            ask,
            words="with a tiny {}, ",
            refused=refused,
            expected=spec.expected_failures,
        )


def _calibrated(
    method: Calibrator, network: TrainableNetwork, modality: Modality
) -> Iterator[Found]:
    with asking("copying it"):
        other = copy.deepcopy(method)
    untouched = _remembered(network)
    for labelled in (False, True):
        with promised("fitted"):
            fitted = _fitted(method, network, modality, labelled=labelled)
        yield Found("fitted")
        if untouched():
            yield Found("untouched-input", f"fit {untouched()}")
            return
        with promised("resumable"):
            kept = _through_a_file(fitted)
        inputs = _inputs(network, modality, _BATCH - 1, seed=9)
        with promised("probabilities"):
            first = _probabilities(method, network, fitted, inputs)
            second = _probabilities(other, network, kept, inputs)
        changed = [f"probabilities {untouched()}"] if untouched() else []
        found = [
            *under("untouched-input", changed),
            *under("probabilities", _improbable(first, (_BATCH - 1, _CLASSES))),
        ]
        if not any(each.sentence for each in found):
            found += under("resumable", _forgotten(first, second))
        yield from found
        if any(each.sentence for each in found):
            return


def _forgotten(first: Tensor, second: Tensor) -> Iterator[str]:
    if not same(first, second):
        yield (
            "its probabilities are others when it is made anew and given what was saved: "
            "all that it needs must be among the tensors of fit"
        )


def _fitted(
    method: Calibrator, network: TrainableNetwork, modality: Modality, *, labelled: bool
) -> Fitted:
    def batches() -> Iterator[Studied]:
        for seed in range(2):
            yield Studied(inputs=_inputs(network, modality, _BATCH, seed=seed))
        if labelled:
            labels = torch.arange(_BATCH) % _CLASSES
            labels[0] = -1
            yield Studied(inputs=_inputs(network, modality, _BATCH, seed=2), labels=labels)

    words = "with some labels" if labelled else "without labels"
    torch.manual_seed(0)
    try:
        fitted = method.fit(network, batches)
    except InputError:
        raise
    except Exception as error:
        raise BrokenPromiseError(f"fit {words} raises {described(error)}") from error
    for name, values in dict(fitted).items():
        if not isinstance(values, torch.Tensor):
            raise BrokenPromiseError(f"fit must give tensors, and gives {name!r}: {values!r}")
    # As the core saves them: a factor of a matrix may be a transposed view.
    return {name: values.contiguous() for name, values in fitted.items()}


def _remembered(network: TrainableNetwork) -> Callable[[], str]:
    """Remember a network; what comes back says how it has changed."""
    module = network.module
    state = {name: values.clone() for name, values in module.state_dict().items()}
    frozen = [each.requires_grad for each in module.parameters()]

    def changed() -> str:
        now = module.state_dict()
        if moved := [name for name in state if not same(state[name], now.get(name))]:
            return f"changes the weights of the network: {moved[0]}"
        if module.training:
            return "leaves the network in training mode"
        if [each.requires_grad for each in module.parameters()] != frozen:
            return "leaves the network with other weights that have gradients"
        return ""

    return changed


def _through_a_file(fitted: Fitted) -> dict[str, Tensor]:
    from safetensors.torch import load_file, save_file

    with TemporaryDirectory() as folder, asking("saving what fit gives as safetensors"):
        path = Path(folder) / "calibration.safetensors"
        save_file(dict(fitted), path)
        loaded: dict[str, Tensor] = load_file(path)
        return loaded


def _probabilities(
    method: Calibrator, network: TrainableNetwork, fitted: Fitted, inputs: Mapping[str, Tensor]
) -> Tensor:
    torch.manual_seed(0)
    with asking("probabilities"):
        found = method.probabilities(network, fitted, inputs)
    if not isinstance(found, torch.Tensor):
        raise BrokenPromiseError(f"probabilities must give a tensor, and gives {kind_of(found)}")
    return found


def _improbable(found: Tensor, shape: tuple[int, int]) -> Iterator[str]:
    if tuple(found.shape) != shape:
        yield f"probabilities must be {shape}, samples by classes, and are {tuple(found.shape)}"
    elif not bool(torch.isfinite(found).all()) or bool((found < 0).any()):
        yield "probabilities must be finite and 0 or more, and are not"
    elif float((found.double().sum(1) - 1).abs().max()) > _ROUNDING:
        sums = ", ".join(f"{each:.4g}" for each in found.double().sum(1).tolist())
        yield f"rows of probabilities must sum to one, and the sums are {sums}"


def _inputs(
    network: TrainableNetwork, modality: Modality, count: int, seed: int
) -> dict[str, Tensor]:
    from PIL import Image

    draw = random.Random(seed)
    samples = [
        Image.frombytes("RGB", (64, 64), draw.randbytes(3 * 64 * 64))
        if modality == "image"
        else " ".join(draw.choices(_WORDS, k=draw.randint(2, 12)))
        for _ in range(count)
    ]
    reader = network.reader
    return reader.collate([reader.prepare(each) for each in samples])


def _opened(name: str) -> TrainableNetwork:
    """Open a tiny checkpoint, frozen, by the first runtime that trains."""
    from zoo.host import PluginHost
    from zoo.testing.tiny_checkpoints import build_tiny_checkpoint
    from zoo.types.model import Checkpoint, ModelEntry
    from zoo.types.runtimes import RuntimeOptions
    from zoo.types.training import Trains

    catalogue = Catalogue(PluginHost().discover())
    made = (catalogue.create("runtime", each) for each in catalogue.specs("runtime"))
    runtime = next((each for each in made if isinstance(each, Trains)), None)
    if runtime is None:
        raise BrokenPromiseError("no installed runtime opens a network to try it on")
    with TemporaryDirectory() as folder:
        path = build_tiny_checkpoint(name, folder)
        entry = ModelEntry(ref=str(path), modality=_NETWORKS[name], library="transformers")
        checkpoint = Checkpoint(entry=entry, folder=str(path), digest=name)
        return runtime.open_teacher(checkpoint, RuntimeOptions(), _NETWORKS[name])


def _exercise(trial: Trial) -> Any:
    """Fit it to the first network that it takes, and apply it."""
    method = trial.make()
    with torch.random.fork_rng(devices=[]):
        for name, modality in _NETWORKS.items():
            network = _opened(name)
            try:
                fitted = _fitted(method, network, modality, labelled=True)
            except InputError:
                continue
            inputs = _inputs(network, modality, _BATCH - 1, seed=9)
            return _probabilities(method, network, fitted, inputs)
    raise BrokenPromiseError("fit refuses all networks")


_PROMISES = (
    (METHODS, "it can be made, and has the methods of its kind"),
    ("fitted", "fit gives tensors, with labels and without, of some networks at least"),
    ("untouched-input", "the network stays as it is"),
    ("probabilities", "probabilities are 0 or more, and each sample's sum to one"),
    ("resumable", "what fit gave, saved and loaded, is all that it needs"),
)
KIT = Kit(exercise=_exercise, checks=tuple(named(_found, *each) for each in _PROMISES))
