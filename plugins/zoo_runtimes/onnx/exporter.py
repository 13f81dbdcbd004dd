"""Export a checkpoint: graph, preprocessing, labels and provenance, compared with the original.

Imports no framework by itself: a graph from the cache is opened without one.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.util import Finalize
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from zoo.errors import unknown_name
from zoo.files import write_atomically
from zoo.types.runtimes import ExportReport, RuntimeOptions
from zoo_runtimes.onnx import caching, samples
from zoo_runtimes.onnx.describing import README, readme
from zoo_runtimes.onnx.manifest import FILE, GRAPH, GraphTap, Manifest, write_manifest
from zoo_runtimes.onnx.parity import TOLERANCE, compare, refuse, warn
from zoo_runtimes.onnx.precision import check_precision, convert, quantisation

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zoo.types.model import Checkpoint
    from zoo.types.runtimes import EncodedInput, ExportRequest, Precision, Tap
    from zoo_runtimes.backbones import TorchBackbone
    from zoo_runtimes.onnx.manifest import Images, Texts
    from zoo_runtimes.onnx.parity import Comparison

_COPIED = (
    "config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
    "LICENSE",
    "LICENSE.txt",
    "LICENSE.md",
)
#: From so many inputs on, one half calibrates and the other is compared.
_SPLIT_FROM = 32
_TRACED = 1


@dataclass(frozen=True)
class _Opened:
    """A checkpoint, open in torch on the CPU, and the inputs that it is compared on."""

    checkpoint: Checkpoint
    modality: str
    backbone: TorchBackbone
    inputs: Sequence[Any]
    encoded: Sequence[EncodedInput]
    threads: int


def export(checkpoint: Checkpoint, folder: Path, request: ExportRequest) -> ExportReport:
    """Write everything that a prediction needs into an empty folder; the manifest comes last.

    Every graph is a part of the float32 graph with all taps, which is taken from the cache if it
    is there and put into it if not.

    Raises:
        CheckpointError: it cannot be exported, or computes something else than the original.
        InputError: an unknown tap or precision; a package is missing.
    """
    from zoo_runtimes.onnx.graph import OPSET, require_packages
    from zoo_runtimes.torch_runtime import modality_of

    started = time.monotonic()
    check_precision(request.precision)
    require_packages()
    modality = modality_of(checkpoint, request.modality)
    opened = _open(checkpoint, modality, request.inputs)
    try:
        taps = _chosen(opened.backbone.taps, request.taps)
        folder.mkdir(parents=True, exist_ok=True)
        # Who accepts a larger difference has a graph that the cache would refuse.
        cache = request.cache if (request.tolerance or 0.0) <= TOLERANCE["fp32"] else ""
        cached = is_cached(checkpoint, modality, precision="fp32", cache=cache)
        with _whole_graph(opened, cache) as source:
            notes = _derive(opened, source, folder / GRAPH, taps, request.precision)
        allowed = request.tolerance
        tolerance = TOLERANCE[request.precision] if allowed is None else allowed
        comparison = _finish(opened, folder, taps, request.precision, tolerance, described=True)
    finally:
        opened.backbone.close()
    costs = warn(comparison, request.precision)
    return ExportReport(
        model=checkpoint.model,
        folder=str(folder),
        format="onnx",
        precision=request.precision,
        opset=OPSET,
        taps=comparison.taps,
        samples=comparison.samples,
        tolerance=tolerance,
        agreement=comparison.agreement,
        bytes=sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
        files=caching.digests(folder),
        seconds=time.monotonic() - started,
        cached=cached,
        notes=tuple(notes),
        warnings=(costs,) if costs else (),
    )


def ensure_graph(
    checkpoint: Checkpoint, modality: str, *, precision: Precision, cache: str
) -> Path:
    """Give the folder of a verified graph with every tap: from the cache, or made now.

    Two processes that ask for the same graph make it once. Without a cache the folder lives as
    long as this process.

    Args:
        checkpoint: the original.
        modality: what it is to read.
        precision: of weights and products.
        cache: folder; empty keeps nothing.

    Raises:
        CheckpointError, InputError: as :func:`export`.
    """
    check_precision(precision)

    def make(folder: Path) -> None:
        _require_packages()
        opened = _open(checkpoint, modality, ())
        try:
            _make(opened, precision, cache, folder)
        finally:
            opened.backbone.close()

    if cache:
        return caching.keep(caching.place_of(checkpoint, modality, precision, cache), make)
    folder = Path(tempfile.mkdtemp(prefix="zoo-graph-"))
    Finalize(None, shutil.rmtree, (folder,), {"ignore_errors": True}, exitpriority=1)
    make(folder)
    return folder


def is_cached(checkpoint: Checkpoint, modality: str, *, precision: Precision, cache: str) -> bool:
    """Whether :func:`ensure_graph` would find the graph; its files are not read."""
    return (
        bool(cache) and (caching.place_of(checkpoint, modality, precision, cache) / FILE).is_file()
    )


def _require_packages() -> None:
    from zoo_runtimes.onnx.graph import require_packages

    require_packages()


def _open(checkpoint: Checkpoint, modality: str, inputs: Sequence[Any]) -> _Opened:
    import torch

    from zoo_runtimes.backbones import open_backbone
    from zoo_runtimes.torch_runtime import TorchRuntime

    threads = torch.get_num_threads()
    backbone = open_backbone(checkpoint, RuntimeOptions(threads=threads), modality)
    given = list(inputs) or _samples(checkpoint, modality)
    prepared = given if modality == "text" else TorchRuntime().prepare(checkpoint, given)
    encoded = list(backbone.encode(prepared))
    if modality == "text" and not inputs and "token_type_ids" in encoded[0].data:
        encoded += backbone.encode(samples.PAIRS)
    return _Opened(checkpoint, modality, backbone, given, encoded, threads)


def _samples(checkpoint: Checkpoint, modality: str) -> list[Any]:
    if modality == "image":
        return list(samples.images())
    if modality == "text":
        return list(samples.TEXTS)
    from zoo_runtimes.waveforms import load_extraction

    return list(samples.sounds(load_extraction(checkpoint).rate))


def _chosen(taps: Sequence[Tap], names: Sequence[str]) -> list[Tap]:
    known = [tap.name for tap in taps]
    for name in names:
        if name not in known:
            raise unknown_name("tap", name, known)
    return [tap for tap in taps if not names or tap.name in names or tap.name == "logits"]


def _make(opened: _Opened, precision: Precision, cache: str, folder: Path) -> None:
    """Fill a folder of the cache: every tap, compared on the runtime's own samples."""
    taps = list(opened.backbone.taps)
    if precision == "fp32":
        _trace(opened, folder / GRAPH)
    else:
        with _whole_graph(opened, cache) as source:
            _derive(opened, source, folder / GRAPH, taps, precision)
    _finish(opened, folder, taps, precision, TOLERANCE[precision], described=False)


@contextmanager
def _whole_graph(opened: _Opened, cache: str) -> Iterator[Path]:
    """The float32 graph with every tap."""
    if cache:
        place = caching.place_of(opened.checkpoint, opened.modality, "fp32", cache)
        yield caching.keep(place, lambda folder: _make(opened, "fp32", cache, folder)) / GRAPH
        return
    with tempfile.TemporaryDirectory(prefix="zoo-graph-") as folder:
        _trace(opened, Path(folder) / GRAPH)
        yield Path(folder) / GRAPH


def _trace(opened: _Opened, path: Path) -> None:
    from zoo_runtimes.images import load_preparation, varies
    from zoo_runtimes.onnx.graph import export_graph

    network, points, feed = opened.backbone.parts
    one = opened.encoded[_TRACED % len(opened.encoded)]
    ((_, inputs),) = feed.batches([one, one])
    varying = opened.modality == "image" and varies(load_preparation(opened.checkpoint))
    export_graph(opened.checkpoint.model, network, points, inputs, path, varying=varying)


def _derive(
    opened: _Opened, source: Path, target: Path, taps: Sequence[Tap], precision: Precision
) -> list[str]:
    """Cut a graph down to some taps and bring it to a precision; say what a person should know."""
    from zoo_runtimes.onnx.graph import prune

    names = [tap.name for tap in taps]
    if precision == "fp32":
        prune(source, names, target)
        return []
    with tempfile.TemporaryDirectory(prefix="zoo-graph-") as folder:
        pruned = Path(folder) / GRAPH
        prune(source, names, pruned)
        static = precision == "int8" and quantisation(pruned) == "static"
        chosen = _halves(opened.encoded)[0] if static else []
        feeds = _single_feeds(opened.backbone, chosen)
        convert(opened.checkpoint.model, pruned, target, precision, feeds)
    other = "other " if len(opened.encoded) >= _SPLIT_FROM else ""
    return [f"Its ranges were measured on {len(chosen)} {other}inputs."] if static else []


def _halves(
    encoded: Sequence[EncodedInput],
) -> tuple[Sequence[EncodedInput], Sequence[EncodedInput]]:
    """What calibrates, and what is compared: different inputs, where there are enough."""
    if len(encoded) < _SPLIT_FROM:
        return encoded, encoded
    return encoded[::2], encoded[1::2]


def _single_feeds(
    backbone: TorchBackbone, encoded: Sequence[EncodedInput]
) -> Iterator[dict[str, Any]]:
    _, _, feed = backbone.parts
    for one in encoded:
        for _, tensors in feed.batches([one]):
            yield {name: tensor.contiguous().numpy() for name, tensor in tensors.items()}


def _finish(
    opened: _Opened,
    folder: Path,
    taps: Sequence[Tap],
    precision: Precision,
    tolerance: float,
    *,
    described: bool,
) -> Comparison:
    """Compare the graph of a folder, and write what belongs beside it; the manifest last."""
    from zoo_runtimes.onnx.graph import OPSET

    checkpoint, backbone = opened.checkpoint, opened.backbone
    names = [tap.name for tap in taps]
    inputs = _halves(opened.encoded)[1] if precision == "int8" else opened.encoded
    comparison = compare(backbone, folder / GRAPH, inputs, names, opened.threads)
    refuse(checkpoint.model, comparison, tolerance, precision)
    images, texts = _describe(opened, folder)
    _copy_settings(Path(checkpoint.folder), folder)
    head = backbone.head if "logits" in names else None
    widths = {tap.tap: tap.dimension for tap in comparison.taps}
    manifest = Manifest(
        entry=checkpoint.entry,
        digest=checkpoint.digest,
        modality=opened.modality,
        precision=precision,
        opset=OPSET,
        inputs=_inputs(opened),
        taps=tuple(
            GraphTap(name=tap.name, dimension=widths[tap.name], output=tap.name, shape=tap.shape)
            for tap in taps
        ),
        default_tap=_default(names, backbone.default_tap),
        head=head,
        images=images,
        texts=texts,
        exporter=caching.versions(),
        parity=comparison.taps,
        agreement=comparison.agreement,
        samples=comparison.samples,
    )
    if described:
        write_atomically(folder / README, readme(manifest).encode())
    write_manifest(msgspec.structs.replace(manifest, files=caching.digests(folder)), folder)
    return comparison


def _default(names: Sequence[str], usual: str) -> str:
    """What a new head would read: the usual tap, or the last one that was kept."""
    if usual in names:
        return usual
    return next((name for name in reversed(names) if name != "logits"), names[-1])


def _inputs(opened: _Opened) -> tuple[str, ...]:
    _, _, feed = opened.backbone.parts
    ((_, tensors),) = feed.batches(opened.encoded[:1])
    return tuple(tensors)


def _describe(opened: _Opened, folder: Path) -> tuple[Images | None, Texts | None]:
    """Say how inputs are prepared; sounds are left to transformers' own extractor."""
    from zoo_runtimes.onnx import preparing

    checkpoint = opened.checkpoint
    if opened.modality == "image":
        from zoo_runtimes.images import load_preparation

        return preparing.describe_images(checkpoint, load_preparation(checkpoint), folder), None
    if opened.modality == "text":
        from zoo_runtimes.texts import load_tokens

        network, _, _ = opened.backbone.parts
        tokens = load_tokens(checkpoint, network)
        return None, preparing.describe_texts(tokens, folder, opened.inputs)
    preparing.copy_settings(checkpoint, folder)
    return None, None


def _copy_settings(source: Path, folder: Path) -> None:
    for name in _COPIED:
        if (source / name).is_file() and not (folder / name).exists():
            shutil.copyfile(source / name, folder / name)
