"""Which files of a checkpoint a run needs, and what a weights file says about itself."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from zoo.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Mapping

CONFIG = "config.json"
CARD = "README.md"
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
MODULES = "modules.json"

_PREPARATION = re.compile(
    r"(pre)?processor_config\.json|generation_config\.json|chat_template\.(json|jinja)"
    r"|tokenizer\.json|tokenizer_config\.json|special_tokens_map\.json|added_tokens\.json"
    r"|vocab\.(txt|json)|merges\.txt|normalizer\.json|[\w.-]+\.model"
    r"|modules\.json|config_sentence_transformers\.json|sentence_\w+_config\.json"
)
_TOKENIZER = re.compile(r"tokenizer.*|vocab\.(txt|json)|[\w.-]+\.model")
_PICKLE = re.compile(r".*\.(bin|pt|pth|pkl|pickle|ckpt)")
_OTHER_WEIGHTS = re.compile(r".*\.(h5|msgpack|onnx([._]data)?|gguf|pb|ot|tflite)")
_MODULE_FILE = re.compile(r"[^/]+\.(json|safetensors|txt|model)")
_PREFIX = 8
_FIRST_READ = 1 << 16
_LARGEST_HEADER = 100_000_000


class Files(Protocol):
    """The files of one checkpoint, wherever they are."""

    @property
    def model(self) -> str:
        """The checkpoint as messages call it."""
        ...

    @property
    def sizes(self) -> Mapping[str, int]:
        """Path -> bytes of every file."""
        ...

    def read(self, path: str, start: int = 0, length: int | None = None) -> bytes:
        """Read a whole file, or ``length`` bytes of it."""
        ...

    def card(self) -> dict[str, Any]:
        """Give the front matter of the model card; empty when there is none."""
        ...


class StoredTensor(NamedTuple):
    """A tensor as the header of its safetensors file describes it.

    Attributes:
        file: where it is stored.
        dtype: as safetensors writes it: ``F32``, ``BF16``, ``I64`` ...
        shape: its lengths.
    """

    file: str
    dtype: str
    shape: tuple[int, ...]


def read_json(files: Files, path: str) -> dict[str, Any]:
    """Read a file that holds a JSON object.

    Raises:
        CheckpointError: it holds something else.
    """
    try:
        value = json.loads(files.read(path))
    except ValueError as error:
        raise CheckpointError(f"{files.model}: {path} is not valid JSON: {error}.") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{files.model}: {path} holds no JSON object.")
    return value


def read_config(files: Files) -> dict[str, Any]:
    """Read ``config.json``.

    Raises:
        CheckpointError: there is none, or it is broken.
    """
    if CONFIG in files.sizes:
        return read_json(files, CONFIG)
    if "adapter_config.json" in files.sizes:
        raise CheckpointError(
            f"{files.model} is an adapter (adapter_config.json), not a whole checkpoint.",
            "Merge it into its base model first, or name the base model.",
        )
    if "model_index.json" in files.sizes:
        raise CheckpointError(
            f"{files.model} is a diffusers pipeline (model_index.json), not one checkpoint."
        )
    raise CheckpointError(
        f"{files.model} has no config.json.",
        "A checkpoint needs config.json and model.safetensors, as save_pretrained writes them.",
    )


def weight_files(files: Files) -> tuple[str, ...]:
    """Choose the safetensors files to load: the single file, else the shards of the index.

    Raises:
        CheckpointError: only pickles or other formats, no weights at all, or a shard is missing.
    """
    if WEIGHTS in files.sizes:
        return (WEIGHTS,)
    if INDEX in files.sizes:
        shards = read_json(files, INDEX).get("weight_map", {})
        names = tuple(sorted({str(shard) for shard in shards.values()}))
        missing = [name for name in names if name not in files.sizes]
        if names and not missing:
            return names
        lacking = missing[0] if missing else "every shard"
        raise CheckpointError(f"{files.model}: {INDEX} lists {lacking}, which is not there.")
    raise _no_weights(files)


def is_weights(path: str) -> bool:
    """Whether a file that a run needs holds weights."""
    return path.endswith(".safetensors") or bool(_OTHER_WEIGHTS.fullmatch(path))


def preparation_files(files: Files) -> tuple[str, ...]:
    """List the files that tokenise, preprocess and describe, without a weight."""
    found = [path for path in files.sizes if _PREPARATION.fullmatch(path)]
    if MODULES in files.sizes:
        found += _module_files(files)
    return tuple(sorted(found))


def code_files(files: Files) -> tuple[str, ...]:
    """List the Python files that come with a checkpoint."""
    return tuple(sorted(path for path in files.sizes if path.endswith(".py")))


def has_tokenizer(files: Files) -> bool:
    """Whether any file of a tokenizer is there."""
    return any(_TOKENIZER.fullmatch(path) for path in files.sizes)


def count_parameters(files: Files, path: str) -> int:
    """Sum the shapes in the header of a safetensors file, reading nothing but the header.

    Raises:
        CheckpointError: it is no safetensors file, or shorter than its own header says.
    """
    header, start = _header(files, path)
    tensors = [tensor for name, tensor in header.items() if name != "__metadata__"]
    try:
        expected = start + max((tensor["data_offsets"][1] for tensor in tensors), default=0)
        parameters = sum(int(math.prod(tensor["shape"])) for tensor in tensors)
    except (KeyError, TypeError, IndexError) as error:
        raise _no_safetensors(files, path, f"its header lacks {error}") from error
    if expected != files.sizes[path]:
        raise CheckpointError(
            f"{files.model}: {path} is damaged: {files.sizes[path]:,} bytes, "
            f"but its header describes {expected:,}.",
            "Copy or download it again.",
        )
    return parameters


def stored_tensors(files: Files) -> dict[str, StoredTensor]:
    """Describe every tensor of a checkpoint from the headers of its files; no weight is read.

    Raises:
        CheckpointError: there are no safetensors weights, or a header is damaged.
    """
    found = {}
    for path in weight_files(files):
        header, _ = _header(files, path)
        for name, tensor in header.items():
            if name == "__metadata__":
                continue
            try:
                found[name] = StoredTensor(path, tensor["dtype"], tuple(tensor["shape"]))
            except (KeyError, TypeError) as error:
                raise _no_safetensors(files, path, f"its header lacks {error}") from error
    return found


def _header(files: Files, path: str) -> tuple[dict[str, Any], int]:
    """Read the header; give it and the position at which the tensors start."""
    size = files.sizes[path]
    head = files.read(path, 0, min(size, _FIRST_READ))
    if len(head) < _PREFIX:
        raise _no_safetensors(files, path, f"it has {size} bytes")
    length = int.from_bytes(head[:_PREFIX], "little")
    start = _PREFIX + length
    if length > min(size, _LARGEST_HEADER):
        raise _no_safetensors(files, path, "its header is longer than the file allows")
    if start > len(head):
        head += files.read(path, len(head), start - len(head))
    try:
        header = json.loads(head[_PREFIX:start])
    except ValueError as error:
        raise _no_safetensors(files, path, "its header is not JSON") from error
    if not isinstance(header, dict):
        raise _no_safetensors(files, path, "its header is no JSON object")
    return header, start


def _no_safetensors(files: Files, path: str, why: str) -> CheckpointError:
    return CheckpointError(
        f"{files.model}: {path} is not a whole safetensors file: {why}.",
        "Copy or download it again.",
    )


def _module_files(files: Files) -> list[str]:
    """List the files of sentence-transformers modules, which have a folder each."""
    try:
        modules = json.loads(files.read(MODULES))
        folders = [str(module.get("path", "")) for module in modules]
    except (ValueError, AttributeError, TypeError) as error:
        message = f"{files.model}: {MODULES} is no list of sentence-transformers modules."
        raise CheckpointError(message) from error
    return [
        path
        for path in files.sizes
        for folder in folders
        if folder
        and path.startswith(f"{folder}/")
        and _MODULE_FILE.fullmatch(path[len(folder) + 1 :])
    ]


def _no_weights(files: Files) -> CheckpointError:
    pickles = sorted(path for path in files.sizes if _PICKLE.fullmatch(path))
    if pickles:
        return CheckpointError(
            f"{files.model} has only pickle weights ({pickles[0]}): opening them can run code.",
            "Use a revision or a copy with model.safetensors; save_pretrained writes one.",
        )
    others = sorted(path for path in files.sizes if _OTHER_WEIGHTS.fullmatch(path))
    named = f"only {others[0]} and no" if others else "no"
    return CheckpointError(
        f"{files.model} has {named} safetensors weights.",
        "A checkpoint needs config.json and model.safetensors, as save_pretrained writes them.",
    )
