"""The taps of a network from its configuration alone: shapes run through it, values do not.

Modules and inputs lie on the meta device, so that a network of any size takes no memory.
"""

from __future__ import annotations

import contextlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from zoo_runtimes.explaining import explained, quiet
from zoo_runtimes.images import load_preparation, sample_arrays, varies
from zoo_runtimes.loading import check_architecture, choose, load_config, weight_shapes
from zoo_runtimes.pooling import Pooling
from zoo_runtimes.processors import read_config, require_colour
from zoo_runtimes.taps import discover
from zoo_runtimes.texts import sentence_pooling
from zoo_runtimes.waveforms import load_extraction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zoo.types.model import Checkpoint
    from zoo.types.runtimes import Tap
    from zoo_runtimes.loading import Network

_ATEN = torch.ops.aten
_META = torch.device("meta")
_TOKENS = 11
"""Length of the texts; no layer of a network is as wide."""


def outline(checkpoint: Checkpoint, modality: str) -> tuple[Tap, ...]:
    """Name the taps that opening would find, with their shapes; no weight is allocated or read.

    Where weight files lie in the folder, their headers say whether head and pooler are trained;
    otherwise what the configuration names counts as trained.

    Args:
        checkpoint: configuration and processor are enough.
        modality: which tower of a model that has several.

    Raises:
        CheckpointError: as opening would.
    """
    raw = read_config(checkpoint)
    if modality == "image":
        require_colour(checkpoint)
    check_architecture(checkpoint, raw)
    config = load_config(checkpoint, raw)
    if getattr(config, "pad_token_id", 0) is None:
        config.pad_token_id = 0
    with explained(checkpoint, "its layers cannot be listed", "Open it instead."), quiet():
        inputs, varying = _inputs(checkpoint, modality)
        with on_meta():
            network = choose(
                checkpoint, config, modality, lambda auto: build(checkpoint, config, auto)
            )
            network.module.eval()
            points = discover(
                network,
                inputs,
                modality=modality,
                headless=_headless(checkpoint, network, modality),
                varying=varying,
            )
    return tuple(point.tap for point in points)


@contextlib.contextmanager
def on_meta() -> Iterator[None]:
    """Build networks that take no memory, and run shapes through them."""
    with _META, torch.no_grad(), _Unread():
        yield


class _Unread(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Answer one wherever a network asks for a value, as for a mask that hides nothing.

    Torch finds most shapes in Python, and layers repeat: what an operation gave is remembered.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._known: dict[Any, tuple[Any, ...]] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        del types
        if func is _ATEN._local_scalar_dense.default and args[0].is_meta:  # noqa: SLF001
            return torch.ones((), dtype=args[0].dtype, device="cpu").item()
        if func is _ATEN.native_batch_norm.default and not args[5]:
            return torch.empty_like(args[0]), *(args[0].new_empty(0) for _ in range(2))
        question = _question(func, args, kwargs or {})
        if question in self._known:
            size, stride, dtype = self._known[question]
            return torch.empty_strided(size, stride, dtype=dtype, device=_META)
        out = func(*args, **(kwargs or {}))
        if question is not None and isinstance(out, torch.Tensor) and out.is_meta:
            self._known[question] = out.shape, out.stride(), out.dtype
        return out


@cache
def _makes_its_own(func: Any) -> bool:
    """Whether an operation returns one new tensor, and changes or shares none."""
    schema = func._schema  # noqa: SLF001
    everything = (*schema.arguments, *schema.returns)
    return len(schema.returns) == 1 and not any(each.alias_info for each in everything)


def _question(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Everything that decides the shape of an operation's result; None where it has to run."""
    if not _makes_its_own(func):
        return None
    question = func, _described(args), _described(tuple(sorted(kwargs.items())))
    try:
        hash(question)
    except TypeError:
        return None
    return question


def _described(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        # A value that lies on the CPU may decide a shape.
        return (value.shape, value.stride(), value.dtype) if value.is_meta else [value]
    if isinstance(value, list | tuple):
        return tuple(_described(each) for each in value)
    return type(value), value


def _inputs(checkpoint: Checkpoint, modality: str) -> tuple[dict[str, torch.Tensor], bool]:
    """Two samples without values, and whether samples differ in size."""
    if modality == "image":
        preparation = load_preparation(checkpoint)
        shape = sample_arrays(preparation)[0].shape
        height, width = shape[1:] if preparation.scale is None else shape[:2]
        pixels = torch.empty(2, 3, height, width, device=_META)
        return {"pixel_values": pixels}, varies(preparation)
    if modality == "audio":
        extraction = load_extraction(checkpoint)
        shape = extraction.samples()[0].shape
        return {extraction.field: torch.empty(2, *shape, device=_META)}, extraction.varying
    ids = torch.ones(2, _TOKENS, dtype=torch.long, device=_META)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}, True


def build(checkpoint: Checkpoint, config: Any, auto: Any) -> tuple[Any, list[str]]:
    """Make one Auto class on the meta device, and name the weights that the files lack."""
    module = auto.from_config(
        config, dtype=torch.float32, trust_remote_code=checkpoint.trust_remote_code
    )
    return module, _untrained(checkpoint, module)


def _untrained(checkpoint: Checkpoint, module: Any) -> list[str]:
    """Weights of the head, or of the pooler of a network without one, that the files lack.

    Every other name is left to opening, which knows what older files call it.
    """
    if not any(Path(checkpoint.folder).glob("*.safetensors")):
        return []
    prefix = f"{module.base_model_prefix}."
    names = list(module.state_dict())
    if any(name.startswith(prefix) for name in names):
        optional = [name for name in names if not name.startswith(prefix)]
    else:
        optional = [name for name in names if "pooler" in name.split(".")]
    stored = {key.removeprefix(prefix) for key in weight_shapes(checkpoint)}
    return [name for name in optional if name not in stored]


def _headless(checkpoint: Checkpoint, network: Network, modality: str) -> Pooling | None:
    if modality != "text":
        return None
    plain = None if network.head or network.tower else Pooling("masked")
    return sentence_pooling(checkpoint) or plain
