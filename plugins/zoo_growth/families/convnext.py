"""ConvNeXt and ConvNeXt V2: layer norms whose epsilon is in the code, so whole copies alone.

Liu et al., CVPR 2022 (arXiv 2201.03545); Woo et al., CVPR 2023 (arXiv 2301.00808). With k whole
copies the means of a norm, and of V2's response norm, are what they were.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from zoo.growing.depth import stacked
from zoo.growing.sizes import check_size
from zoo.growing.tables import KEEPS, depthwise, linear, norm, parameter, writes
from zoo_growth.families.convolutional import check_alike, drawn_up, grown_stages, imagined
from zoo_growth.families.encoders import list_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.growing.tables import Rules
    from zoo.types.growers import WholeNetwork
    from zoo.types.growing import Blueprint, Deepen, Widen

_WHY = (
    "its layer norms see all channels and their epsilon is in the code, so only whole copies keep "
    "the function: 2x, 3x ..."
)


class ConvNext:
    """Implements :class:`zoo.types.growers.Family`."""

    def grown(self, config: Any, steps: Sequence[Widen | Deepen]) -> Any:
        """Give the larger configuration."""
        return grown_stages(config, steps, "a ConvNeXt")

    def blueprint(
        self, network: WholeNetwork, config: Any, *, place: Literal["end", "between"] = "end"
    ) -> Blueprint:
        """Say how every parameter grows."""
        check_alike(network.config, config, (), ("hidden_sizes", "depths"))
        table: dict[str, Rules] = {"embeddings.patch_embeddings": linear("stage 1")}
        table |= {
            "embeddings.layernorm": norm("stage 1"),
            "hidden_states_norms.stem": norm("stage 1"),
        }
        for number, depth in enumerate(config.depths):
            table |= _stage(number, depth)
        last = f"stage {len(config.depths)}"
        table |= {"layernorm": norm(last), "classifier": linear("", last)}
        responding = config.model_type == "convnextv2"
        scaled = not responding and config.layer_scale_init_value > 0
        path = list_path(network.module, "stages")
        stacks = []
        for number, (old, new) in enumerate(zip(network.config.depths, config.depths, strict=True)):
            check_size(f"number of blocks of stage {number + 1}", new, old)
            silent = ("layer_scale_parameter",) if scaled else ("pwconv2",)
            where = f"{path}.{number}.layers"
            stacks.append(stacked(where, old, new, place=place, silent=silent))
        return drawn_up(
            network,
            imagined(network, config),
            table,
            stacks=tuple(stacks),
            whole=_WHY,
            only_whole=("stage", "mlp") if responding else ("stage",),
            features=last,
        )


def _stage(number: int, depth: int) -> dict[str, Rules]:
    """Downsampling, and blocks that read the stream behind a norm."""
    axis, before = f"stage {number + 1}", f"stage {number}"
    path = f"stages.{number}"
    table: dict[str, Rules] = {f"hidden_states_norms.stage{number + 1}": norm(axis)}
    if number:
        table[f"{path}.downsampling_layer.0"] = norm(before)
        table[f"{path}.downsampling_layer.1"] = linear(axis, before)
    for block in range(depth):
        mlp, inside = f"mlp {number}.{block}", f"{path}.layers.{block}"
        table |= {
            f"{inside}.dwconv": depthwise(axis),
            f"{inside}.layernorm": norm(axis),
            f"{inside}.pwconv1": linear(mlp, axis),
            f"{inside}.grn.weight": parameter(KEEPS, KEEPS, KEEPS, writes(mlp)),
            f"{inside}.grn.bias": parameter(KEEPS, KEEPS, KEEPS, writes(mlp)),
            f"{inside}.pwconv2": linear(axis, mlp),
            f"{inside}.layer_scale_parameter": parameter(writes(axis)),
        }
    return table
