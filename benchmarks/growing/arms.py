"""Who is compared: how each larger network starts, how long it learns, and at which rate."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import torch
from bare_engines import find_checkpoint

from zoo.api import open_catalogue
from zoo.growing.prepared import family_of
from zoo.growing.proof import compare
from zoo.growing.work import carry_out, draw
from zoo.settings import Settings
from zoo.types.growing import Deepen
from zoo.types.runtimes import RuntimeOptions
from zoo_runtimes.torch_runtime import TorchRuntime

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from zoo.growing.work import Drawing, Grown
    from zoo.types.growers import WholeNetwork
    from zoo.types.growing import Widen

GROWER = "net2net"


@dataclass(frozen=True, kw_only=True)
class Arm:
    """A way to get a larger network.

    Attributes:
        start: of its weights.
        rate_of: arm whose peak rate it has; they are chosen for those that name themselves.
        rate: multiplies it.
        length: of the training, as a multiple of the task's steps; with ``total`` as many more as
            cost what the small network did.
    """

    start: Literal["small", "grown", "padded", "scratch"]
    rate_of: str
    rate: float = 1.0
    length: float = 1.0
    total: bool = False


SMALL = "small"
ARMS = {
    SMALL: Arm(start="small", rate_of=SMALL),
    "grown": Arm(start="grown", rate_of="grown"),
    "grown, rate / 10": Arm(start="grown", rate_of=SMALL, rate=0.1),
    "grown, a third of the steps": Arm(start="grown", rate_of="grown", length=1 / 3),
    "padded": Arm(start="padded", rate_of="padded"),
    "scratch": Arm(start="scratch", rate_of="scratch"),
    "scratch, a third of the steps": Arm(start="scratch", rate_of="scratch", length=1 / 3),
    "scratch, total compute": Arm(start="scratch", rate_of="scratch", total=True),
}


@cache
def catalogue() -> Any:
    """Everything that is installed."""
    return open_catalogue(Settings(offline=True))


def open_small(folder: Path, home: Path, kind: str, device: str = "cpu") -> WholeNetwork:
    """Open a checkpoint as ``zoo grow`` does."""
    options = RuntimeOptions(device=device, extras={"modality": kind})
    return TorchRuntime().open_whole(find_checkpoint(str(folder), str(home)), options)


def plan(network: WholeNetwork, steps: Sequence[Widen | Deepen], seed: int) -> Drawing:
    """Settle how a network grows."""
    _, family = family_of(network.config, catalogue(), "the small network")
    grower = catalogue().create("grower", GROWER, {})
    wanted = family.grown(network.config, steps)
    places = [each.place for each in steps if isinstance(each, Deepen)]
    place = places[-1] if places else "end"
    return draw(network, family, grower, wanted, seed=seed, place=place)


def grow(network: WholeNetwork, drawing: Drawing, seed: int) -> Grown:
    """Make the larger network."""
    return carry_out(network, drawing, catalogue().create("grower", GROWER, {}), seed=seed)


def fresh(network: WholeNetwork, drawing: Drawing, seed: int) -> Any:
    """Give a larger network of random weights, as its class draws them."""
    torch.manual_seed(seed)
    return type(network.module)(drawing.config)


@torch.no_grad()
def pad(larger: Any, small: Mapping[str, torch.Tensor]) -> Any:
    """Copy a small network into the corner of a larger one, whose other weights stay random."""
    for name, target in larger.state_dict().items():
        if name in small:
            value = small[name].to(target.device)
            target[tuple(slice(size) for size in value.shape)] = value
    return larger


def start(
    arm: Arm, small: WholeNetwork, drawing: Drawing, seed: int, inputs: Mapping[str, torch.Tensor]
) -> tuple[Any, float | None]:
    """Make a larger network.

    Args:
        arm: in which way.
        small: trained.
        drawing: how it grows.
        seed: of what is drawn.
        inputs: real ones, on which the two are compared.

    Returns:
        The network, and where it is grown the largest difference of any logit to the small one.
    """
    if arm.start == "grown":
        made = grow(small, drawing, seed)
        found = compare(small, made.network, drawing, inputs, "fp32")
        return made.network.module, found.largest
    larger = fresh(small, drawing, seed)
    if arm.start == "padded":
        pad(larger, small.module.state_dict())
    return larger, None
