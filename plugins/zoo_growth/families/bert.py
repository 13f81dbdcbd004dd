"""BERT and what is built like it: post-norm encoders of text.

Devlin et al., NAACL 2019 (arXiv 1810.04805); Liu et al., 2019 (arXiv 1907.11692); Clark et al.,
ICLR 2020 (arXiv 2003.10555).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from zoo.errors import InputError
from zoo.growing.depth import deepened_names
from zoo.growing.sizes import check_size
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

FIELDS = Fields(
    hidden="hidden_size",
    heads="num_attention_heads",
    mlp="intermediate_size",
    depth="num_hidden_layers",
)
_GROW = (FIELDS.hidden, FIELDS.heads, FIELDS.mlp, FIELDS.depth)
_HEADS = "heads {0}*head {0}"


class Bert:
    """Implements :class:`zoo.types.growers.Family`."""

    def grown(self, config: Any, steps: Sequence[Widen | Deepen]) -> Any:
        """Give the larger configuration."""
        larger = grown(config, steps, FIELDS)
        if _embedded(config) == config.hidden_size and hasattr(config, "embedding_size"):
            larger.embedding_size = larger.hidden_size
        return larger

    def blueprint(
        self, network: WholeNetwork, config: Any, *, place: Literal["end", "between"] = "end"
    ) -> Blueprint:
        """Say how every parameter grows."""
        old, new, module = network.config, config, network.module
        unlike(old, new, _GROW, may=("embedding_size",))
        _check(old, new)
        layers = post_norm.layers(
            list_path(module, "encoder.layer"),
            old.num_hidden_layers,
            new.num_hidden_layers,
            place=place,
            silent=("attention.output.dense", "output.dense"),
            norms=("attention.output.LayerNorm",),
            last_norm="output.LayerNorm",
            epsilon=old.layer_norm_eps,
        )
        axes = {
            "hidden": post_norm.stream("hidden", old.hidden_size, new.hidden_size),
            "pooled": Axis(name="pooled", old=old.hidden_size, new=new.hidden_size),
            **axes_of_layers(FIELDS, old, new),
        }
        if _embedded(old) != old.hidden_size:
            axes["embedding"] = post_norm.stream("embedding", _embedded(old), _embedded(new))
        names = deepened_names(module.state_dict(), (layers,))
        pooled = any(".pooler.dense." in f".{name}" for name in names)
        table = {
            "layer.{}.attention.self.key": keys(_HEADS, "hidden", FIELDS, old, new),
            **_embeddings(old, tied=tied_head(module)),
            **_table(pooled=pooled),
        }
        return Blueprint(
            axes=axes,
            rules=resolve(table, names, axes),
            stacks=(layers,),
            outputs={"last_hidden_state": (-1, "hidden"), "pooler_output": (-1, "pooled")},
        )


def _table(*, pooled: bool) -> Mapping[str, Rules]:
    """Rules of the layers and of most heads.

    Args:
        pooled: the network has a pooler, and its classifier reads that.
    """
    return {
        "layer.{}.attention.self.query": linear(_HEADS, "hidden"),
        "layer.{}.attention.self.value": linear(_HEADS, "hidden"),
        "layer.{}.attention.output.dense": linear("hidden", _HEADS),
        "layer.{}.intermediate.dense": linear("mlp {0}", "hidden"),
        "layer.{}.output.dense": linear("hidden", "mlp {0}"),
        "LayerNorm": norm("hidden"),
        "pooler.dense": linear("pooled", "hidden"),
        "classifier.dense": linear("pooled", "hidden"),
        "classifier.out_proj": linear("", "pooled"),
        "classifier": linear("", "pooled" if pooled else "hidden"),
        "cls.seq_relationship": linear("", "pooled"),
        "qa_outputs": linear("", "hidden"),
        "discriminator_predictions.dense": linear("pooled", "hidden"),
        "discriminator_predictions.dense_prediction": linear("", "pooled"),
    }


def _embeddings(config: Any, *, tied: bool) -> Mapping[str, Rules]:
    """Rules of the tables, and of the heads that name tokens by them."""
    of = "embedding" if _embedded(config) != config.hidden_size else "hidden"
    heads = {
        "cls.predictions.decoder": linear("", "hidden"),
        "lm_head.decoder": linear("", "hidden"),
        "generator_lm_head": linear("", of),
    }
    return {
        **({} if tied else heads),
        "embeddings.word_embeddings.weight": parameter(KEEPS, writes(of)),
        "embeddings.position_embeddings.weight": parameter(KEEPS, writes(of)),
        "embeddings.token_type_embeddings.weight": parameter(KEEPS, writes(of)),
        "embeddings.LayerNorm": norm(of),
        "embeddings_project": linear("hidden", of),
        "cls.predictions.transform.dense": linear("hidden", "hidden"),
        "cls.predictions.transform.LayerNorm": norm("hidden", tied=tied),
        "lm_head.dense": linear("hidden", "hidden"),
        "lm_head.layer_norm": norm("hidden", tied=tied),
        "generator_predictions.dense": linear(of, "hidden"),
        "generator_predictions.LayerNorm": norm(of, tied=tied),
    }


def _embedded(config: Any) -> int:
    """Width of the embeddings, which ELECTRA may project to the stream."""
    return int(getattr(config, "embedding_size", config.hidden_size))


def _check(old: Any, new: Any) -> None:
    """Refuse what there are no rules for.

    Raises:
        InputError: what that is.
    """
    if getattr(old, "add_cross_attention", False):
        raise InputError(
            "this network attends to the answers of an encoder, whose sizes it must keep.",
            "Grow an encoder: a checkpoint without add_cross_attention in its config.json.",
        )
    check_size("embedding size", _embedded(new), _embedded(old))
    apart = _embedded(old) != old.hidden_size
    if apart != (_embedded(new) != new.hidden_size):
        raise InputError(
            f"with a hidden size of {new.hidden_size} the embeddings of width {_embedded(new)} "
            + ("would no longer be projected." if apart else "would be projected."),
            "Name another hidden size." if apart else "Make embedding_size the hidden size.",
        )
