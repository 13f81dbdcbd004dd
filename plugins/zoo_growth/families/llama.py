"""Llama and its kin: Mistral, Qwen2, Qwen3, Gemma; SmolLM and many others are Llamas by name.

Touvron et al., arXiv 2302.13971. Pre-norm decoders with root mean square norms, rotary positions,
gated MLPs, and queries that may share keys and values (Ainslie et al., arXiv 2305.13245).
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Literal

from zoo.errors import InputError
from zoo.growing.depth import deepened_names, stacked
from zoo.growing.sizes import check_size
from zoo.growing.tables import KEEPS, linear, norm, resolve, writes
from zoo.types.growing import Axis, Blueprint, Deepen, Rule
from zoo_growth.families.encoders import (
    Fields,
    axes_of_layers,
    grown,
    list_path,
    tied_head,
    unlike,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.growing.tables import Rules
    from zoo.types.growers import WholeNetwork
    from zoo.types.growing import Stack, Widen

FIELDS = Fields(
    hidden="hidden_size",
    heads="num_attention_heads",
    mlp="intermediate_size",
    depth="num_hidden_layers",
    kv_heads="num_key_value_heads",
    head_dim="head_dim",
)
_GROW = (FIELDS.hidden, FIELDS.heads, FIELDS.kv_heads, FIELDS.mlp, FIELDS.depth)
_HEADS, _KEYS = "heads {0}*head {0}", "kv {0}*head {0}"
_TABLE = {
    "layers.{}.self_attn.q_proj": linear(_HEADS, "hidden"),
    "layers.{}.self_attn.k_proj": linear(_KEYS, "hidden"),
    "layers.{}.self_attn.v_proj": linear(_KEYS, "hidden"),
    "layers.{}.self_attn.o_proj": linear("hidden", _HEADS),
    "layers.{}.self_attn.q_norm": {"weight": Rule(dims=(writes("head {0}"),))},
    "layers.{}.self_attn.k_norm": {"weight": Rule(dims=(writes("head {0}"),))},
    "layers.{}.mlp.gate_proj": linear("mlp {0}", "hidden"),
    "layers.{}.mlp.up_proj": linear("mlp {0}", "hidden"),
    "layers.{}.mlp.down_proj": linear("hidden", "mlp {0}"),
    "score": linear("", "hidden"),
    "qa_outputs": linear("", "hidden"),
}
_ROTARY = "the rotary positions of a wider head turn by other angles"


class Llama:
    """Implements :class:`zoo.types.growers.Family`."""

    def grown(self, config: Any, steps: Sequence[Widen | Deepen]) -> Any:
        """Give the larger configuration; the width of a head is named, and stays."""
        explicit = _explicit(config)
        larger = grown(explicit, steps, FIELDS)
        place: Literal["end", "between"] = next(
            (step.place for step in steps if isinstance(step, Deepen)), "end"
        )
        kinds = getattr(config, "layer_types", None)
        if kinds:
            larger.layer_types = _kinds(kinds, _layers("", config, larger, place))
        _loadable(larger, config.hidden_size)
        return larger

    def blueprint(
        self, network: WholeNetwork, config: Any, *, place: Literal["end", "between"] = "end"
    ) -> Blueprint:
        """Say how every parameter grows."""
        old, new = _explicit(network.config), _explicit(config)
        unlike(old, new, (*_GROW, "head_dim"), may=("rms_norm_eps", "max_window_layers"))
        layers = _layers(list_path(network.module, "layers"), old, new, place)
        _settle_kinds(config, old, layers)
        hidden = Axis(name="hidden", old=old.hidden_size, new=new.hidden_size, repetition="zero")
        fixed = {"repetition": "fixed", "why": _ROTARY}
        axes = {"hidden": hidden, **axes_of_layers(FIELDS, old, new, head=fixed)}
        names = deepened_names(network.module.state_dict(), (layers,))
        tied = tied_head(network.module)
        # Norms of queries and keys have the same epsilon, and other channels.
        shared = any(name.endswith("q_norm.weight") for name in names)
        return Blueprint(
            axes=axes,
            rules=resolve(_TABLE | _stream(old, new, tied=tied), names, axes),
            stacks=(layers,),
            epsilon=() if shared else (("rms_norm_eps", "hidden"),),
            outputs={"last_hidden_state": (-1, "hidden")},
            casts=True,
        )


def _stream(old: Any, new: Any, *, tied: bool) -> dict[str, Rules]:
    """Rules of what begins and ends the stream, and of its norms.

    Gemma multiplies embeddings by the root of the hidden size, and what a norm gives by one plus
    its gain.
    """
    gemma = old.model_type == "gemma"
    louder = (new.hidden_size / old.hidden_size) ** 0.5 if gemma else 1.0
    centre = 1.0 if gemma else 0.0
    embedding = Rule(dims=(KEEPS, writes("hidden")), factor=1 / louder)
    head = {} if tied else {"lm_head": linear("", "hidden")}
    return {
        "embed_tokens": {"weight": embedding},
        "layers.{}.input_layernorm": norm("hidden", centre=centre),
        "layers.{}.post_attention_layernorm": norm("hidden", centre=centre),
        "norm": norm("hidden", tied=tied, centre=centre, factor=louder if tied else 1.0),
        **head,
    }


def _explicit(config: Any) -> Any:
    """Name the width of a head, which would otherwise follow the hidden size."""
    explicit = copy.deepcopy(config)
    if not getattr(config, "head_dim", None):
        explicit.head_dim = config.hidden_size // config.num_attention_heads
    return explicit


def _layers(path: str, old: Any, new: Any, place: Literal["end", "between"]) -> Stack:
    return stacked(
        path,
        old.num_hidden_layers,
        new.num_hidden_layers,
        place=place,
        silent=("self_attn.o_proj", "mlp.down_proj"),
    )


def _kinds(kinds: Sequence[str], layers: Stack) -> list[str]:
    """A new layer attends as the one that it copies does, in a window or to everything."""
    return [kinds[source] for source in layers.source]


def _settle_kinds(config: Any, old: Any, layers: Stack) -> None:
    """Let the kinds of layers follow the depth where nothing else is said of them.

    Most configurations on the Hub leave them out.

    Raises:
        InputError: they are said, and do not fit the layers.
    """
    before, after = getattr(old, "layer_types", None), getattr(config, "layer_types", None)
    if not before or not after:
        return
    wanted = _kinds(before, layers)
    if after == before:
        config.layer_types = wanted
        return
    if len(after) != len(wanted):
        raise InputError(
            f"layer_types would name {len(after)} layers, and there would be {len(wanted)}.",
            "Leave it out, and every new layer has the kind of the one that it copies.",
        )
    for number, (kind, given) in enumerate(zip(wanted, after, strict=True)):
        if not layers.inserted[number] and given != kind:
            raise InputError(
                f"layer_types would make layer {number} {given!r}, and it is {kind!r}.",
                "Keep the kinds of the old layers.",
            )


def _loadable(config: Any, old: int) -> None:
    """Refuse what the library would refuse to load.

    Raises:
        InputError: with the nearest hidden sizes that it loads.
    """
    try:
        config.validate_architecture()
    except ValueError:
        check_size("hidden size", config.hidden_size, old, multiple=config.num_attention_heads)
        raise
