"""Open a graph on a device, and look afterwards where it really runs."""

from __future__ import annotations

import contextlib
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo.errors import CheckpointError, InputError, OutOfMemoryError, ZooError
from zoo_runtimes.onnx.providers import CPU, CUDA, choose, load_onnxruntime, preload_cuda

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from zoo_runtimes.onnx.providers import Choice

    Array = npt.NDArray[Any]

# It moves a padding of zeros into a pooling that pads with minus infinity: wrong features.
_WRONG = ["Pad_Fusion"]
_PARTLY = "fallback to CPU EP has been explicitly disabled"
_MEMORY = (
    "failed to allocate memory",
    "bad_alloc",
    "bad allocation",
    "out of memory",
    "cuda failure 2",
    "smaller than requested bytes",
    "alloc_failed",
)


@dataclass(frozen=True, eq=False)
class Session:
    """An open graph.

    Attributes:
        runner: the ``onnxruntime.InferenceSession``.
        device: where it runs, as seen after opening: ``cpu``, ``cuda:0`` ...
        kinds: type of every input, such as ``int64``.
    """

    runner: Any
    device: str
    kinds: Mapping[str, str]

    def run(self, outputs: Sequence[str], inputs: Mapping[str, Array]) -> list[Array]:
        """Compute some outputs; inputs are moved once, outputs copied back at the end.

        Args:
            outputs: names.
            inputs: arrays of the types in :attr:`kinds`.

        Raises:
            OutOfMemoryError: use a smaller batch.
            RuntimeError: with the reason, in a line.
        """
        options = _run_options()
        try:
            with memory_guard("a batch did not fit into memory."):
                if self.device.startswith("cuda"):
                    return self._bound(outputs, inputs, options)
                found: list[Array] = self.runner.run(list(outputs), dict(inputs), options)
                return found
        except ZooError:
            raise
        except Exception as error:
            raise RuntimeError(_first_line(error)) from error

    def _bound(
        self, outputs: Sequence[str], inputs: Mapping[str, Array], options: Any
    ) -> list[Array]:
        runtime, binding = load_onnxruntime(), self.runner.io_binding()
        kind, _, number = self.device.partition(":")
        for name, array in inputs.items():
            moved = runtime.OrtValue.ortvalue_from_numpy(array, kind, int(number or 0))
            binding.bind_ortvalue_input(name, moved)
        for name in outputs:
            binding.bind_output(name, kind, int(number or 0))
        self.runner.run_with_iobinding(binding, options)
        found: list[Array] = binding.copy_outputs_to_cpu()
        return found


@functools.cache
def _run_options() -> Any:
    options = load_onnxruntime().RunOptions()
    options.log_severity_level = 4
    return options


def open_session(
    graph: Path, device: str = "cpu", threads: int = 1, *, providers: Sequence[str] = ()
) -> Session:
    """Open a graph with the providers of a device and no others.

    Args:
        graph: an ``.onnx`` file; external weights lie beside it.
        device: ``cpu``, ``cuda`` or ``cuda:1``.
        threads: of one operator.
        providers: names that take the place of the device's.

    Raises:
        InputError: no such device or provider; it was asked for and not got.
        CheckpointError: the graph is damaged.
        OutOfMemoryError: it does not fit.
    """
    choice = choose(device, providers)
    if CUDA in choice.providers:
        preload_cuda()
    with explained(graph), memory_guard(f"{graph} does not fit into memory."):
        runner = _open(graph, choice, threads)
    found = runner.get_providers()
    if [name for name in found if name != CPU] != [n for n in choice.providers if n != CPU]:
        raise InputError(
            f"ONNX Runtime was asked for {choice.providers[0]} and gives {', '.join(found)}.",
            "zoo doctor says what is missing; or use --device cpu.",
        )
    kinds = {value.name: _kind(value.type) for value in runner.get_inputs()}
    return Session(runner, _device(choice), kinds)


def _open(graph: Path, choice: Choice, threads: int) -> Any:
    """Open with everything on the provider; where shapes are computed beside it, let them."""
    strict = CPU not in choice.providers
    try:
        return _start(graph, choice, threads, strict=strict)
    except Exception as error:
        if not strict or _PARTLY not in str(error):
            raise
    return _start(graph, choice, threads, strict=False)


def _start(graph: Path, choice: Choice, threads: int, *, strict: bool) -> Any:
    runtime = load_onnxruntime()
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = max(1, threads)
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    if strict:
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    return runtime.InferenceSession(
        str(graph),
        options,
        providers=list(choice.providers),
        provider_options=choice.options,
        disabled_optimizers=_WRONG,
        enable_fallback=0,  # otherwise it prints, and goes on with the CPU
    )


def _kind(declared: str) -> str:
    """``tensor(float)`` -> ``float32``, ``tensor(int64)`` -> ``int64``."""
    inner = declared.removeprefix("tensor(").removesuffix(")")
    return {"float": "float32", "double": "float64"}.get(inner, inner)


def _device(choice: Choice) -> str:
    name = choice.providers[0]
    if name == CUDA:
        return f"cuda:{choice.number}"
    return name.removesuffix("ExecutionProvider").lower()


@contextlib.contextmanager
def explained(graph: Path) -> Iterator[None]:
    """Turn whatever ONNX Runtime says about a file into one sentence."""
    try:
        yield
    except (ZooError, MemoryError):
        raise
    except Exception as error:
        if not graph.is_file():
            raise CheckpointError(f"{graph} is missing.", "Export it again.") from None
        raise CheckpointError(
            f"{graph} cannot be opened by ONNX Runtime ({_first_line(error)}).",
            "It is damaged, or newer than the installed ONNX Runtime: export it again.",
        ) from error


def _first_line(error: BaseException) -> str:
    """What remains of a native message without its codes, files and line numbers."""
    text = str(error).strip() or type(error).__name__
    text = text.rpartition("[ONNXRuntimeError] : ")[2]
    parts = text.split(" : ", 2)
    line = (parts[2] if len(parts) == 3 else text).splitlines()[0]
    line = line.rpartition("Status Message: ")[2].rpartition(" was false. ")[2]
    return line.strip().rstrip(".:")[:200]


@contextlib.contextmanager
def memory_guard(sentence: str) -> Iterator[None]:
    """Turn every way in which ONNX Runtime runs out of memory into one error."""
    try:
        yield
    except ZooError:
        raise
    except Exception as error:
        text = str(error).lower()
        if not isinstance(error, MemoryError) and not any(part in text for part in _MEMORY):
            raise
        raise OutOfMemoryError(sentence, "Leave it out, or run it on a larger device.") from error
