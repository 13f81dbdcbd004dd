"""DINOv2: a ViT with layer scale, and in its largest form with a gated MLP.

Oquab et al., TMLR 2024 (arXiv 2304.07193); with registers: Darcet et al., ICLR 2024 (arXiv
2309.16588).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from zoo.growing.depth import deepened_names, stacked
from zoo.growing.sizes import sized
from zoo.growing.tables import KEEPS, linear, norm, parameter, resolve, writes
from zoo.types.growing import (
    Axis,
    Blueprint,
    Dim,
    Rule,
    Widen,
)
from zoo_growth.families.encoders import (
    Fields,
    axes_of_layers,
    grown,
    keys,
    list_path,
    restaged,
    unlike,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zoo.growing.tables import Rules
    from zoo.types.growers import WholeNetwork
    from zoo.types.growing import Deepen

FIELDS = Fields(
    hidden="hidden_size", heads="num_attention_heads", mlp="", depth="num_hidden_layers"
)
_GROW = (FIELDS.hidden, FIELDS.heads, FIELDS.depth, "mlp_ratio")
_FOLLOW = ("layer_norm_eps", "stage_names", "out_features", "out_indices")
_HEADS = "heads {0}*head {0}"


class Dinov2:
    """Implements :class:`zoo.types.growers.Family`."""

    def grown(self, config: Any, steps: Sequence[Widen | Deepen]) -> Any:
        """Give the larger configuration.

        The intermediate size is a whole multiple of the hidden size, here, and grows with it; a
        gated MLP keeps two thirds of the number that is said.
        """
        larger = grown(config, (), FIELDS)
        for step in steps:
            before, larger = larger, grown(larger, [step], FIELDS)
            if isinstance(step, Widen) and step.mlp:
                size, hidden = before.hidden_size * before.mlp_ratio, larger.hidden_size
                mlp = sized("intermediate size", step.mlp, size, multiple=hidden)
                larger.mlp_ratio = mlp // hidden
        return restaged(larger, larger.num_hidden_layers)

    def blueprint(
        self, network: WholeNetwork, config: Any, *, place: Literal["end", "between"] = "end"
    ) -> Blueprint:
        """Say how every parameter grows."""
        old, new = network.config, config
        unlike(old, new, _GROW, may=_FOLLOW)
        layers = stacked(
            list_path(network.module, "encoder.layer"),
            old.num_hidden_layers,
            new.num_hidden_layers,
            place=place,
            silent=("layer_scale1", "layer_scale2"),
        )
        axes = {
            "hidden": Axis(
                name="hidden", old=old.hidden_size, new=new.hidden_size, repetition="average"
            ),
            **axes_of_layers(FIELDS, old, new),
        }
        for layer in range(new.num_hidden_layers):
            name = f"mlp {layer}"
            axes[name] = Axis(name=name, old=_mlp(old), new=_mlp(new))
        table = {
            "layer.{}.attention.k_proj": keys(_HEADS, "hidden", FIELDS, old, new),
            **_table(layers.path),
        }
        names = deepened_names(network.module.state_dict(), (layers,))
        return Blueprint(
            axes=axes,
            rules=resolve(table, names, axes),
            stacks=(layers,),
            epsilon=(("layer_norm_eps", "hidden"),),
            outputs={"last_hidden_state": (-1, "hidden"), "pooler_output": (-1, "hidden")},
        )


def _mlp(config: Any) -> int:
    """Width of the MLP; a gated one has two thirds of it, rounded up to eights."""
    size = int(config.hidden_size * config.mlp_ratio)
    return (int(size * 2 / 3) + 7) // 8 * 8 if config.use_swiglu_ffn else size


def _table(layers: str) -> Mapping[str, Rules]:
    """Rules of all modules but the keys.

    Args:
        layers: name of the list of layers in the network.
    """
    scale = {"lambda1": Rule(dims=(Dim(role="gates", layout="hidden"),))}
    first, second = (f"{layers}.{{0}}.layer_scale{number}.lambda1" for number in (1, 2))
    return {
        "cls_token": parameter(KEEPS, KEEPS, writes("hidden")),
        "mask_token": parameter(KEEPS, writes("hidden")),
        "register_tokens": parameter(KEEPS, KEEPS, writes("hidden")),
        "position_embeddings": parameter(KEEPS, KEEPS, writes("hidden")),
        "patch_embeddings.projection": linear("hidden"),
        "layer.{}.norm1": norm("hidden"),
        "layer.{}.attention.q_proj": linear(_HEADS, "hidden"),
        "layer.{}.attention.v_proj": linear(_HEADS, "hidden"),
        "layer.{}.attention.o_proj": linear("hidden", _HEADS, gate=first),
        "layer.{}.layer_scale1": scale,
        "layer.{}.norm2": norm("hidden"),
        "layer.{}.mlp.fc1": linear("mlp {0}", "hidden"),
        "layer.{}.mlp.gate_proj": linear("mlp {0}", "hidden"),
        "layer.{}.mlp.up_proj": linear("mlp {0}", "hidden"),
        "layer.{}.mlp.fc2": linear("hidden", "mlp {0}", gate=second),
        "layer.{}.mlp.down_proj": linear("hidden", "mlp {0}", gate=second),
        "layer.{}.layer_scale2": scale,
        "layernorm": norm("hidden"),
        "classifier": linear("", "hidden+hidden"),
    }
