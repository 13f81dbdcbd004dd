"""Smaller numbers in an exported graph: half precision, or eight bits where they pay."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Literal

from zoo.errors import CheckpointError, InputError, ZooError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import numpy.typing as npt

    from zoo.types.runtimes import Precision

    Feed = Mapping[str, npt.NDArray[Any]]

Quantisation = Literal["static", "dynamic"]

#: Convolutions at the input that stay in float32: MobileNetV2 keeps 69 instead of 50 of 100 first
#: labels of flowers.
_SENSITIVE = 3


def check_precision(precision: Precision) -> None:
    """Refuse what no exported graph has.

    Raises:
        InputError: saying what there is instead.
    """
    if precision == "bf16":
        raise InputError(
            "bf16 is not offered for ONNX: ONNX Runtime has no bfloat16 kernels on the CPU and few "
            "on a GPU.",
            "Use --precision fp16 or int8; or bf16 with --runtime torch.",
        )


def convert(
    model: str, source: Path, target: Path, precision: Precision, calibration: Iterable[Feed] = ()
) -> None:
    """Write a graph in other numbers; what goes in and comes out stays float32 and int64.

    Args:
        model: reference, for messages.
        source: graph in float32.
        target: where to, in another folder than ``source``.
        precision: ``fp16`` or ``int8``.
        calibration: inputs that the ranges of a :func:`quantisation` in advance are taken from.

    Raises:
        CheckpointError: it cannot be converted, and why.
    """
    from zoo_runtimes.onnx.graph import silence

    try:
        with silence():
            if precision == "fp16":
                _write(_halved(_load(source)), target)
            else:
                _quantise(source, target, calibration)
    except (ZooError, MemoryError):
        raise
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise CheckpointError(
            f"{model}: its graph cannot be converted to {precision} ({reason.rstrip('.:')}).",
            "Use --precision fp32.",
        ) from error


def quantisation(source: Path) -> Quantisation:
    """How ``int8`` is done: ``static`` for convolutional networks, ``dynamic`` for all others.

    Dynamic convolutions are five to ten times slower than float32 ones; ranges fixed in advance
    spoil the features of transformers.
    """
    import onnx

    counts = Counter(
        node.op_type for node in onnx.load(source, load_external_data=False).graph.node
    )
    return "static" if counts["Conv"] > counts["MatMul"] + counts["Gemm"] else "dynamic"


def _load(path: Path) -> Any:
    """The whole graph in memory, without the shapes that contradict what converters make."""
    import onnx

    model = onnx.load(path)
    del model.graph.value_info[:]
    return model


def _write(model: Any, path: Path) -> None:
    import onnx_ir

    from zoo_runtimes.onnx.graph import save

    save(onnx_ir.from_proto(model), path)


def _halved(model: Any) -> Any:
    from onnxruntime.transformers.float16 import convert_float_to_float16

    return convert_float_to_float16(model, keep_io_types=True)


class _Reader:
    """Hands inputs one by one to onnxruntime's calibration."""

    def __init__(self, feeds: Iterable[Feed]) -> None:
        self._feeds = iter(feeds)

    def get_next(self) -> Feed | None:
        return next(self._feeds, None)


def _first_convolutions(model: Any) -> list[str]:
    names = [node.name for node in model.graph.node if node.op_type == "Conv"]
    return names[: min(_SENSITIVE, len(names) // 4)]


def _quantise(source: Path, target: Path, calibration: Iterable[Feed]) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic, quantize_static

    kinds: dict[str, Any] = {"per_channel": True, "weight_type": QuantType.QInt8}
    if quantisation(source) == "dynamic":
        quantize_dynamic(_load(source), target, op_types_to_quantize=["MatMul", "Gemm"], **kinds)
    else:
        model, reader = _load(source), _Reader(calibration)
        kinds["nodes_to_exclude"] = _first_convolutions(model)
        quantize_static(model, target, reader, activation_type=QuantType.QUInt8, **kinds)
