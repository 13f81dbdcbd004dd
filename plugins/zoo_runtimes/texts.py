"""Texts: the checkpoint's own tokenizer, and what the network it belongs to allows."""

from __future__ import annotations

import contextlib
import inspect
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from zoo_runtimes.explaining import explained, quiet
from zoo_runtimes.pooling import Pooling
from zoo_runtimes.processors import read_json
from zoo_runtimes.tokens import SAMPLES, Tokens

if TYPE_CHECKING:
    from zoo.types.model import Checkpoint
    from zoo_runtimes.loading import Network
    from zoo_runtimes.pooling import Kind

LONGEST = 512
"""Texts are cut here unless the checkpoint says less: longer ones cost quadratic time."""

# The older files have a switch a pooling, the newer ones a name.
_POOLINGS: dict[str, Kind] = {
    "pooling_mode_mean_tokens": "masked",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "masked_max",
    "pooling_mode_lasttoken": "last",
    "mean": "masked",
    "cls": "cls",
    "max": "masked_max",
    "lasttoken": "last",
}


def load_tokens(checkpoint: Checkpoint, network: Network) -> Tokens:
    """Load the tokenizer and make network and tokenizer agree on padding.

    Raises:
        CheckpointError: there is no usable tokenizer.
    """
    with explained(checkpoint, "its tokenizer cannot be loaded"), quiet():
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(
            checkpoint.folder,
            local_files_only=True,
            trust_remote_code=checkpoint.trust_remote_code,
        )
        if not all(tokenizer(text)["input_ids"] for text in SAMPLES):
            raise ValueError("it makes no tokens of words")
    padding = _first_known(tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id)
    if getattr(network.config, "pad_token_id", None) is None:
        network.config.pad_token_id = padding
    rows = None
    with contextlib.suppress(NotImplementedError, AttributeError):
        rows = network.module.get_input_embeddings().num_embeddings  # type: ignore[operator]
    longest = _longest(checkpoint, network, tokenizer)
    return Tokens(tokenizer, longest, padding, rows, _segments(network), checkpoint.model)


def _segments(network: Network) -> bool:
    # Tokenizers of a sibling family make the ids for networks that have no use for them.
    accepted = inspect.signature(network.module.forward).parameters
    kinds = getattr(network.config, "type_vocab_size", 2)
    return "token_type_ids" in accepted and isinstance(kinds, int) and kinds > 1


def _first_known(*ids: int | None) -> int:
    return next((number for number in ids if number is not None), 0)


def _longest(checkpoint: Checkpoint, network: Network, tokenizer: Any) -> int:
    limits = [LONGEST, int(tokenizer.model_max_length)]
    positions = getattr(network.config, "max_position_embeddings", None)
    if isinstance(positions, int) and positions > 0:
        limits.append(positions - _reserved_positions(network.module))
    sentence = read_json(checkpoint, "sentence_bert_config.json") or {}
    if sentence.get("max_seq_length"):
        limits.append(int(sentence["max_seq_length"]))
    return min(limits)


def _reserved_positions(module: torch.nn.Module) -> int:
    """Rows of the position matrix that RoBERTa and its kin never use."""
    for name, part in module.named_modules():
        if name.endswith("position_embeddings") and isinstance(part, torch.nn.Embedding):
            return 0 if part.padding_idx is None else part.padding_idx + 1
    return 0


def sentence_pooling(checkpoint: Checkpoint) -> Pooling | None:
    """The pooling that a sentence encoder was trained with; None where none is declared."""
    modules = sentence_parts(checkpoint)
    folder = next((m.get("path", "") for m in modules if kind_of_part(m) == "Pooling"), None)
    if folder is None:
        return None
    declared = read_json(checkpoint, str(Path(folder) / "config.json")) or {}
    mode = declared.get("pooling_mode")
    for name, kind in _POOLINGS.items():
        if mode == name or declared.get(name) is True:
            return Pooling(kind)
    return None


def sentence_parts(checkpoint: Checkpoint) -> list[dict[str, Any]]:
    """Parts of a sentence-transformers folder, in their order; none of another folder.

    Raises:
        CheckpointError: they cannot be read.
    """
    path = Path(checkpoint.folder) / "modules.json"
    if not path.is_file():
        return []
    with explained(checkpoint, "its modules.json cannot be read"):
        return [dict(module) for module in json.loads(path.read_text(encoding="utf-8"))]


def kind_of_part(module: dict[str, Any]) -> str:
    """Name of its class: ``Pooling``."""
    return str(module.get("type", "")).rpartition(".")[2]


def is_causal(network: Network, samples: dict[str, torch.Tensor]) -> bool:
    """Whether changing the last token leaves the states before it alone: a decoder."""
    ids = samples["input_ids"][-1:]
    if ids.shape[1] < 2:
        return False
    other = ids.clone()
    other[0, -1] = (other[0, -1] + 1) % int(ids.max() + 1)
    before, after = (
        network.module(input_ids=tokens).last_hidden_state[:, :-1] for tokens in (ids, other)
    )
    scale = float(before.abs().max()) or 1.0
    return float((before - after).abs().max()) <= 1e-6 * scale
