"""ViT and DeiT: a pre-norm encoder, so that the stream can have any width.

Dosovitskiy et al., ICLR 2021 (arXiv 2010.11929); Touvron et al., ICML 2021 (arXiv 2012.12877).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from zoo.growing.depth import deepened_names, stacked
from zoo.growing.tables import KEEPS, linear, norm, parameter, resolve, writes
from zoo.types.growing import Axis, Blueprint
from zoo_growth.families.encoders import (
    Fields,
    axes_of_layers,
    grown,
    keys,
    list_path,
    unlike,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.types.growers import WholeNetwork
    from zoo.types.growing import Deepen, Widen

FIELDS = Fields(
    hidden="hidden_size",
    heads="num_attention_heads",
    mlp="intermediate_size",
    depth="num_hidden_layers",
)
_GROW = (FIELDS.hidden, FIELDS.heads, FIELDS.mlp, FIELDS.depth)
_HEADS = "heads {0}*head {0}"
_TABLE = {
    "cls_token": parameter(KEEPS, KEEPS, writes("hidden")),
    "distillation_token": parameter(KEEPS, KEEPS, writes("hidden")),
    "mask_token": parameter(KEEPS, KEEPS, writes("hidden")),
    "position_embeddings": parameter(KEEPS, KEEPS, writes("hidden")),
    "patch_embeddings.projection": linear("hidden"),
    "layers.{}.attention.q_proj": linear(_HEADS, "hidden"),
    "layers.{}.attention.v_proj": linear(_HEADS, "hidden"),
    "layers.{}.attention.o_proj": linear("hidden", _HEADS),
    "layers.{}.mlp.fc1": linear("mlp {0}", "hidden"),
    "layers.{}.mlp.fc2": linear("hidden", "mlp {0}"),
    "layers.{}.layernorm_before": norm("hidden"),
    "layers.{}.layernorm_after": norm("hidden"),
    "layernorm": norm("hidden"),
    "pooler.dense": linear("pooled", "hidden"),
    "classifier": linear("", "hidden"),
    "cls_classifier": linear("", "hidden"),
    "distillation_classifier": linear("", "hidden"),
    "decoder.0": linear("", "hidden"),
}


class Vit:
    """Implements :class:`zoo.types.growers.Family`."""

    def grown(self, config: Any, steps: Sequence[Widen | Deepen]) -> Any:
        """Give the larger configuration."""
        larger = grown(config, steps, FIELDS)
        if config.pooler_output_size == config.hidden_size:
            larger.pooler_output_size = larger.hidden_size
        return larger

    def blueprint(
        self, network: WholeNetwork, config: Any, *, place: Literal["end", "between"] = "end"
    ) -> Blueprint:
        """Say how every parameter grows."""
        old, new = network.config, config
        unlike(old, new, (*_GROW, "pooler_output_size"), may=("layer_norm_eps",))
        layers = stacked(
            list_path(network.module, "layers"),
            old.num_hidden_layers,
            new.num_hidden_layers,
            place=place,
            silent=("attention.o_proj", "mlp.fc2"),
        )
        axes = {
            "hidden": Axis(
                name="hidden", old=old.hidden_size, new=new.hidden_size, repetition="average"
            ),
            "pooled": Axis(name="pooled", old=old.pooler_output_size, new=new.pooler_output_size),
            **axes_of_layers(FIELDS, old, new),
        }
        table = _TABLE | {"layers.{}.attention.k_proj": keys(_HEADS, "hidden", FIELDS, old, new)}
        names = deepened_names(network.module.state_dict(), (layers,))
        return Blueprint(
            axes=axes,
            rules=resolve(table, names, axes),
            stacks=(layers,),
            epsilon=(("layer_norm_eps", "hidden"),),
            outputs={"last_hidden_state": (-1, "hidden"), "pooler_output": (-1, "pooled")},
        )
