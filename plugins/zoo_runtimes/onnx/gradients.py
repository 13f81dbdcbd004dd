"""Gradients without a framework: a graph that computes them, made once, compared, and kept.

What comes out is compared with the torch path on real inputs before it is trusted; where there is
no such graph, or it is wrong, the reason is remembered, and occlusion takes its place.
"""

from __future__ import annotations

import functools
import hashlib
import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import InputError, NotApplicable, OutOfMemoryError, ZooError
from zoo.types.runtimes import RuntimeOptions
from zoo_runtimes.explaining import quiet
from zoo_runtimes.methods import SPANS, Method
from zoo_runtimes.offsets import places
from zoo_runtimes.onnx import caching
from zoo_runtimes.onnx.manifest import GRAPH, GraphTap, Manifest, write_manifest
from zoo_runtimes.onnx.sessions import open_session

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from zoo.types.model import Checkpoint
    from zoo.types.runtimes import EncodedInput
    from zoo_runtimes.backbones import TorchBackbone
    from zoo_runtimes.onnx.feeds import Feed
    from zoo_runtimes.onnx.sessions import Session
    from zoo_runtimes.tokens import Tokens

    Array = npt.NDArray[Any]

TOLERANCE = 1e-2
"""Largest difference to torch, over the relevance of the layer, both as lengths of all cells.

Rounding alone makes 1e-6. A unit at the kink of a ReLU, or two equal maxima, may be taken for on by
one and off by the other, which moves the cells that it reads by its whole share; what compares maps
compares their directions, as this does.
"""
FLOOR = 1e-3
"""Layers with less than this share of the relevance to expect are measured against that share.

Behind a layer norm whose weights are all equal nothing but rounding is left. To expect is the
largest relevance of the layers asked for, and the size of a layer's output shared out evenly.
"""
RECIPE = 2
"""Raise it when the same libraries make another graph than before."""

_REFUSED = "refused.txt"
_COMPARED = 4


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is to be attributed, and with what.

    Attributes:
        checkpoint: the original, whose weights the graph is made of.
        taps: names.
        method: one that reads gradients.
        cache: folder; empty keeps the graph as long as this process.
        device: of the session.
        threads: of one operator.
    """

    checkpoint: Checkpoint
    modality: str
    taps: tuple[str, ...]
    method: Method
    cache: str = ""
    device: str = "cpu"
    threads: int = 1


def attribute(
    request: Request,
    feed: Feed,
    batch: Sequence[EncodedInput],
    tokens: Tokens | None = None,
    opened: dict[Path, Session] | None = None,
) -> dict[str, Array]:
    """Attribute by a graph: name -> (B, G) float32, as the torch runtime does.

    Args:
        request: what and how.
        feed: from encoded inputs to arrays.
        batch: encoded images or texts.
        tokens: the tokenizer; None for images.
        opened: where the caller keeps the session for the next batch.

    Raises:
        NotApplicable: there is no graph to trust, with the reason; occlusion needs none.
        OutOfMemoryError: use a smaller batch.
    """
    found: dict[str, Array] = {}
    opened = {} if opened is None else opened
    for rows, arrays in feed.batches(batch):
        entries = [batch[row] for row in rows]
        place = place_of(request, _shape(arrays))
        if place not in opened:
            graph = _graph(request, place, entries, feed, tokens)
            opened.clear()
            opened[place] = open_session(graph, request.device, request.threads)
        _put(found, rows, _run(opened[place], request.taps, arrays, entries, tokens), len(batch))
    return found


def _put(
    found: dict[str, Array], rows: Sequence[int], cells: Mapping[str, Array], samples: int
) -> None:
    for name, own in cells.items():
        found.setdefault(name, np.empty((samples, own.shape[1]), np.float32))[rows] = own


def _shape(arrays: Mapping[str, Array]) -> tuple[int, ...]:
    """What a graph is fixed to: the size of its images."""
    pixels = arrays.get("pixel_values")
    return () if pixels is None else pixels.shape[1:]


def _run(
    session: Session,
    taps: Sequence[str],
    arrays: Mapping[str, Array],
    entries: Sequence[EncodedInput],
    tokens: Tokens | None,
) -> dict[str, Array]:
    inputs = {name: arrays[name].astype(kind, copy=False) for name, kind in session.kinds.items()}
    values = session.run(taps, inputs)
    if tokens is None:
        return dict(zip(taps, values, strict=True))
    found = places(tokens, [entry.data["text"] for entry in entries])
    return {
        name: np.stack(
            [
                each.spread(row.astype(np.float64), SPANS)
                for each, row in zip(found, own, strict=True)
            ]
        ).astype(np.float32)
        for name, own in zip(taps, values, strict=True)
    }


def _graph(
    request: Request,
    place: Path,
    entries: Sequence[EncodedInput],
    feed: Feed,
    tokens: Tokens | None,
) -> Path:
    """Find the graph, made and compared first if the cache has none."""
    folder = caching.keep(place, lambda path: _make(request, path, entries, feed, tokens))
    refused = folder / _REFUSED
    if refused.is_file():
        raise NotApplicable(refused.read_text(encoding="utf-8"))
    return folder / GRAPH


def place_of(request: Request, shape: tuple[int, ...]) -> Path:
    """Folder of the graph of some taps and one method, for images of one size."""
    made = [request.checkpoint.digest, request.modality, *request.taps, request.method.name]
    made += [request.method.reduction, str(shape), caching.versions(), str(RECIPE)]
    name = hashlib.sha256("\n".join(made).encode()).hexdigest()[:20]
    return Path(request.cache or _scratch().name) / f"{request.modality}-gradients-{name}"


@functools.cache
def _scratch() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="zoo-gradients-")


def _make(
    request: Request,
    folder: Path,
    entries: Sequence[EncodedInput],
    feed: Feed,
    tokens: Tokens | None,
) -> None:
    """Fill a folder with a graph that was seen to be right, or with why there is none."""
    try:
        _export(request, folder, entries, feed, tokens)
    except (MemoryError, OSError, OutOfMemoryError):
        raise  # of this machine at this moment, not of the checkpoint
    except (ImportError, InputError) as error:
        raise NotApplicable(f"its graph of gradients cannot be made here ({error})") from error
    except Exception as error:  # noqa: BLE001 -- tracing runs whatever code a network has
        (folder / GRAPH).unlink(missing_ok=True)
        (folder / _REFUSED).write_text(_reason(error), encoding="utf-8")
    manifest = Manifest(
        entry=request.checkpoint.entry,
        digest=request.checkpoint.digest,
        modality=request.modality,
        precision="fp32",
        opset=20,
        inputs=(),
        taps=tuple(GraphTap(name=name, dimension=0, output=name) for name in request.taps),
        default_tap="",
        files=caching.digests(folder),
        exporter=caching.versions(),
    )
    write_manifest(manifest, folder)


def _reason(error: Exception) -> str:
    if type(error).__name__ == "UntranslatedError":
        return f"operator {error} of its backward pass has no translation"
    text = error.message if isinstance(error, ZooError) else str(error)
    line = (text.strip().splitlines() or [type(error).__name__])[0].rstrip(".:")[:200]
    return f"the graph of its gradients is not to be had ({line})"


def _export(
    request: Request,
    folder: Path,
    entries: Sequence[EncodedInput],
    feed: Feed,
    tokens: Tokens | None,
) -> None:
    from zoo_runtimes.onnx.graph import EXTERNAL_FROM, require_packages, silence
    from zoo_runtimes.torch_runtime import TorchRuntime

    require_packages()
    import onnx

    options = RuntimeOptions(threads=request.threads, extras={"modality": request.modality})
    original: Any = TorchRuntime().open(request.checkpoint, options)
    with silence(), quiet():
        model = _traced(request, original, entries)
    path = folder / GRAPH
    external = model.ByteSize() > EXTERNAL_FROM
    onnx.save(model, path, save_as_external_data=external, location=f"{GRAPH}.data")
    _compare(request, path, original, entries[:_COMPARED], feed, tokens)
    original.close()


def _traced(request: Request, original: TorchBackbone, entries: Sequence[EncodedInput]) -> Any:
    import torch

    from zoo_runtimes.attributions import make_differentiable
    from zoo_runtimes.onnx.backward import trace
    from zoo_runtimes.onnx.operators import translate

    network, points, feed = original.parts
    make_differentiable(network.module)
    network.module.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    longest = max(entries, key=lambda entry: entry.cost)
    ((_, inputs),) = feed.batches([longest] * 3)
    inputs = {name: tensor.contiguous() for name, tensor in inputs.items()}
    by_name = {point.tap.name: point for point in points}
    module = trace(network, [by_name[name] for name in request.taps], inputs, request.method)
    return translate(module, list(inputs), request.taps)


def _compare(  # noqa: PLR0917 -- all of one comparison
    request: Request,
    path: Path,
    original: TorchBackbone,
    entries: Sequence[EncodedInput],
    feed: Feed,
    tokens: Tokens | None,
) -> None:
    """Refuse a graph that computes something else than torch.

    Raises:
        NotApplicable: naming the layer and the difference.
    """
    method = f"{request.method.name}:{request.method.reduction}"
    expected = original.attribute(entries, request.taps, method)
    session = open_session(path, "cpu", request.threads)
    found: dict[str, Array] = {}
    parts = SPANS
    for rows, arrays in feed.batches(entries):
        _put(
            found,
            rows,
            _run(session, request.taps, arrays, [entries[row] for row in rows], tokens),
            len(entries),
        )
        parts = math.prod(_shape(arrays)) if _shape(arrays) else SPANS
    outputs = original.extract(entries, request.taps)
    largest = max(float(np.linalg.norm(cells)) for cells in expected.values())
    for name, cells in found.items():
        even = float(np.abs(outputs[name]).sum(axis=1).max()) / parts * cells.size**0.5
        scale = max(float(np.linalg.norm(expected[name])), FLOOR * largest, FLOOR * even) or 1.0
        difference = float(np.linalg.norm(cells - expected[name])) / scale
        if not difference <= TOLERANCE:
            raise NotApplicable(f"it computes {name} {difference:.1%} off")
