"""One distiller among made-up networks, in every situation that its spec allows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from zoo.testing.classrooms import Study, without
from zoo.testing.findings import Found, promised, stopped, under
from zoo.testing.modules import (
    absent,
    built,
    copy_through_a_file,
    learn,
    losses_of,
    made,
    misshown,
    no_losses,
    one_step,
    otherwise,
    same,
    step,
    touched,
    unnamed,
    unreached,
    weights_of,
)
from zoo.testing.promises import BrokenPromiseError, asking, sentences

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from torch import Tensor, nn

    from zoo.testing.classrooms import Drawn
    from zoo.testing.lessons import Networks
    from zoo.types.distilling import Distiller
    from zoo.types.specs import DistillerSpec
    from zoo.types.training import FeatureShape, Stage

#: Shares of a training that are tried: some methods search at first, and only imitate later.
PROGRESS = (0.05, 0.5, 1.0)
#: Further steps, for methods that look at one part of themselves after the other.
_LATER = 8 * PROGRESS[:1]
#: Samples beyond the smallest batch with which a method is tried, too.
MORE = 6
_WORDS: dict[str, str] = {
    "logits": "teachers' logits",
    "labels": "labels",
    "partial_view": "a partial view",
    "student_again": "further passes of the student",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Distillation:
    """One method among some networks.

    Attributes:
        first: they are the first that it has not refused: nothing is left out.
    """

    spec: DistillerSpec
    method: Distiller
    networks: Networks
    stages: tuple[Stage, ...]
    watched: tuple[FeatureShape, ...]
    first: bool = True

    def found(self) -> Iterator[Found]:
        """Say what is wrong; what is built on it is not asked then."""
        study = self._study(self.spec.smallest_batch + MORE)
        with promised("losses"):
            weights = self._weights()
        with promised("smallest-batch"):
            self._accept(study)
        with promised("build"):
            module = made(
                lambda: self.method.build(study.classroom()),
                lambda: self.method.build(study.classroom(planned=True)),
            )
        yield Found("build")
        for part in (
            self._course(module, study, weights),
            *(self._elsewhere(*each, weights) for each in self._other_studies(study)),
            *((self._unread(study), self._resumed(study)) if self.first else ()),
        ):
            found = list(part)
            yield from found
            if stopped(found, self.spec.expected_failures):
                return

    def losses_and_gradients(self) -> dict[str, Any]:
        """Go one step with everything that it reads, as a training does."""
        study = self._study(self.spec.smallest_batch + MORE)
        return one_step(lambda: self.method.build(study.classroom()), study.lesson().lesson)

    def _study(self, batch: int) -> Study:
        """Give everything that the spec names, and nothing else."""
        given = frozenset({*self.spec.needs, *self.spec.wants})
        return Study(
            networks=self.networks,
            stages=self.stages,
            watched=self.watched,
            given=given,
            head=self.spec.teaches_logits or bool(given & {"logits", "labels"}),
            batch=batch,
        )

    def _other_studies(self, full: Study) -> Iterator[tuple[str, Study, str, bool]]:
        """List situations: the check, who knows what, words for it, whether any label is known."""
        if self.first and self.spec.reads("labels"):
            yield "unknown-labels", full, "where no label of a batch is known", False
        smallest = self.spec.smallest_batch
        yield "smallest-batch", full.sized(smallest), f"with smallest_batch, {smallest}", True
        if not self.first:
            return
        optional = [each for each in self.spec.wants if each not in self.spec.needs]
        if optional:
            words = " and ".join(_WORDS[each] for each in optional)
            words = f"without {words}, which it only wants"
            yield "only-wanted", without(full, optional), words, True
        if "logits" in optional and self.networks.count > 1:
            words = "where one teacher has no logits, which it only wants"
            yield "only-wanted", replace(full, headless=(0,)), words, True

    def _accept(self, study: Study) -> None:
        classroom = study.classroom()
        with asking("check"):
            said = sentences(self.method.check(classroom))
        if said:
            raise BrokenPromiseError(
                f"check refuses a batch of {study.batch} of {classroom.samples} samples with "
                f"{classroom.classes} classes, and its smallest_batch is "
                f"{self.spec.smallest_batch}: {said[0].rstrip('.')}"
            )

    def _weights(self) -> dict[str, float]:
        weights = weights_of(lambda: self.method.weights(self.networks.count))
        if self.spec.soft and weights:
            raise BrokenPromiseError(
                "its spec says soft, that the soft targets are its loss, and it has losses of its "
                f"own: {', '.join(weights)}"
            )
        if not self.spec.soft and not weights:
            raise BrokenPromiseError(
                "it has no losses, and its spec does not say soft, that the soft targets are its "
                "loss"
            )
        return weights

    def _built(self, study: Study, seed: int = 0) -> nn.Module:
        module: nn.Module = built(lambda: self.method.build(study.classroom()), seed)
        return module

    def _course(
        self, module: nn.Module, study: Study, weights: dict[str, float]
    ) -> Iterator[Found]:
        """Run the module at several shares of a training."""
        given: set[str] = set()
        reached: set[str] = set()
        left = {name for name, each in module.named_parameters() if each.requires_grad}
        for number, progress in enumerate((*PROGRESS, *_LATER)):
            if number >= len(PROGRESS) and not left:
                break
            drawn = study.lesson(progress=progress)
            with promised("losses"):
                losses = self._losses(module, study, drawn)
                wrong = [*unnamed(losses, weights), *no_losses(losses)]
                wrong = wrong or list(misshown(module, losses, study.batch))
            yield from under("losses", wrong)
            if wrong:
                return
            with promised("gradients"):
                learn(module, losses)
            wrong = list(touched(drawn.lesson, study.lesson(progress=progress).lesson))
            yield from under("untouched-input", wrong)
            if wrong:
                return
            given |= losses.keys()
            reached |= drawn.reached()
            left &= set(unreached(module))
        yield from under("losses", absent(given, weights))
        missed = [f"no gradient reaches its parameter {each!r}" for each in sorted(left)]
        yield from under("gradients", (*self._unreached(reached), *missed))

    def _losses(self, module: nn.Module, study: Study, drawn: Drawn) -> dict[str, Tensor]:
        """Run the module; if it raises, find out whether it lacks what its spec does not name."""
        try:
            return losses_of(module, drawn.lesson)
        except BrokenPromiseError as broken:
            for each, words in _WORDS.items():
                if self.spec.reads(each):  # type: ignore[arg-type]
                    continue
                try:
                    self._untrained(_with(study, [each]))
                except BrokenPromiseError:
                    continue
                said = f"forward reads {words}, and neither needs nor wants of its spec says so"
                with promised("declared-knowledge"):
                    raise BrokenPromiseError(f"{said}: {broken}") from broken
            raise

    def _unreached(self, reached: set[str]) -> Iterator[str]:
        if self.spec.soft:
            return
        if self.spec.teaches_logits and "logits" not in reached:
            yield ("its spec says teaches_logits, and no gradient reaches the student's logits")
        taps = {each.student.tap for each in self.stages} | {each.tap for each in self.watched}
        if taps and not taps & reached:
            yield "no gradient reaches the student's features"
        if not taps and not self.spec.teaches_logits:
            yield "without pairs and without teaches_logits in its spec it teaches nothing"

    def _elsewhere(
        self, check: str, study: Study, words: str, known: bool, weights: dict[str, float]
    ) -> Iterator[Found]:
        """Run the module once in another situation."""
        yield from under(check, self._odd(study, words, known, weights))

    def _odd(
        self, study: Study, words: str, known: bool, weights: dict[str, float]
    ) -> Iterator[str]:
        with promised("smallest-batch"):
            self._accept(study)
        module = self._built(study)
        for progress in PROGRESS[:2]:
            drawn = study.lesson(progress=progress, known=known)
            losses = losses_of(module, drawn.lesson, f"forward {words},")
            for wrong in (*unnamed(losses, weights), *no_losses(losses)):
                yield f"{wrong} {words}"
                return
            learn(module, losses)

    def _unread(self, study: Study) -> Iterator[Found]:
        yield from under("declared-knowledge", self._cheated(study))

    def _cheated(self, study: Study) -> Iterator[str]:
        """Give labels and logits to whoever does not read them: nothing may change."""
        unread = [each for each in ("labels", "logits") if each not in study.given]
        plain = self._untrained(study)
        # One comparison for both, as nearly nobody cheats.
        if _alike(plain, self._untrained(_with(study, unread))):
            return
        for each in unread:
            if not _alike(plain, self._untrained(_with(study, [each]))):
                yield (
                    f"{_WORDS[each]} change its losses, and neither needs nor wants of its spec "
                    "says that it reads them"
                )

    def _untrained(self, study: Study) -> dict[str, Tensor]:
        return losses_of(self._built(study), study.lesson().lesson)

    def _resumed(self, study: Study) -> Iterator[Found]:
        yield from under("resumable", self._forgotten(study))

    def _forgotten(self, study: Study) -> Iterator[str]:
        """Go two steps, save, and take the third one with another module that has loaded it."""
        module = self._built(study)
        for seed in (1, 2):
            learn(module, losses_of(module, study.lesson(seed=seed, progress=PROGRESS[0]).lesson))
            step(module)
        for progress in PROGRESS[:2]:
            fresh = self._built(study, seed=1)
            copy_through_a_file(module, fresh)
            found = list(otherwise(module, fresh, study.lesson(seed=3, progress=progress).lesson))
            yield from found
            if found:
                return


def _with(study: Study, knowledge: Collection[str]) -> Study:
    """Let them know more, which takes a head."""
    return replace(study, given=study.given.union(knowledge), head=True)


def _alike(first: dict[str, Any], second: dict[str, Any]) -> bool:
    return first.keys() == second.keys() and all(same(first[name], second[name]) for name in first)
