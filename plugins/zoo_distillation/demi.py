# ruff: noqa: ARG002 - the contract names what it passes
"""Decomposed mutual information: what a part of a sample tells of the teacher, then what the rest.

Sordoni et al., "Decomposed Mutual Information Estimation for Contrastive Representation Learning",
ICML 2021, arXiv 2106.13401. A contrastive bound cannot exceed log K, K being the batch. By the
chain rule the information of a sample x is that of a part x' and that which x adds to it; each of
the two has a bound, and a ceiling, of its own. The paper contrasts two views of one encoder; here
the second view y is the teacher's vector.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.errors import InputError
from zoo_distillation.memory import UnitLinear
from zoo_distillation.pairing import at_the_end

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zoo.types import Classroom, FeatureShape, Lesson, Pair

Conditional = Literal["importance", "boosted"]


class DecomposedInformation:
    """Raise two bounds on the mutual information of student and teacher.

    Args:
        width: of the embeddings that critics compare.
        temperature: by which their cosines are divided. The default is that of contrastive
            distillation: cosines at 0.07 span 28 nats, so that no batch is beyond them.
        critic: how the rest is told from the part: ``importance`` weighs negatives by how well they
            go with the part; ``boosted`` adds the critic of the rest to that of the part.
    """

    def __init__(
        self, *, width: int = 128, temperature: float = 0.07, critic: Conditional = "importance"
    ) -> None:
        if width < 1:
            raise InputError(f"demi.width must be 1 or more, not {width}.")
        if not 0 < temperature < math.inf:
            raise InputError(f"demi.temperature must be above 0, not {temperature}.")
        if critic not in get_args(Conditional):
            raise InputError(f"demi.critic must be importance or boosted, not {critic!r}.")
        self.width = width
        self.temperature = temperature
        self.boosted = critic == "boosted"

    def pair(
        self, teachers: Sequence[Sequence[FeatureShape]], student: Sequence[FeatureShape]
    ) -> Sequence[Pair]:
        """Compare the vectors at the end."""
        return at_the_end(teachers, student, "demi")

    def check(self, classroom: Classroom) -> Sequence[str]:
        """Accept everything."""
        return ()

    def weights(self, teachers: int) -> Mapping[str, float]:
        """Weigh both bounds alike: they add up to one."""
        return {"part": 1.0, "rest": 1.0}

    def build(self, classroom: Classroom) -> nn.Module:
        """Make two critics."""
        (stage,) = classroom.stages
        return DecomposedBounds(
            stage.student.width,
            stage.teachers[0].width,
            self.width,
            temperature=self.temperature,
            boosted=self.boosted,
        )


class DecomposedBounds(nn.Module):
    """The losses of one batch; see :class:`DecomposedInformation`.

    Args:
        student: D, width of its vectors.
        teacher: D_t, width of the teacher's.
        width: of the embeddings.
        temperature: of the cosines.
        boosted: whether the rest is scored on top of the part.
    """

    def __init__(
        self,
        student: int,
        teacher: int,
        width: int,
        *,
        temperature: float = 0.07,
        boosted: bool = False,
    ) -> None:
        super().__init__()
        self.part = Critic(student, teacher, width, temperature)
        self.rest = Critic(2 * student, teacher, width, temperature)
        self.boosted = boosted

    def forward(self, lesson: Lesson) -> dict[str, Tensor]:
        """Give ``part`` and ``rest``: minus the bounds, in nats."""
        (meeting,) = lesson.meetings
        assert meeting.partial is not None
        teacher = meeting.teachers[0].detach()
        whole = torch.cat([meeting.partial, meeting.student], dim=1)
        part, rest = self.part(meeting.partial, teacher), self.rest(whole, teacher)
        bound = boosted_bound if self.boosted else conditional_bound
        return {"part": -information_bound(part), "rest": -bound(part, rest)}

    def display(self, name: str, value: float, batch: int) -> float:
        """Show how far a bound is below its ceiling, which is at least 0."""
        return value + math.log(batch)


class Critic(nn.Module):
    """Scores of every sample with every target of a batch.

    Args:
        inputs: D, width of the samples.
        targets: D_t, width of the targets.
        width: of both embeddings.
        temperature: of their cosines.
    """

    def __init__(self, inputs: int, targets: int, width: int, temperature: float) -> None:
        super().__init__()
        self.inputs = UnitLinear(inputs, width)
        self.targets = UnitLinear(targets, width)
        self.temperature = temperature

    def forward(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Compare (B, D) with (B, D_t): (B, B), every sample's own target in the first column."""
        return positive_first(self.inputs(inputs) @ self.targets(targets).mT / self.temperature)


def positive_first(scores: Tensor) -> Tensor:
    """Move the diagonal of (B, B) scores to the first column; the others keep their order."""
    size = len(scores)
    others = scores.flatten()[1:].view(size - 1, size + 1)[:, :-1].reshape(size, size - 1)
    return torch.cat([scores.diagonal()[:, None], others], dim=1)


def information_bound(scores: Tensor) -> Tensor:
    """Give the InfoNCE bound on the information of x' and y, at most log K.

    Args:
        scores: (B, K) of a critic, the positive in the first column.
    """
    return (scores[:, 0] - scores.logsumexp(dim=1)).mean() + math.log(scores.shape[1])


def conditional_bound(part: Tensor, rest: Tensor) -> Tensor:
    """Give the importance-sampled bound on the information of x and y given x', at most log K.

    Negatives that go with x' are what y could have been; ordinary ones stand in for them, weighted
    by their scores with it. The weights have no gradient.

    Args:
        part: (B, K) scores of x' with y, the positive in the first column.
        rest: (B, K) scores of x' and x together with y.
    """
    count = part.shape[1]
    log_weights = part[:, 1:].detach().log_softmax(dim=1) + math.log(count - 1)
    others = (log_weights + rest[:, 1:]).logsumexp(dim=1)
    return math.log(count) - functional.softplus(others - rest[:, 0], threshold=40).mean()


def boosted_bound(part: Tensor, rest: Tensor) -> Tensor:
    """Give the bound of a critic of the rest on top of that of the part; see the other one."""
    return information_bound(part.detach() + rest)
