"""What lies beside an exported graph: everything that a prediction needs. Imports no framework."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from zoo.errors import CheckpointError
from zoo.files import write_atomically
from zoo.types.model import ModelEntry
from zoo.types.runtimes import Head, Precision, TapParity

if TYPE_CHECKING:
    from pathlib import Path

FILE = "zoo_export.json"
GRAPH = "model.onnx"
TOKENIZER = "tokenizer.json"


class GraphTap(msgspec.Struct, frozen=True, kw_only=True):
    """A tap and the output of the graph that it is read from, pooled: (B, dimension) float32."""

    name: str
    dimension: int
    output: str
    shape: tuple[int | None, ...] = ()


class Images(msgspec.Struct, frozen=True, kw_only=True):
    """How images become pixels.

    Attributes:
        size: ``shortest_edge``, or ``height`` and ``width``.
        resample: filter number of Pillow.
        crop: (height, width) cut out of the middle; None keeps all.
        flip: channels are fed in the order blue, green, red.
        scale: (3,) factor from a byte to the network's input.
        offset: (3,) summand.
        standard: the fields above are all there is, bit by bit; otherwise transformers' own
            processor is needed, whose settings lie beside the graph.
    """

    size: dict[str, int] = {}
    resample: int = 2
    crop: tuple[int, int] | None = None
    flip: bool = False
    scale: tuple[float, ...] = ()
    offset: tuple[float, ...] = ()
    standard: bool = True


class Texts(msgspec.Struct, frozen=True, kw_only=True):
    """How texts become tokens, beside ``tokenizer.json``: :class:`zoo_runtimes.tokens.Tokens`.

    Attributes:
        truncation: the side that long texts are cut at.
    """

    longest: int
    padding: int
    vocabulary: int | None = None
    segments: bool = False
    truncation: Literal["right", "left"] = "right"


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """An exported checkpoint.

    Attributes:
        entry: registry entry of the original: licence, task, architecture, commit.
        digest: of the original's files.
        inputs: names of the graph's inputs.
        taps: in the order of the forward pass; ``logits`` last, if there is a head.
        files: path -> sha256 of everything else in the folder.
        exporter: versions of what made the graph.
        parity: how each tap compared with the original when it was exported.
    """

    entry: ModelEntry
    digest: str
    modality: str
    precision: Precision
    opset: int
    inputs: tuple[str, ...]
    taps: tuple[GraphTap, ...]
    default_tap: str
    head: Head | None = None
    images: Images | None = None
    texts: Texts | None = None
    files: dict[str, str] = {}
    exporter: str = ""
    parity: tuple[TapParity, ...] = ()
    agreement: float | None = None
    samples: int = 0
    format: str = "onnx"
    graph: str = GRAPH
    schema_version: int = 1


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of an exported folder.

    Raises:
        CheckpointError: there is none, or it is not what an export wrote.
    """
    path = folder / FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError:
        raise CheckpointError(
            f"{folder} has no {FILE}: it is no exported checkpoint.", "zoo export MODEL -o DIR"
        ) from None
    except (OSError, msgspec.MsgspecError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}.", "Export it again.") from error


def write_manifest(manifest: Manifest, folder: Path) -> None:
    """Write the manifest; it comes last, so that a folder with one is whole."""
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    write_atomically(folder / FILE, text + b"\n")
