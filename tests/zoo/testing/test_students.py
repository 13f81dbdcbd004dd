"""Which broken promises of regularisers, augmenters, pretexts and calibrators are found."""

from __future__ import annotations

import random

import pytest
import torch
from PIL import Image
from torch import nn

from zoo.errors import InputError
from zoo.testing.calibrators import check_calibrator
from zoo.testing.kit import kit_of
from zoo.testing.students import check_augmenter, check_pretext, check_regulariser
from zoo.types import AugmenterSpec, CalibratorSpec, Mixed, PretextSpec, RegulariserSpec


def altered(kind, **methods):
    return type("Other", (kind,), methods)()


def the_sentence(check, spec, method):
    (sentence,) = check(spec, method)
    assert sentence.startswith("own: ")
    assert sentence.endswith(".")
    assert ".." not in sentence
    return sentence


class Lengths(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.rand(()))

    def forward(self, lesson):
        return {"length": sum(each.square().mean() * self.scale for each in lesson.watched)}


class Short:
    """A regulariser that keeps its promises."""

    module = Lengths

    def watch(self, student):
        return [student[-1].tap]

    def weights(self):
        return {"length": 1.0}

    def build(self, classroom):
        return self.module()


REGULARISER = RegulariserSpec(name="own", target=f"{__name__}:Short", summary="")


def test_a_regulariser_that_keeps_its_promises_passes():
    assert check_regulariser(REGULARISER) == []


def grids_alone(self, student):
    if student[0].grid is None:
        raise InputError("grids alone.")
    return [student[0].tap]


def nowhere(self, student):
    raise InputError("no student will do.")


def test_students_that_a_regulariser_refuses_are_left_out_unless_it_refuses_all():
    assert check_regulariser(REGULARISER, altered(Short, watch=grids_alone)) == []
    refused = the_sentence(check_regulariser, REGULARISER, altered(Short, watch=nowhere))
    assert refused == "own: watch refuses all students: no student will do."


def forwards(change):
    return type("Module", (Lengths,), {"forward": change})


@pytest.mark.parametrize(
    ("methods", "words"),
    [
        ({"watch": lambda *_: ["no"]}, "watch names 'no', which is no layer of the student"),
        ({"watch": lambda *_: []}, "watch names no layer, and refuses nothing either"),
        ({"watch": lambda *_: 1 / 0}, "watch raises ZeroDivisionError"),
        ({"weights": lambda *_: {}}, "it has no losses"),
        ({"weights": lambda *_: {"length": -1}}, "the weight of 'length' must be 0 or more"),
        ({"weights": lambda *_: {"length": 1, "more": 1}}, "weights names 'more', and forward"),
        ({"build": lambda *_: 3}, "build must give a torch module, and gives 3"),
        (
            {"module": forwards(lambda self, lesson: {"length": self.scale * 2})},
            "no gradient reaches the student's features",
        ),
        (
            {"module": forwards(lambda self, lesson: {"length": lesson.watched[0].mean()})},
            "no gradient reaches its parameter 'scale'",
        ),
        (
            {"module": forwards(lambda self, lesson: {"length": lesson.watched[0]})},
            "the loss 'length' must be one number",
        ),
    ],
)
def test_what_is_wrong_with_a_regulariser_is_one_sentence(methods, words):
    assert words in the_sentence(check_regulariser, REGULARISER, altered(Short, **methods))


def test_what_lacks_a_method_is_said():
    lacks = {
        check_regulariser: "own: it lacks watch, weights, build.",
        check_augmenter: "own: it lacks probability, tap, mix.",
        check_pretext: "own: it lacks seeds, patch, alter, build.",
        check_calibrator: "own: it lacks fit, probabilities.",
    }
    for check, words in lacks.items():
        assert check(REGULARISER, object()) == [words]


class Shift:
    """An augmenter that keeps its promises."""

    probability = 0.5

    def tap(self, student):
        return student[0].tap

    def mix(self, features):
        order = torch.randperm(len(features))
        return Mixed(features=(features + features[order]) / 2, order=order, share=0.5)


AUGMENTER = AugmenterSpec(name="own", target=f"{__name__}:Shift", summary="")


def mixes(change):
    """Change what is mixed: ``change(features)`` -> fields that are others."""

    def mix(self, features):
        fields = {"features": features * 1.5, "order": torch.arange(len(features)), "share": 1.0}
        return Mixed(**fields | change(features))

    return {"mix": mix}


def test_an_augmenter_that_keeps_its_promises_passes():
    assert check_augmenter(AUGMENTER) == []

    def tap(self, student):
        return grids_alone(self, student)[0]

    assert check_augmenter(AUGMENTER, altered(Shift, tap=tap)) == []


@pytest.mark.parametrize(
    ("methods", "words"),
    [
        ({"probability": 2}, "probability must be between 0 and 1, and is 2"),
        ({"tap": nowhere}, "tap refuses all students: no student will do"),
        ({"tap": lambda *_: "no"}, "tap names 'no', which is no layer of the student"),
        ({"mix": lambda *_: None}, "mix must give zoo.types.Mixed, and gives NoneType None"),
        ({"mix": lambda *_: 1 / 0}, "mix of (6, 3, 12, 12) features raises ZeroDivisionError"),
        (mixes(lambda x: {"features": x[:1]}), "mix must keep the shape (6, 3, 12, 12)"),
        (mixes(lambda x: {"features": x / 0}), "mix must give finite features"),
        (mixes(lambda x: {"features": x.detach()}), "no gradient flows through what mix gives"),
        (mixes(lambda x: {"order": torch.arange(2)}), "order must be (6,) int64, and is (2,)"),
        (mixes(lambda x: {"order": torch.arange(len(x)) + 1}), "order must name samples of the"),
        (mixes(lambda x: {"share": 1.5}), "share must be between 0 and 1, and is 1.5"),
        (mixes(lambda x: {"features": x * random.random()}), "one seed, two results"),
        (mixes(lambda x: {"features": x.mul_(2)}), "mix changes the features that it is given"),
    ],
)
def test_what_is_wrong_with_an_augmenter_is_one_sentence(methods, words):
    assert words in the_sentence(check_augmenter, AUGMENTER, altered(Shift, **methods))


class Turned:
    """A pretext that keeps its promises."""

    def seeds(self, samples):
        return min(samples, 100)

    def patch(self, image, draw):
        left = draw.randrange(image.width - 7)
        return image.crop((left, 0, left + 8, 8))

    def alter(self, patch, draw):
        return patch.rotate(draw.uniform(-20, 20))

    def build(self, width, classes):
        return Head(width, classes)


class Head(nn.Module):
    def __init__(self, width, classes):
        super().__init__()
        self.linear = nn.Linear(width, classes)

    def forward(self, features, classes):
        return nn.functional.cross_entropy(self.linear(features), classes)


PRETEXT = PretextSpec(name="own", target=f"{__name__}:Turned", summary="")


def headed(forward):
    return {"build": lambda self, *sizes: type("Other", (Head,), {"forward": forward})(*sizes)}


def test_a_pretext_that_keeps_its_promises_passes():
    assert check_pretext(PRETEXT) == []


@pytest.mark.parametrize(
    ("methods", "words"),
    [
        ({"seeds": lambda *_: 3}, "seeds of 2 images must be from 1 to 2, and are 3"),
        ({"patch": lambda *_: None}, "patch of an image of 48x40 must give an RGB image, and"),
        ({"patch": lambda self, image, draw: image.convert("L")}, "must give an RGB image"),
        ({"alter": lambda *_: 1 / 0}, "alter of an image of 48x40 raises ZeroDivisionError"),
        (
            {"alter": lambda self, patch, draw: patch.rotate(random.uniform(0, 90))},
            "alter must draw from the draw that it is given: one seed, two pictures",
        ),
        (
            {"patch": lambda self, image, draw: image.rotate(random.uniform(0, 90))},
            "patch must draw from the draw that it is given: one seed, two pictures",
        ),
        ({"alter": lambda self, patch, draw: patch}, "alter gives the same picture"),
        (
            {"alter": lambda self, patch, draw: patch.paste((9, 9, 9), (0, 0, 4, 4)) or patch},
            "alter changes the image that it is given",
        ),
        ({"build": lambda *_: None}, "build must give a torch module, and gives None"),
        (headed(lambda self, x, y: self.linear(x)), "must be one number, and has the shape (6, 4)"),
        (headed(lambda self, x, y: self.linear.weight.sum() * x.mean()), "'linear.bias'"),
        (headed(lambda self, x, y: sum(p.sum() for p in self.parameters())), "student's features"),
    ],
)
def test_what_is_wrong_with_a_pretext_is_one_sentence(methods, words):
    assert words in the_sentence(check_pretext, PRETEXT, altered(Turned, **methods))


def test_pictures_are_small_and_of_odd_shape_too():
    sizes = []

    def patch(self, image, draw):
        sizes.append(image.size)
        return Image.new("RGB", (8, 8), (draw.randrange(9), 0, 0)).effect_spread(0)

    def alter(self, patch, draw):
        return patch.resize((8, draw.randrange(5, 60)))

    assert check_pretext(PRETEXT, altered(Turned, patch=patch, alter=alter)) == []
    assert (9, 70) in sizes


class Tempered:
    """A calibrator that keeps its promises."""

    def fit(self, network, batches):
        with torch.no_grad():
            scales = [network.observe(each.inputs, ()).logits.std() for each in batches()]
        return {"temperature": 1 + torch.stack(scales).mean()}

    def probabilities(self, network, fitted, inputs):
        with torch.no_grad():
            logits = network.observe(inputs, ()).logits
        return (logits / fitted["temperature"]).softmax(1)


CALIBRATOR = CalibratorSpec(name="own", target=f"{__name__}:Tempered", summary="")


def test_a_calibrator_that_keeps_its_promises_passes():
    assert check_calibrator(CALIBRATOR) == []


def fits(change):
    def fit(self, network, batches):
        return change(self, network, Tempered.fit(self, network, batches))

    return {"fit": fit}


def moves(self, network, fitted):
    next(network.module.parameters()).data.add_(1e-3)
    return fitted


def thaws(self, network, fitted):
    network.module.requires_grad_()
    return fitted


def hides(self, network, fitted):
    self.temperature = fitted["temperature"]
    return {"nothing": torch.zeros(())}


def refuses(self, network, fitted):
    raise InputError("no network will do.")


@pytest.mark.parametrize(
    ("methods", "words"),
    [
        (fits(moves), "with a tiny resnet, fit changes the weights of the network: "),
        (fits(thaws), "fit leaves the network with other weights that have gradients"),
        (
            fits(lambda self, network, fitted: network.module.train() and fitted),
            "fit leaves the network in training mode",
        ),
        (fits(refuses), "own: fit refuses all networks: no network will do"),
        (fits(lambda *_: {"temperature": 2.0}), "fit must give tensors, and gives 'temperature'"),
        (fits(lambda *_: 1 / 0), "fit without labels raises ZeroDivisionError"),
        ({"probabilities": lambda *_: 1 / 0}, "probabilities raises ZeroDivisionError"),
        ({"probabilities": lambda *_: torch.ones(5, 5)}, "must sum to one, and the sums are 5, 5"),
        ({"probabilities": lambda *_: torch.ones(5)}, "must be (5, 5), samples by classes, and"),
        ({"probabilities": lambda *_: torch.full((5, 5), -1.0)}, "must be finite and 0 or more"),
        (
            {
                **fits(hides),
                "probabilities": lambda self, network, fitted, inputs: Tempered.probabilities(
                    self, network, {"temperature": getattr(self, "temperature", 1)}, inputs
                ),
            },
            "are others when it is made anew and given what was saved",
        ),
    ],
)
def test_what_is_wrong_with_a_calibrator_is_one_sentence(methods, words):
    assert words in the_sentence(check_calibrator, CALIBRATOR, altered(Tempered, **methods))


def counts(self, lesson):
    self.seen = getattr(self, "seen", 0) + 1
    return {"length": Lengths.forward(self, lesson)["length"] * self.seen}


def lone(self, lesson):
    """Give no number for a batch of one."""
    share = 1 if len(lesson.watched[0]) > 1 else float("nan")
    return {"length": Lengths.forward(self, lesson)["length"] * share}


def counts_too(self, features, classes):
    self.seen = getattr(self, "seen", 0) + 1
    return Head.forward(self, features, classes) * self.seen


REGULARISER_FAULTS = {
    "methods": object(),
    "layers": altered(Short, watch=lambda *_: ["no"]),
    "smallest-batch": altered(Short, module=forwards(lone)),
    "build": altered(Short, build=lambda *_: 3),
    "losses": altered(Short, weights=lambda *_: {}),
    "gradients": altered(Short, module=forwards(lambda self, _: {"length": self.scale * 2})),
    "resumable": altered(Short, module=forwards(counts)),
}
AUGMENTER_FAULTS = {
    "methods": object(),
    "probability": altered(Shift, probability=2),
    "layers": altered(Shift, tap=lambda *_: "no"),
    "mixed": altered(Shift, **mixes(lambda x: {"share": 1.5})),
    "untouched-input": altered(Shift, **mixes(lambda x: {"features": x.mul_(2)})),
    "seeded": altered(Shift, **mixes(lambda x: {"features": x * random.random()})),
    "gradients": altered(Shift, **mixes(lambda x: {"features": x.detach()})),
}
PRETEXT_FAULTS = {
    "methods": object(),
    "seeds": altered(Turned, seeds=lambda *_: 3),
    "pictures": altered(Turned, alter=lambda self, patch, draw: patch),
    "untouched-input": altered(
        Turned, alter=lambda self, patch, draw: patch.paste((9, 9, 9), (0, 0, 4, 4)) or patch
    ),
    "seeded": altered(Turned, alter=lambda self, patch, draw: patch.rotate(random.random() * 90)),
    "build": altered(Turned, build=lambda *_: None),
    "losses": altered(Turned, **headed(lambda self, x, y: self.linear(x))),
    "gradients": altered(Turned, **headed(lambda self, x, y: self.linear.weight.sum() * x.mean())),
    "resumable": altered(Turned, **headed(counts_too)),
}
CALIBRATOR_FAULTS = {
    "methods": object(),
    "fitted": altered(Tempered, **fits(lambda *_: {"temperature": 2.0})),
    "untouched-input": altered(Tempered, **fits(moves)),
    "probabilities": altered(Tempered, probabilities=lambda *_: torch.ones(5, 5)),
    "resumable": altered(
        Tempered,
        **fits(hides),
        probabilities=lambda self, network, _, inputs: Tempered.probabilities(
            self, network, {"temperature": getattr(self, "temperature", 1)}, inputs
        ),
    ),
}
KINDS = {
    "regulariser": (RegulariserSpec, REGULARISER_FAULTS),
    "augmenter": (AugmenterSpec, AUGMENTER_FAULTS),
    "pretext": (PretextSpec, PRETEXT_FAULTS),
    "calibrator": (CalibratorSpec, CALIBRATOR_FAULTS),
}


@pytest.mark.parametrize(
    ("noun", "name"), [(noun, name) for noun, (_, faults) in KINDS.items() for name in faults]
)
def test_a_fault_is_found_under_the_name_of_its_check(checks_that_fail, noun, name):
    kind, faults = KINDS[noun]
    assert checks_that_fail(noun, kind, faults[name]) == [name]


@pytest.mark.parametrize("noun", KINDS)
def test_every_check_has_such_a_fault(noun):
    assert {each.name for each in kit_of(noun).checks} == KINDS[noun][1].keys()
