"""GPT-2: a pre-norm decoder with learned positions, so that even its heads can become wider.

Radford et al., "Language Models are Unsupervised Multitask Learners", 2019. Its linear maps are
stored with the inputs first, and one of them gives queries, keys and values at once.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Literal

from zoo.errors import InputError
from zoo.growing.depth import deepened_names, stacked
from zoo.growing.tables import KEEPS, linear, norm, parameter, resolve, writes
from zoo.types.growing import Axis, Blueprint
from zoo_growth.families.encoders import (
    Fields,
    axes_of_layers,
    grown,
    list_path,
    sizes_of,
    tied_head,
    unlike,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.growing.tables import Rules
    from zoo.types.growers import WholeNetwork
    from zoo.types.growing import Deepen, Widen

FIELDS = Fields(hidden="n_embd", heads="n_head", mlp="n_inner", depth="n_layer")
_GROW = (FIELDS.hidden, FIELDS.heads, FIELDS.mlp, FIELDS.depth)
_HEADS = "heads {0}*head {0}"
_TABLE = {
    "wte.weight": parameter(KEEPS, writes("hidden")),
    "wpe.weight": parameter(KEEPS, writes("hidden")),
    "h.{}.attn.c_proj": linear("hidden", _HEADS, transposed=True),
    "h.{}.mlp.c_fc": linear("mlp {0}", "hidden", transposed=True),
    "h.{}.mlp.c_proj": linear("hidden", "mlp {0}", transposed=True),
    "h.{}.ln_1": norm("hidden"),
    "h.{}.ln_2": norm("hidden"),
    "score": linear("", "hidden"),
    "classifier": linear("", "hidden"),
    "qa_outputs": linear("", "hidden"),
}


class Gpt2:
    """Implements :class:`zoo.types.growers.Family`."""

    def grown(self, config: Any, steps: Sequence[Widen | Deepen]) -> Any:
        """Give the larger configuration; its MLP is named where it stops being 4 times as wide."""
        larger = grown(_said(config), steps, FIELDS)
        if config.n_inner is None and larger.n_inner == 4 * larger.n_embd:
            larger.n_inner = None
        return larger

    def blueprint(
        self, network: WholeNetwork, config: Any, *, place: Literal["end", "between"] = "end"
    ) -> Blueprint:
        """Say how every parameter grows."""
        old, new = _said(network.config), _said(config)
        unlike(old, new, _GROW, may=("layer_norm_epsilon",))
        if old.add_cross_attention:
            raise InputError(
                "this GPT-2 attends to another network, and Zoo grows those that stand alone.",
                "Grow a checkpoint whose config.json has no add_cross_attention.",
            )
        layers = stacked(
            list_path(network.module, "h"),
            old.n_layer,
            new.n_layer,
            place=place,
            silent=("attn.c_proj", "mlp.c_proj"),
            why=_WHY if old.scale_attn_by_inverse_layer_idx and place == "between" else "",
        )
        hidden = Axis(name="hidden", old=old.n_embd, new=new.n_embd, repetition="average")
        axes = {"hidden": hidden, **axes_of_layers(FIELDS, old, new)}
        tied = tied_head(network.module)
        table = _TABLE | {"h.{}.attn.c_attn": _queries_keys_values(old, new)}
        table["ln_f"] = norm("hidden", tied=tied)
        if not tied:
            table["lm_head"] = linear("", "hidden")
        names = deepened_names(network.module.state_dict(), (layers,))
        return Blueprint(
            axes=axes,
            rules=resolve(table, names, axes),
            stacks=(layers,),
            epsilon=(("layer_norm_epsilon", "hidden"),),
            outputs={"last_hidden_state": (-1, "hidden")},
        )


_WHY = "the scores of a layer depend on its number, and layers between the old ones change it"


def _said(config: Any) -> Any:
    """Name the width of the MLP, which the configuration may leave out."""
    said = copy.deepcopy(config)
    said.n_inner = config.n_inner or 4 * config.n_embd
    return said


def _queries_keys_values(old: Any, new: Any) -> Rules:
    """One map writes all three; of them the keys share where heads become wider."""
    before, after = sizes_of(old, FIELDS)["head"], sizes_of(new, FIELDS)["head"]
    factor = (after / before) ** 0.5 if old.scale_attn_weights else 1.0
    layout = "+".join([_HEADS] * 3)
    return linear(layout, "hidden", shared="head {0}", factor=factor, part=1, transposed=True)
