"""Which broken promises of a distiller are found, and in which words."""

from __future__ import annotations

import random

import pytest
import torch
from torch import nn

from zoo.errors import InputError
from zoo.testing.classrooms import Study, seen_in
from zoo.testing.distillers import KIT, check_distiller
from zoo.testing.lessons import Networks
from zoo.testing.promises import BrokenPromiseError
from zoo.types import DistillerSpec, Golden, Lesson, Meeting, ObjectiveSpec, Pair


def spec_of(**promises):
    return DistillerSpec(name="gap", target=f"{__name__}:Gap", summary="", **promises)


class Gaps(nn.Module):
    def __init__(self, classroom):
        super().__init__()
        self.maps = nn.ModuleList(
            nn.Linear(stage.student.width, teacher.width)
            for stage in classroom.stages
            for teacher in stage.teachers
        )

    def forward(self, lesson):
        return {"gap": self.gap(lesson)}

    def gap(self, lesson):
        pairs = [(each.student, one) for each in lesson.meetings for one in each.teachers]
        gaps = [
            (to(student) - teacher).square().mean()
            for to, (student, teacher) in zip(self.maps, pairs, strict=True)
        ]
        return torch.stack(gaps).sum()


class Gap:
    """A good one; the others break one promise each."""

    module = Gaps

    def __init__(self, *, form: str = "vector"):
        self.form = form

    def pair(self, teachers, student):
        last = tuple(each[-1].tap for each in teachers)
        return [Pair(student=student[-1].tap, teachers=last, form=self.form)]

    def check(self, classroom):
        return []

    def weights(self, teachers):
        return {"gap": 1.0}

    def build(self, classroom):
        return self.module(classroom)


def with_module(**methods):
    """A method whose module has other methods."""
    return type("Other", (Gap,), {"module": type("Module", (Gaps,), methods)})()


def with_methods(**methods):
    return type("Other", (Gap,), methods)()


def with_loss(change):
    """A method whose loss is changed by ``change(loss, lesson)``."""
    return with_module(forward=lambda self, lesson: {"gap": change(self.gap(lesson), lesson)})


def the_sentence(method, **promises):
    (sentence,) = check_distiller(spec_of(**promises), method)
    assert sentence.startswith("gap: ")
    assert sentence.endswith(".")
    assert ".." not in sentence
    assert "\n" not in sentence
    return sentence


def test_a_distiller_that_keeps_its_promises_passes():
    assert check_distiller(spec_of()) == []
    several = check_distiller(spec_of(teachers="several"))
    assert several == []


def test_an_objective_is_asked_the_same():
    spec = ObjectiveSpec(name="gap", target=f"{__name__}:Gap", summary="", needs=("labels",))
    assert check_distiller(spec) == []


@pytest.mark.parametrize("form", ["own", "common"])
def test_features_come_in_the_form_that_a_pair_asks_for(form):
    shapes = set()

    def forward(self, lesson):
        (meeting,) = lesson.meetings
        shapes.add((tuple(meeting.student.shape[2:]), tuple(meeting.teachers[0].shape[2:])))
        return {"gap": meeting.student.square().mean()}

    class Alone(nn.Module):
        def __init__(self, classroom):
            super().__init__()

    Alone.forward = forward
    made = type("Formed", (Gap,), {"module": Alone})(form=form)
    assert check_distiller(spec_of(), made) == []
    assert {((3, 3), (3, 3)), ((), ())} <= shapes


def test_one_teacher_alone_is_shown_where_it_says_so_and_several_otherwise():
    seen = set()

    def pair(self, teachers, student):
        seen.add(len(teachers))
        return Gap.pair(self, teachers, student)

    for who, counts in (("each", {1}), ("one", {1}), ("several", {2, 3})):
        seen.clear()
        assert check_distiller(spec_of(teachers=who), with_methods(pair=pair)) == []
        assert seen == counts


def test_networks_that_a_distiller_refuses_are_left_out_unless_it_refuses_all():
    def maps(self, teachers, student):
        if student[0].grid is None:
            raise InputError("maps alone.")
        return Gap.pair(self, teachers, student)

    def never(self, teachers, student):
        raise InputError("no networks have what it wants.")

    assert check_distiller(spec_of(), with_methods(pair=maps)) == []
    refused = the_sentence(with_methods(pair=never))
    assert refused == "gap: pair refuses all networks: no networks have what it wants."


def test_what_lacks_a_method_or_cannot_be_made_is_said():
    assert the_sentence(object()) == "gap: it lacks pair, check, weights, build."
    (sentence,) = check_distiller(DistillerSpec(name="gap", target=f"{__name__}:No", summary=""))
    assert sentence.startswith("gap: making it with its default options raises PluginError")
    (sentence,) = check_distiller(spec_of(published={"from": 1}))
    assert sentence.startswith("gap: making it with its published options raises")


@pytest.mark.parametrize(
    ("promises", "words"),
    [
        ({"needs": ("label",)}, "its needs has 'label', which is none of logits, labels, partial"),
        ({"wants": ("soul",)}, "its wants has 'soul', which is none of logits, labels, partial"),
        ({"smallest_batch": 0}, "smallest_batch must be 1 or more, and is 0"),
        ({"weight": -1.0}, "its weight must be 0 or more, and is -1.0"),
        ({"soft": True}, "its spec says soft, that the soft targets are its loss"),
        ({"teaches_logits": True}, "says teaches_logits, and no gradient reaches the student's lo"),
    ],
)
def test_what_is_wrong_with_a_spec_is_one_sentence(promises, words):
    assert words in the_sentence(Gap(), **promises)


@pytest.mark.parametrize(
    ("methods", "words"),
    [
        ({"pair": lambda *_: 1 / 0}, "pair raises ZeroDivisionError"),
        ({"pair": lambda *_: [("layer.0", ("block.0",))]}, "pair must give zoo.types.Pair, and"),
        ({"pair": lambda *_: [Pair(student="no", teachers=("block.0",))]}, "can make no stages"),
        ({"pair": lambda *_: [Pair(student="no")]}, "pair looks at 'no', which is no layer"),
        ({"check": lambda *_: "fine"}, "check must give a list of sentences, and gives 'fine'"),
        ({"check": lambda *_: ["No."]}, "check refuses a batch of 7 of 40 samples with 0 classes"),
        ({"weights": lambda *_: {"gap": -1.0}}, "the weight of 'gap' must be 0 or more"),
        ({"weights": lambda *_: {"other": 1}}, "weights must name every loss, and does not name"),
        ({"weights": lambda *_: {"gap": 1, "more": 1}}, "weights names 'more', and forward gives"),
        ({"weights": lambda *_: {}}, "it has no losses, and its spec does not say soft"),
        ({"build": lambda *_: None}, "build must give a torch module, and gives None"),
        ({"build": lambda *_: 1 / 0}, "build raises ZeroDivisionError"),
    ],
)
def test_what_is_wrong_with_a_method_is_one_sentence(methods, words):
    assert words in the_sentence(with_methods(**methods))


def test_build_draws_from_the_seed_and_can_be_counted():
    def draws(self, classroom):
        module = Gaps(classroom)
        module.maps[0].weight.data.mul_(random.random())
        return module

    def looks(self, classroom):
        module = Gaps(classroom)
        assert module.maps[0].bias[0].item() < 1e9
        return module

    def knows(self, classroom):
        module = Gaps(classroom)
        module.known = int((classroom.labels >= 0).sum())
        return module

    assert "one seed, two modules" in the_sentence(with_methods(build=draws))
    assert "where parameters are only counted" in the_sentence(with_methods(build=looks))
    sentence = the_sentence(with_methods(build=knows), needs=("labels",))
    assert "where parameters are only counted" in sentence


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda gap, _: gap.expand(3), "the loss 'gap' must be one number, and has the shape (3,)"),
        (lambda gap, _: gap * float("nan"), "the loss 'gap' must be finite, and is nan"),
        (lambda gap, _: gap.item(), "the loss 'gap' must be a tensor, and is float"),
        (lambda gap, _: gap.detach(), "the loss 'gap' has no gradient"),
    ],
)
def test_a_loss_that_is_none_is_named(change, words):
    assert words in the_sentence(with_loss(change))


def test_a_loss_may_come_and_go_with_the_training_but_has_to_come():
    def late(self, lesson):
        return {"gap": self.gap(lesson)} | (
            {"end": self.gap(lesson)} if lesson.progress > 0.9 else {}
        )

    def weights(self, teachers):
        return {"gap": 1.0, "end": 1.0}

    module = type("Late", (Gaps,), {"forward": late})
    assert check_distiller(spec_of(), with_methods(weights=weights, module=module)) == []
    assert "weights names 'end', and forward gives no such loss" in the_sentence(
        with_methods(weights=weights)
    )


def test_a_gradient_reaches_the_student_and_every_parameter():
    def constant(self, lesson):
        return {"gap": sum(each.weight.square().sum() + each.bias.sum() for each in self.maps)}

    def half(self, lesson):
        return {"gap": lesson.meetings[0].student.square().mean()}

    assert "no gradient reaches the student's features" in the_sentence(
        with_module(forward=constant)
    )
    found = check_distiller(spec_of(), with_module(forward=half))
    assert found == [
        f"gap: with 1 teacher of maps, no gradient reaches its parameter 'maps.0.{each}'."
        for each in ("bias", "weight")
    ]
    nothing = with_methods(pair=lambda *_: [], module=_Constant)
    assert "it teaches nothing" in the_sentence(nothing)


class _Constant(nn.Module):
    def __init__(self, classroom):
        super().__init__()
        self.value = nn.Parameter(torch.ones(()))

    def forward(self, lesson):
        return {"gap": self.value}


def test_parameters_may_take_turns():
    def init(self, classroom):
        Gaps.__init__(self, classroom)
        self.register_buffer("turn", torch.zeros((), dtype=torch.int64))
        self.scales = nn.ParameterList([nn.Parameter(torch.ones(())) for _ in range(4)])

    def forward(self, lesson):
        self.turn += 1
        return {"gap": self.gap(lesson) * self.scales[int(self.turn) % 4]}

    assert check_distiller(spec_of(), with_module(__init__=init, forward=forward)) == []


def test_teachers_are_left_as_they_are_bit_for_bit():
    def features(gap, lesson):
        lesson.meetings[0].teachers[0].add_(1e-3)
        return gap

    def logits(gap, lesson):
        lesson.teacher_logits[0].softmax(1, dtype=None).mean()
        lesson.teacher_logits[0][0, 0] += 1
        return gap + lesson.student_logits.mean()

    def gradient(gap, lesson):
        return gap + lesson.meetings[0].teachers[0].requires_grad_().mean()

    assert "changes the teachers' features in place" in the_sentence(with_loss(features))
    knows = {"needs": ("logits",), "teaches_logits": True}
    assert "changes the teachers' logits in place" in the_sentence(with_loss(logits), **knows)
    assert "the teachers' features must have no gradient" in the_sentence(with_loss(gradient))


def test_what_a_training_goes_on_with_is_saved():
    class Counts(Gaps):
        def __init__(self, classroom, persistent=True):
            super().__init__(classroom)
            self.register_buffer("seen", torch.zeros(()), persistent=persistent)

        def forward(self, lesson):
            self.seen = self.seen + 1
            return {"gap": self.gap(lesson) * self.seen}

    class Forgets(Counts):
        def __init__(self, classroom):
            super().__init__(classroom, persistent=False)

    assert check_distiller(spec_of(), with_methods(module=Counts)) == []
    sentence = the_sentence(with_methods(module=Forgets))
    assert "the loss 'gap' is another one after saving and loading" in sentence


def uses_labels(gap, lesson):
    return gap if lesson.labels is None else gap * (1 + (lesson.labels >= 0).float().mean())


def test_labels_are_read_by_none_whose_spec_does_not_say_so():
    sentence = the_sentence(with_loss(uses_labels))
    assert "labels change its losses, and neither needs nor wants of its spec says" in sentence
    assert check_distiller(spec_of(wants=("labels",)), with_loss(uses_labels)) == []


def test_what_is_only_wanted_may_be_absent():
    def insists(gap, lesson):
        return gap * (lesson.labels >= 0).sum().clamp(min=1)

    assert check_distiller(spec_of(needs=("labels",)), with_loss(insists)) == []
    sentence = the_sentence(with_loss(insists), wants=("labels",))
    assert "forward without labels, which it only wants, raises TypeError" in sentence


def test_a_batch_without_any_known_label_has_finite_losses():
    def mean(gap, lesson):
        return gap + lesson.student_logits[lesson.labels >= 0].mean()

    sentence = the_sentence(with_loss(mean), needs=("labels",), teaches_logits=True)
    assert "must be finite, and is nan where no label of a batch is known" in sentence


def test_logits_are_read_by_none_whose_spec_does_not_say_so():
    def peeks(gap, lesson):
        spoken = [each for each in lesson.teacher_logits if each is not None]
        return gap + sum(each.square().mean() for each in spoken)

    def insists(gap, lesson):
        return gap + (lesson.student_logits - lesson.teacher_logits[0]).square().mean()

    sentence = the_sentence(with_loss(peeks))
    assert "teachers' logits change its losses, and neither needs nor wants" in sentence
    assert "forward reads teachers' logits, and neither needs nor wants" in the_sentence(
        with_loss(insists)
    )
    knows = {"needs": ("logits",), "teaches_logits": True}
    assert check_distiller(spec_of(**knows), with_loss(insists)) == []


def test_one_of_several_teachers_may_lack_logits_that_are_only_wanted():
    def insists(gap, lesson):
        if lesson.teacher_logits[1] is None:
            return gap
        return gap + torch.stack(lesson.teacher_logits).square().mean()

    sentence = the_sentence(with_loss(insists), teachers="several", wants=("logits",))
    assert "forward where one teacher has no logits, which it only wants, raises" in sentence


def test_views_and_passes_are_there_for_those_who_need_them():
    def part(gap, lesson):
        return gap + lesson.meetings[0].partial.square().mean()

    def again(gap, lesson):
        seen = lesson.again(taps=["layer.0"], alter={"layer.0": lambda values: values * 2})
        return gap + seen.features["layer.0"].square().mean()

    for loss, need, words in (
        (part, "partial_view", "a partial view"),
        (again, "student_again", "further passes of the student"),
    ):
        assert check_distiller(spec_of(needs=(need,)), with_loss(loss)) == []
        sentence = the_sentence(with_loss(loss))
        assert f"forward reads {words}, and neither needs nor wants of its spec says so" in sentence


@pytest.mark.parametrize(
    ("alter", "words"),
    [
        ({"nowhere": lambda values: values}, "is asked for 'nowhere', which is no layer of the st"),
        ({"layer.2": lambda values: values[:1]}, "is given (1, 6, 3, 3) in the place of the feat"),
    ],
)
def test_a_further_pass_is_altered_only_as_it_can_be(alter, words):
    def again(gap, lesson):
        lesson.again(alter=alter)
        return gap

    assert words in the_sentence(with_loss(again), needs=("student_again",))


def test_a_frozen_pass_gives_gradients_only_to_what_is_put_in():
    networks = Networks(layout="maps", count=1)
    study = Study(networks=networks, given=frozenset({"student_again"}), head=True)
    drawn = study.lesson()
    given = torch.ones(7, 6, 3, 3, requires_grad=True)
    seen = drawn.lesson.again(alter={"layer.2": lambda _: given}, frozen=True)
    seen.logits.square().sum().backward()
    assert given.grad.any()
    assert drawn.reached() == set()


def test_the_smallest_batch_has_to_work():
    class Normalised(Gaps):
        def __init__(self, classroom):
            super().__init__(classroom)
            self.norm = nn.BatchNorm1d(6)

        def forward(self, lesson):
            return {"gap": self.gap(lesson) + self.norm(lesson.meetings[0].student).square().mean()}

    sentence = the_sentence(with_methods(module=Normalised))
    assert "forward with smallest_batch, 1, raises ValueError: Expected more than 1" in sentence
    assert check_distiller(spec_of(smallest_batch=2), with_methods(module=Normalised)) == []
    few = with_methods(check=lambda self, classroom: ["Too few."] * (classroom.batch < 4))
    assert "check refuses a batch of 2" in the_sentence(few, smallest_batch=2)


def test_a_method_of_logits_alone_may_leave_all_to_the_soft_targets():
    class Nothing(nn.Module):
        def forward(self, lesson):
            return {}

    soft = {"pair": lambda *_: [], "weights": lambda *_: {}, "build": lambda *_: Nothing()}
    spec = spec_of(soft=True, needs=("logits",), teaches_logits=True)
    assert check_distiller(spec, with_methods(**soft)) == []


def test_display_gives_numbers():
    good = with_module(display=lambda self, name, value, batch: value / batch)
    assert check_distiller(spec_of(), good) == []
    bad = with_module(display=lambda self, name, value, batch: "much")
    assert "display must give a finite number, and gives 'much'" in the_sentence(bad)


def met(student, teacher):
    return Lesson(meetings=(Meeting(student=student, teachers=(teacher,)),))


def golden(**others):
    """A case by hand: both weights 2 and no bias, 2 * (1 + 2) against 5 and 7 gives (1 + 1) / 2."""
    ones = torch.tensor([[1.0, 2.0]], dtype=torch.float64)
    known = {
        "lesson": met(ones, torch.tensor([[5.0, 7.0]], dtype=torch.float64)),
        "losses": {"gap": 1.0},
        "state": {"maps.0.weight": torch.full((2, 2), 2.0), "maps.0.bias": torch.zeros(2)},
    }
    return with_methods(golden=lambda self: [Golden(**known | others)])


def test_golden_numbers_of_a_plugin_are_compared():
    assert check_distiller(spec_of(), golden()) == []
    assert check_distiller(spec_of(), golden(losses={"gap": 1.1}, tolerance=0.2)) == []


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ({"losses": {"gap": 2.0}}, "golden case 1: the loss 'gap' is 1, and not 2"),
        ({"losses": {"hole": 1.0}}, "golden case 1: the losses are gap, and not hole"),
        (
            {"state": {"maps.0.weight": torch.ones(2, 2)}},
            "case 1: its state is not that of the module: Missing",
        ),
        ({"lesson": Lesson()}, "golden case 1: "),
    ],
)
def test_golden_numbers_that_are_others_are_said(others, words):
    assert words in the_sentence(golden(**others))


def test_golden_gives_cases_of_its_kind():
    assert "golden gives no case" in the_sentence(with_methods(golden=lambda self: []))
    odd = with_methods(golden=lambda self: [({}, 1.0)])
    assert "golden must give zoo.types.Golden, and gives ({}, 1.0)" in the_sentence(odd)
    assert "golden raises ZeroDivisionError" in the_sentence(with_methods(golden=lambda _: 1 / 0))


def test_the_classroom_of_a_lesson_is_what_it_shows():
    lesson = Lesson(
        meetings=(Meeting(student=torch.ones(3, 4, 2, 2), teachers=(torch.ones(3, 5),)),),
        student_logits=torch.ones(3, 7),
        teacher_logits=(torch.ones(3, 7),),
        rows=torch.tensor([0, 8, 2]),
        labels=torch.tensor([0, 1, 2]),
    )
    seen = seen_in(lesson)
    assert (seen.stages[0].student.width, seen.stages[0].student.grid) == (4, (2, 2))
    assert (seen.stages[0].teachers[0].width, seen.stages[0].teachers[0].grid) == (5, None)
    assert (seen.samples, seen.batch, seen.classes, seen.head) == (9, 3, 7, (7,))
    assert seen.labelled


def test_a_check_leaves_the_random_numbers_of_its_caller_alone():
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    check_distiller(spec_of())
    assert torch.equal(torch.rand(3), expected)


def test_a_broken_promise_inside_a_pass_is_the_sentence_itself():
    study = Study(networks=Networks(layout="vectors", count=1), given=frozenset({"student_again"}))
    with pytest.raises(BrokenPromiseError, match="no layer of the student"):
        study.lesson().lesson.again(taps=["nowhere"])


def writes_over(gap, lesson):
    lesson.meetings[0].teachers[0].add_(1e-3)
    return gap


def insists(gap, lesson):
    return gap * (lesson.labels >= 0).sum().clamp(min=1)


def divides(gap, lesson):
    return gap + 0 / (lesson.labels >= 0).sum()


def counts(self, lesson):
    self.seen = getattr(self, "seen", 0) + 1
    return {"gap": self.gap(lesson) * self.seen}


FAULTS = {
    "methods": (object(), {}),
    "spec": (Gap(), {"needs": ("label",)}),
    "pairs": (with_methods(pair=lambda *_: 1 / 0), {}),
    "smallest-batch": (with_methods(check=lambda *_: ["No."]), {}),
    "build": (with_methods(build=lambda *_: None), {}),
    "losses": (with_loss(lambda gap, _: gap * float("nan")), {}),
    "gradients": (with_methods(pair=lambda *_: [], module=_Constant), {"teaches_logits": True}),
    "untouched-input": (with_loss(writes_over), {}),
    "unknown-labels": (with_loss(divides), {"needs": ("labels",)}),
    "only-wanted": (with_loss(insists), {"wants": ("labels",)}),
    "declared-knowledge": (with_loss(uses_labels), {}),
    "resumable": (with_module(forward=counts), {}),
    "golden": (golden(losses={"gap": 2.0}), {}),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_under_the_name_of_its_check(checks_that_fail, name):
    method, promises = FAULTS[name]
    assert checks_that_fail("distiller", DistillerSpec, method, **promises) == [name]


def test_every_check_has_such_a_fault():
    assert {each.name for each in KIT.checks} == FAULTS.keys()
