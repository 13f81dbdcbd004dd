"""Which broken promises of a method are found, and in which words."""

from __future__ import annotations

import random

import pytest
import torch
from torch import nn

from zoo.errors import InputError
from zoo.testing.amalgamators import KIT, check_amalgamator
from zoo.testing.kit import Trial, run_check
from zoo.testing.lessons import draw_lesson, every_kind
from zoo.types import AmalgamatorSpec


def spec_of(**promises):
    return AmalgamatorSpec(name="gap", target=f"{__name__}:Gap", summary="", **promises)


class Gaps(nn.Module):
    def __init__(self, stages):
        super().__init__()
        self.maps = nn.ModuleList(
            nn.Linear(stage.student.width, teacher.width)
            for stage in stages
            for teacher in stage.teachers
        )

    def forward(self, lesson):
        pairs = [(each.student, one) for each in lesson.meetings for one in each.teachers]
        gaps = [
            (to(student.movedim(1, -1)) - teacher.movedim(1, -1)).square().mean()
            for to, (student, teacher) in zip(self.maps, pairs, strict=True)
        ]
        return {"gap": torch.stack(gaps).sum()}


class Gap:
    """A good one; the others break one promise each."""

    module = Gaps

    def __init__(self, *, stages: int = 2):
        self.stages = stages

    def pair(self, teachers, student):
        return [
            (student[-depth].tap, tuple(each[-depth].tap for each in teachers))
            for depth in range(self.stages, 0, -1)
        ]

    def check(self, stages, batch):
        return []

    def weights(self, teachers):
        return {"gap": 1.0}

    def build(self, stages):
        return self.module(stages)


def with_module(**methods):
    """A method whose module has other methods."""
    return type("Other", (Gap,), {"module": type("Module", (Gaps,), methods)})()


def with_methods(**methods):
    return type("Other", (Gap,), methods)()


def with_loss(change):
    return with_module(forward=lambda self, lesson: change(Gaps.forward(self, lesson)["gap"]))


def the_sentence(method, **promises):
    (sentence,) = check_amalgamator(spec_of(**promises), method)
    assert sentence.startswith("gap: ")
    assert sentence.endswith(".")
    assert ".." not in sentence
    return sentence


def test_a_method_that_keeps_its_promises_passes():
    assert check_amalgamator(spec_of()) == []
    assert check_amalgamator(spec_of(soft=False), Gap(stages=3)) == []


def test_networks_that_a_method_refuses_are_left_out_unless_it_refuses_all():
    def pair(self, teachers, student):
        if len(teachers) > 1:
            raise InputError("one teacher alone.")
        return Gap.pair(self, teachers, student)

    def never(self, teachers, student):
        raise InputError("no networks have what it wants.")

    assert check_amalgamator(spec_of(), with_methods(pair=pair)) == []
    assert "no networks have what it wants." in the_sentence(with_methods(pair=never))


def test_what_lacks_a_method_or_cannot_be_made_is_said():
    assert the_sentence(object()) == "gap: it lacks pair, check, weights, build."
    spec = AmalgamatorSpec(name="gap", target=f"{__name__}:Absent", summary="")
    (sentence,) = check_amalgamator(spec)
    assert sentence.startswith("gap: making it with its default options raises PluginError")


@pytest.mark.parametrize(
    ("methods", "words"),
    [
        ({"pair": lambda *_: 1 / 0}, "pair raises ZeroDivisionError"),
        ({"pair": lambda *_: [("nowhere", ("block.0",))]}, "pair gives [('nowhere'"),
        ({"pair": lambda *_: []}, "pair gives no pairs, and its spec says that it reads features"),
        ({"check": lambda *_: "fine"}, "check must give a list of sentences, and gives 'fine'"),
        ({"check": lambda *_: ["No."]}, "check refuses a batch of 6, and its smallest_batch is 1"),
        ({"weights": lambda *_: {"soft": 1.0}}, "a loss is called 'soft'"),
        ({"weights": lambda *_: {"gap": -1.0}}, "the weight of 'gap' must be 0 or more"),
        ({"weights": lambda *_: {"gap": float("nan")}}, "the weight of 'gap' must be 0 or more"),
        ({"weights": lambda *_: {}}, "weights must name every loss, and does not name 'gap'"),
        ({"weights": lambda *_: {"gap": 1, "more": 1}}, "weights names 'more', and forward gives"),
        ({"build": lambda *_: None}, "build must give a torch module, and gives None"),
    ],
)
def test_what_is_wrong_with_a_method_is_one_sentence(methods, words):
    assert words in the_sentence(with_methods(**methods))


def test_build_may_not_look_at_its_weights_and_draws_from_the_seed():
    def looks(self, stages):
        module = Gaps(stages)
        assert module.maps[0].bias[0].item() < 1e9
        return module

    def draws(self, stages):
        module = Gaps(stages)
        module.maps[0].weight.data.mul_(random.random())
        return module

    assert "where parameters are only counted" in the_sentence(with_methods(build=looks))
    assert "one seed, two modules" in the_sentence(with_methods(build=draws))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda gap: gap.expand(3), "the loss 'gap' must be one number, and has the shape (3,)"),
        (lambda gap: gap * float("nan"), "the loss 'gap' must be finite, and is nan"),
        (lambda gap: gap.item(), "the loss 'gap' must be a tensor, and is float"),
        (lambda gap: gap.detach(), "the loss 'gap' has no gradient"),
    ],
)
def test_a_loss_that_is_none_is_named(change, words):
    method = with_loss(lambda gap: {"gap": change(gap)})
    assert words in the_sentence(method)


def test_losses_come_by_name():
    assert "forward must give losses by name" in the_sentence(with_loss(lambda gap: gap))


def test_gradients_reach_the_student_and_every_parameter():
    def constant(self, lesson):
        return {"gap": sum(each.weight.square().sum() + each.bias.sum() for each in self.maps)}

    def half(self, lesson):
        return {"gap": self.maps[0](lesson.meetings[0].student.movedim(1, -1)).mean()}

    found = check_amalgamator(spec_of(), with_module(forward=constant))
    assert "no gradient reaches the student's features at stage 1." in found[0]
    found = check_amalgamator(spec_of(), with_module(forward=half))
    assert any("no gradient reaches its parameter 'maps.1.weight'" in each for each in found)


def test_teachers_are_left_as_they_are():
    def writes(self, lesson):
        lesson.meetings[0].teachers[0].mul_(2)
        return Gaps.forward(self, lesson)

    def asks(self, lesson):
        lesson.meetings[0].teachers[0].requires_grad_()
        return Gaps.forward(self, lesson)

    assert "changes the teachers' features in place" in the_sentence(with_module(forward=writes))
    assert "must have no gradient" in the_sentence(with_module(forward=asks))


def test_the_smallest_batch_has_to_work():
    class Normalised(Gaps):
        def __init__(self, stages):
            super().__init__(stages)
            self.norm = nn.BatchNorm1d(6)

        def forward(self, lesson):
            student = lesson.meetings[-1].student.flatten(2).mean(-1)
            return {"gap": Gaps.forward(self, lesson)["gap"] + self.norm(student).square().mean()}

    class Batched(Gap):
        module = Normalised

        def pair(self, teachers, student):
            if student[0].grid is None:
                raise InputError("maps alone.")
            return super().pair(teachers, student)

    sentence = the_sentence(Batched())
    assert "forward raises ValueError: Expected more than 1 value per channel" in sentence
    assert check_amalgamator(spec_of(smallest_batch=2, advised_batch=8), Batched()) == []
    assert "must rise from 1, and are 4 and 1" in the_sentence(Gap(), smallest_batch=4)


def test_a_method_cannot_refuse_its_own_smallest_batch():
    method = with_methods(check=lambda self, stages, batch: ["Too few."] * (batch < 4))
    assert "check refuses a batch of 2" in the_sentence(method, smallest_batch=2, advised_batch=4)
    assert check_amalgamator(spec_of(smallest_batch=4, advised_batch=4), method) == []


def test_display_gives_numbers():
    good = with_module(display=lambda self, name, value, batch: value / batch)
    assert check_amalgamator(spec_of(), good) == []
    bad = with_module(display=lambda self, name, value, batch: "much")
    assert "display must give a finite number, and gives 'much'" in the_sentence(bad)


def test_what_a_module_learns_has_to_be_saved():
    def forgets(self, lesson):
        self.seen = getattr(self, "seen", 0) + 1
        return {"gap": Gaps.forward(self, lesson)["gap"] * self.seen}

    def remembers(self, lesson):
        self.seen = self.seen + 1
        return {"gap": Gaps.forward(self, lesson)["gap"] * self.seen}

    def init(self, stages):
        Gaps.__init__(self, stages)
        self.register_buffer("seen", torch.zeros(()))

    assert "another one after saving and loading" in the_sentence(with_module(forward=forgets))
    assert check_amalgamator(spec_of(), with_module(__init__=init, forward=remembers)) == []


def test_a_method_of_logits_alone_may_have_losses_or_leave_all_to_the_soft_targets():
    class Louder(nn.Module):
        def forward(self, lesson):
            teachers = torch.cat(lesson.teacher_logits, 1)
            return {"gap": (lesson.student_logits - teachers).square().mean()}

    losses = with_methods(build=lambda self, stages: Louder())
    assert check_amalgamator(spec_of(features=False, soft=False), losses) == []

    class Nothing(nn.Module):
        def forward(self, lesson):
            return {}

    nothing = with_methods(weights=lambda *_: {}, build=lambda self, stages: Nothing())
    assert check_amalgamator(spec_of(features=False), nothing) == []
    sentence = the_sentence(nothing, features=False, soft=False)
    assert "it has no losses, and its spec says that it has no soft targets" in sentence


def test_who_reads_features_alone_gets_teachers_without_heads():
    def needs_logits(self, lesson):
        return {"gap": Gaps.forward(self, lesson)["gap"] + lesson.student_logits.mean()}

    assert check_amalgamator(spec_of(), with_module(forward=needs_logits)) == []
    assert "forward raises" in the_sentence(with_module(forward=needs_logits), soft=False)


def test_a_check_leaves_the_random_numbers_of_its_caller_alone():
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    check_amalgamator(spec_of())
    assert torch.equal(torch.rand(3), expected)


def test_an_ensemble_needs_nothing_but_to_be_made():
    assert check_amalgamator(spec_of(kind="ensemble"), object()) == []


def test_made_up_networks_are_of_every_kind():
    kinds = every_kind()
    assert {each.count for each in kinds} == {1, 2, 3}
    assert "2 teachers of tokens" in map(str, kinds)
    assert all(len(each.teachers) == each.count for each in kinds)
    unlike = next(each for each in kinds if str(each) == "2 teachers of unlike maps")
    assert unlike.teachers[0][0].grid != unlike.teachers[1][0].grid


def test_a_lesson_is_drawn_anew_for_every_seed_and_equal_for_equal_ones():
    first, again, other = (draw_lesson([], teachers=2, batch=3, seed=each) for each in (0, 0, 1))
    assert first.student_logits.shape == (3, 7)
    assert torch.equal(first.student_logits, again.student_logits)
    assert not torch.equal(first.student_logits, other.student_logits)
    assert draw_lesson([], teachers=2, heads=False).teacher_logits == (None, None)


def writes_over(self, lesson):
    lesson.meetings[0].teachers[0].mul_(2)
    return Gaps.forward(self, lesson)


def looks_away(self, lesson):
    return {"gap": sum(each.weight.square().sum() + each.bias.sum() for each in self.maps)}


def counts(self, lesson):
    self.seen = getattr(self, "seen", 0) + 1
    return {"gap": Gaps.forward(self, lesson)["gap"] * self.seen}


FAULTS = {
    "methods": object(),
    "pairs": with_methods(pair=lambda *_: 1 / 0),
    "smallest-batch": with_methods(check=lambda *_: ["No."]),
    "build": with_methods(build=lambda *_: exit()),
    "losses": with_methods(weights=lambda *_: {}),
    "gradients": with_module(forward=looks_away),
    "untouched-input": with_module(forward=writes_over),
    "resumable": with_module(forward=counts),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_under_the_name_of_its_check(checks_that_fail, name):
    assert checks_that_fail("amalgamator", AmalgamatorSpec, FAULTS[name]) == [name]


def test_a_check_that_was_not_reached_is_not_tried_rather_than_kept():
    spec = AmalgamatorSpec(name="gap", target=f"{__name__}:Loud", summary="")
    outcomes = {
        each.name: run_check(each, Trial(noun="amalgamator", spec=spec))
        for each in KIT.checks
        if each.name in FAULTS
    }
    assert outcomes["losses"].problems
    assert "'losses' is broken" in outcomes["resumable"].not_tried
    assert not outcomes["build"].not_tried


def test_a_trial_goes_on_after_a_fault_that_is_expected(checks_that_fail):
    method = type("Both", (Gap,), {"module": type("M", (Gaps,), {"forward": forgets_and_writes})})()
    expected = {"untouched-input": "it saves memory"}
    found = checks_that_fail("amalgamator", AmalgamatorSpec, method)
    assert found == ["untouched-input"]
    found = checks_that_fail("amalgamator", AmalgamatorSpec, method, expected_failures=expected)
    assert found == ["untouched-input", "resumable"]


def forgets_and_writes(self, lesson):
    lesson.meetings[0].teachers[0].mul_(2)
    return counts(self, lesson)


class Loud(Gap):
    def weights(self, teachers):
        return {}


def test_a_spec_is_tried_once_for_all_its_checks(monkeypatch):
    made = []

    def making(self):
        made.append(self)

    monkeypatch.setattr(Loud, "__init__", making)
    spec = AmalgamatorSpec(name="gap", target=f"{__name__}:Loud", summary="")
    for each in KIT.checks:
        run_check(each, Trial(noun="amalgamator", spec=spec))
    assert len(made) == 1
