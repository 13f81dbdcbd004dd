"""Checkpoints, inputs, and every engine in two ways: Zoo's own, and bare."""

from __future__ import annotations

import io
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    #: encoded inputs -> calls that run them: from prepared bytes, and from ready tensors
    Prepare = Callable[[Sequence[Any]], tuple[Callable[[], Any], Callable[[], Any]]]

COMPILED = "torch.compile"
#: name -> (runtime, precision)
ENGINES = {
    "torch fp32": ("torch", "fp32"),
    "torch bf16": ("torch", "bf16"),
    COMPILED: ("torch", "fp32"),
    "ONNX fp32": ("onnx", "fp32"),
    "ONNX int8": ("onnx", "int8"),
}
#: Architectures of usual size with random weights: name -> (class prefix, settings).
RANDOM: dict[str, tuple[str, dict[str, Any]]] = {
    "resnet18": (
        "ResNet",
        {"layer_type": "basic", "hidden_sizes": [64, 128, 256, 512], "depths": [2, 2, 2, 2]},
    ),
    "mobilenet_v2": ("MobileNetV2", {}),
    "vit_tiny": ("ViT", {"hidden_size": 192, "num_attention_heads": 3, "intermediate_size": 768}),
    "deit_small": (
        "DeiT",
        {"hidden_size": 384, "num_attention_heads": 6, "intermediate_size": 1536},
    ),
    "distilbert": ("DistilBert", {}),
    "bert_mini": (
        "Bert",
        {
            "hidden_size": 256,
            "num_hidden_layers": 4,
            "num_attention_heads": 4,
            "intermediate_size": 1024,
        },
    ),
}
_PROCESSORS = {"ResNet": "ConvNext"}
_WORDS = "the a cat dog bird fish zoo model picture word good bad great film plot reads best"
_SENTENCE = (6, 30)


@dataclass(frozen=True)
class Opened:
    """An engine that is ready.

    Attributes:
        backbone: how Zoo runs it.
        bare: turns encoded inputs into two calls that run them without Zoo: one that makes its
            tensors each time, in the plainest way, and one that has them ready.
        start: seconds that opening took.
        again: the same with everything in the cache; None where nothing is kept.
    """

    backbone: Any
    bare: Prepare
    start: float
    again: float | None = None


def build_random(name: str, folder: Path) -> Path:
    """Write a checkpoint of usual size with random weights."""
    import transformers

    from zoo.testing import tiny_checkpoints

    transformers.utils.logging.disable_progress_bar()
    prefix, settings = RANDOM[name]
    text = prefix in {"DistilBert", "Bert"}
    kind = "Sequence" if text else "Image"
    config = getattr(transformers, f"{prefix}Config")(num_labels=10, **settings)
    network = getattr(transformers, f"{prefix}For{kind}Classification")(config)
    target = folder / name
    target.mkdir(parents=True)
    if text:
        tiny_checkpoints._write_word_tokenizer(target, segments=prefix == "Bert")  # noqa: SLF001
    else:
        tiny_checkpoints._calibrate(network, 224)  # noqa: SLF001
        family = _PROCESSORS.get(prefix, prefix)
        processor = getattr(transformers, f"{family}ImageProcessorPil", None)
        processor = processor or getattr(transformers, f"{family}ImageProcessor")
        processor().save_pretrained(target)
    network.eval().save_pretrained(target)
    return target


def find_checkpoint(model: str, home: str) -> Any:
    """Give the files of a reference or a folder, checked as a run checks them."""
    from zoo.api import open_catalogue
    from zoo.plan import source_of
    from zoo.settings import Settings
    from zoo.sources import open_sources
    from zoo.types import Candidate, ModelEntry

    settings = Settings(home=home, offline=True)
    candidate = Candidate(entry=ModelEntry(ref=model), base=str(Path.cwd()))
    return source_of(candidate, open_sources(open_catalogue(settings), settings)).fetch(candidate)


def draw_inputs(modality: str, count: int) -> list[Any]:
    """Give the same images or sentences every time."""
    import numpy as np
    from PIL import Image

    from zoo.types import ImageInput

    random = np.random.default_rng(0)
    if modality == "text":
        lengths = random.integers(*_SENTENCE, count)
        return [" ".join(random.choice(_WORDS.split(), length)) for length in lengths]
    drawn: list[Any] = []
    for index in range(count):
        noise = Image.fromarray(random.integers(0, 255, (12, 16, 3), dtype=np.uint8))
        file = io.BytesIO()
        noise.resize((500, 375), Image.Resampling.BICUBIC).save(file, "JPEG")
        drawn.append(ImageInput(name=f"drawing {index}", data=file.getvalue()))
    return drawn


def open_engine(engine: str, checkpoint: Any, *, device: str, cache: str) -> Opened:
    """Open a checkpoint as Zoo does; twice where the first time makes something for the cache."""
    from zoo.api import open_catalogue
    from zoo.catalogue import build
    from zoo.settings import Settings
    from zoo.types import OpensSlowly, RuntimeOptions

    name, precision = ENGINES[engine]
    runtime: Any = build(open_catalogue(Settings()).spec("runtime", name))
    options = RuntimeOptions(device=device, precision=precision, cache=cache)  # type: ignore[arg-type]
    started = time.perf_counter()
    backbone = runtime.open(checkpoint, options)
    start, again = time.perf_counter() - started, None
    if isinstance(runtime, OpensSlowly):
        backbone.close()
        started = time.perf_counter()
        backbone = runtime.open(checkpoint, options)
        again = time.perf_counter() - started
    if name == "torch":
        return Opened(backbone, _module(backbone, precision, engine == COMPILED), start, again)
    return Opened(backbone, _graph(backbone), start, again)


def _module(backbone: Any, precision: Any, compile_: bool) -> Prepare:
    """Call the module in Zoo's number format and with its attention kernel."""
    import numpy as np
    import torch

    from zoo_runtimes import backbones, devices

    network, _, feed = backbone.parts
    device = torch.device(backbone.device)
    module = torch.compile(network.module) if compile_ else network.module

    def prepare(encoded: Sequence[Any]) -> tuple[Callable[[], Any], Callable[[], Any]]:
        arrays = _same_size(encoded, feed)
        scale, offset = (torch.from_numpy(each).to(device) for each in _columns(feed))

        def make() -> list[dict[str, Any]]:
            if not arrays:
                return [inputs for _, inputs in feed.batches(encoded)]
            stacked = torch.from_numpy(np.stack(arrays)).to(device)
            pixels = stacked.permute(0, 3, 1, 2).float()
            return [{"pixel_values": pixels.mul_(scale).add_(offset)}]

        def forward(batches: list[dict[str, Any]]) -> None:
            for inputs in batches:
                with (
                    devices.attention(backbones._sequence(network, inputs), device),  # noqa: SLF001
                    devices.computing(precision, device),
                ):
                    module(**inputs)
            if device.type == "cuda":
                torch.cuda.synchronize()

        def run(batches: list[dict[str, Any]] | None = None) -> None:
            _ = backbone.parts  # takes Zoo's own hooks off
            with torch.inference_mode():
                forward(make() if batches is None else batches)

        with torch.inference_mode():
            ready = [inputs for _, inputs in feed.batches(encoded)]
        return run, lambda: run(ready)

    return prepare


def _graph(backbone: Any) -> Prepare:
    """Run the same session for the network's own output and what that needs."""
    import numpy as np
    import onnxruntime

    session, feed = backbone._session, backbone._feed  # noqa: SLF001
    own = backbone._outputs[backbone.taps[-1].name].output  # noqa: SLF001
    options = onnxruntime.RunOptions()
    options.only_execute_path_to_fetches = True

    def prepare(encoded: Sequence[Any]) -> tuple[Callable[[], Any], Callable[[], Any]]:
        arrays = _same_size(encoded, feed)
        scale, offset = _columns(feed)

        def make() -> list[dict[str, Any]]:
            if arrays:
                pixels = np.stack(arrays).transpose(0, 3, 1, 2).astype(np.float32, order="C")
                pixels *= scale
                pixels += offset
                made = [{feed._name: pixels}]  # noqa: SLF001
            else:
                made = [arrays for _, arrays in feed.batches(encoded)]
            return [
                {
                    name: array.astype(session.kinds[name], copy=False)
                    for name, array in each.items()
                }
                for each in made
            ]

        def run(batches: list[dict[str, Any]]) -> None:
            for inputs in batches:
                session.runner.run([own], inputs, options)

        ready = [
            {name: array.astype(session.kinds[name]) for name, array in arrays.items()}
            for _, arrays in feed.batches(encoded)
        ]
        return lambda: run(make()), lambda: run(ready)

    return prepare


def _same_size(encoded: Sequence[Any], feed: Any) -> list[NDArray[Any]]:
    """(H, W, C) uint8 each, where inputs are images of one size prepared as bytes; else none."""
    arrays = [entry.data for entry in encoded]
    if getattr(feed, "_line", None) is None or len({array.shape for array in arrays}) > 1:
        return []
    return arrays


def _columns(feed: Any) -> list[NDArray[Any]]:
    """Scale and offset a channel: (C, 1, 1); of no channels where nothing is normalised."""
    import numpy as np

    line = getattr(feed, "_line", None)
    parts = [np.empty(0, np.float32)] * 2 if line is None else [line.scale, line.offset]
    return [part.reshape(-1, 1, 1) for part in parts]
