"""DistilBERT: BERT of half the depth, its fields and modules named anew.

Sanh et al., 2019 (arXiv 1910.01108).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from zoo.growing.depth import deepened_names
from zoo.growing.tables import KEEPS, linear, norm, parameter, resolve, writes
from zoo.types.growing import Axis, Blueprint
from zoo_growth.families import post_norm
from zoo_growth.families.encoders import (
    Fields,
    axes_of_layers,
    grown,
    keys,
    list_path,
    tied_head,
    unlike,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zoo.growing.tables import Rules
    from zoo.types.growers import WholeNetwork
    from zoo.types.growing import Deepen, Widen

FIELDS = Fields(hidden="dim", heads="n_heads", mlp="hidden_dim", depth="n_layers")
_GROW = (FIELDS.hidden, FIELDS.heads, FIELDS.mlp, FIELDS.depth)
_HEADS = "heads {0}*head {0}"
#: Hard-coded in its classes.
_EPSILON = 1e-12


class DistilBert:
    """Implements :class:`zoo.types.growers.Family`."""

    def grown(self, config: Any, steps: Sequence[Widen | Deepen]) -> Any:
        """Give the larger configuration."""
        return grown(config, steps, FIELDS)

    def blueprint(
        self, network: WholeNetwork, config: Any, *, place: Literal["end", "between"] = "end"
    ) -> Blueprint:
        """Say how every parameter grows."""
        old, new, module = network.config, config, network.module
        unlike(old, new, _GROW)
        layers = post_norm.layers(
            list_path(module, "transformer.layer"),
            old.n_layers,
            new.n_layers,
            place=place,
            silent=("attention.out_lin", "ffn.lin2"),
            norms=("sa_layer_norm",),
            last_norm="output_layer_norm",
            epsilon=_EPSILON,
        )
        axes = {
            "hidden": post_norm.stream("hidden", old.dim, new.dim),
            "pooled": Axis(name="pooled", old=old.dim, new=new.dim),
            **axes_of_layers(FIELDS, old, new),
        }
        names = deepened_names(module.state_dict(), (layers,))
        table = {
            "layer.{}.attention.k_lin": keys(_HEADS, "hidden", FIELDS, old, new),
            **_table(pooled="pre_classifier.weight" in names, tied=tied_head(module)),
        }
        return Blueprint(
            axes=axes,
            rules=resolve(table, names, axes),
            stacks=(layers,),
            outputs={"last_hidden_state": (-1, "hidden")},
        )


def _table(*, pooled: bool, tied: bool) -> Mapping[str, Rules]:
    """Rules of all modules but the keys.

    Args:
        pooled: the classifier reads a layer of its own, and else the stream.
        tied: the head that names tokens is the table that embeds them.
    """
    heads = {"vocab_projector": linear("", "hidden")}
    return {
        **({} if tied else heads),
        "embeddings.word_embeddings.weight": parameter(KEEPS, writes("hidden")),
        "embeddings.position_embeddings.weight": parameter(KEEPS, writes("hidden")),
        "embeddings.LayerNorm": norm("hidden"),
        "layer.{}.attention.q_lin": linear(_HEADS, "hidden"),
        "layer.{}.attention.v_lin": linear(_HEADS, "hidden"),
        "layer.{}.attention.out_lin": linear("hidden", _HEADS),
        "layer.{}.sa_layer_norm": norm("hidden"),
        "layer.{}.ffn.lin1": linear("mlp {0}", "hidden"),
        "layer.{}.ffn.lin2": linear("hidden", "mlp {0}"),
        "layer.{}.output_layer_norm": norm("hidden"),
        "vocab_transform": linear("hidden", "hidden"),
        "vocab_layer_norm": norm("hidden", tied=tied),
        "pre_classifier": linear("pooled", "hidden"),
        "classifier": linear("", "pooled" if pooled else "hidden"),
        "qa_outputs": linear("", "hidden"),
    }
