"""Weighted contrast of two views, and of what is known of the labels."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from zoo.catalogue import Catalogue, build
from zoo.errors import InputError
from zoo_distillation.herocon import (
    HeterogeneousContrast,
    cosines,
    label_contrast,
    single_label_contrast,
    view_contrast,
)


@pytest.fixture
def made(make_shape, make_classroom, make_lesson):
    def make(batch=8, **options):
        classroom = make_classroom([(make_shape("s", 5), make_shape("t", 7))], classes=3)
        torch.manual_seed(0)
        module = HeterogeneousContrast(**{"width": 6} | options).build(classroom).double()
        labels = torch.tensor([0, 1, -1, 2, 0, -1, 1, 1])[:batch]
        return module, make_lesson(classroom, batch=batch, labels=labels)

    return make


def _plain(z, targets, *, multi_label):
    """Write the formula of the supervised contrast as it stands."""
    similar, (n, classes) = cosines(z, z).exp(), targets.shape
    total = z.new_zeros(())
    for c in range(classes):
        inside = [i for i in range(n) if targets[i, c]]
        outside = [k for k in range(n) if not targets[k, c]]
        for i in inside:
            for j in inside:
                ham = (targets[j] != targets).sum(1).double()
                a = 1 - ham[i] / classes if multi_label else 1.0
                b = ham if multi_label else torch.ones(n).double()
                pushed = sum((b[k] * similar[j, k] for k in outside), z.new_zeros(()))
                pulled = a * similar[i, j]
                term = ((pushed + pulled) / (pulled * (len(outside) + 1))).log()
                total = total + term / len(inside) ** 2
    return total


@pytest.mark.parametrize("multi_label", [True, False])
def test_the_contrast_of_labels_is_its_formula(multi_label):
    torch.manual_seed(0)
    z = torch.randn(7, 4, dtype=torch.float64, requires_grad=True)
    targets = (torch.rand(7, 5) < 0.4).double()
    targets[:, 3], targets[:, 4] = 0, 1  # nobody's and everybody's
    found = label_contrast(z, targets, multi_label=multi_label)
    plain = _plain(z, targets, multi_label=multi_label)
    torch.testing.assert_close(found, plain)
    grads = [torch.autograd.grad(each, z)[0] for each in (found, plain)]
    torch.testing.assert_close(*grads)


def test_one_label_a_sample_is_a_case_of_several():
    torch.manual_seed(0)
    z, labels = torch.randn(9, 4, dtype=torch.float64), torch.randint(4, (9,))
    targets = nn.functional.one_hot(labels, 4).double()
    torch.testing.assert_close(
        single_label_contrast(z, labels, 4), label_contrast(z, targets, multi_label=False)
    )


def test_samples_without_a_label_are_nobodys_positive_and_nobodys_negative():
    torch.manual_seed(0)
    z, labels = torch.randn(9, 4, dtype=torch.float64), torch.randint(4, (9,))
    labels[[1, 5]] = -1
    known = labels >= 0
    torch.testing.assert_close(
        single_label_contrast(z, labels, 4), single_label_contrast(z[known], labels[known], 4)
    )
    assert single_label_contrast(z, torch.full((9,), -1), 4) == 0


def test_the_contrast_of_views_is_its_formula():
    torch.manual_seed(0)
    first, second = torch.randn(2, 6, 4, dtype=torch.float64)
    weigh = nn.Linear(4, 4).double()
    one, other = weigh(first).sigmoid(), weigh(second).sigmoid()
    cosine = nn.functional.cosine_similarity
    total = 0.0
    for j in range(6):
        weighted = 0.0
        for i in range(6):
            near = (1 - cosine(one[i], second[j], dim=0)).exp()
            far = (1 - cosine(other[i], first[j], dim=0)).exp()
            weighted = weighted + (near + far) / 2 * cosine(first[i], second[j], dim=0).exp()
        total = total + (weighted / (cosine(first[j], second[j], dim=0).exp() * 6)).log() / 6
    found = view_contrast(first, second, weigh)
    torch.testing.assert_close(found, total)
    halved = view_contrast(first, second, weigh, constant=12)
    torch.testing.assert_close(found - halved, torch.tensor(2.0, dtype=torch.float64).log())


def test_neither_contrast_sees_the_order_or_the_length_of_samples():
    torch.manual_seed(0)
    z, labels = torch.randn(9, 4, dtype=torch.float64), torch.randint(4, (9,))
    order, scale = torch.randperm(9), torch.rand(9, 1).double() + 0.5
    torch.testing.assert_close(
        single_label_contrast(z, labels, 4),
        single_label_contrast((scale * z)[order], labels[order], 4),
    )
    weigh = nn.Linear(4, 4).double()
    torch.testing.assert_close(
        view_contrast(z, z.flip(1), weigh), view_contrast(z[order], z.flip(1)[order], weigh)
    )


def test_it_is_advertised_as_an_objective_that_needs_labels(zoo_host):
    spec = Catalogue(zoo_host).spec("objective", "herocon")
    assert spec.needs == ("labels",)
    assert isinstance(build(spec, {"alpha": 0.7}), HeterogeneousContrast)


def test_both_contrasts_teach_the_student_and_the_projections(made):
    module, lesson = made()
    losses = module(lesson)
    assert set(losses) == set(HeterogeneousContrast().weights(1)) == {"views", "labels"}
    assert all(each.shape == () and each.isfinite() for each in losses.values())
    sum(losses.values()).backward()
    assert lesson.meetings[0].student.grad.abs().sum() > 0
    assert all(each.grad.abs().sum() > 0 for each in module.parameters())
    unknown = replace(lesson, labels=torch.full((8,), -1))
    assert module(unknown)["labels"] == 0
    assert set(module(replace(lesson, labels=None))) == {"views"}


def test_two_samples_are_enough(made):
    module, lesson = made(batch=2)
    sum(module(lesson).values()).backward()
    assert all(each.grad.isfinite().all() for each in module.parameters())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"alpha": -1.0}, "herocon.alpha is a weight"),
        ({"beta": -1.0}, "herocon.beta is a weight"),
        ({"alpha": 0.0, "beta": 0.0}, "nothing is left"),
        ({"width": 0}, "herocon.width must be 1 or more"),
    ],
)
def test_bad_options_are_refused_in_one_sentence(options, words):
    with pytest.raises(InputError, match=words):
        HeterogeneousContrast(**options)


def test_it_is_built_alike_twice(made):
    first, second = made()[0].state_dict(), made()[0].state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
