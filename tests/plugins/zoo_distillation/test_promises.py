"""Everything that the distribution advertises keeps the promises that a stranger's is asked for."""

from __future__ import annotations

import pytest

import zoo_distillation
from zoo.testing.calibrators import check_calibrator
from zoo.testing.distillers import check_distiller
from zoo.testing.students import check_augmenter, check_pretext, check_regulariser

CHECKS = {
    "zoo_distillers": check_distiller,
    "zoo_objectives": check_distiller,
    "zoo_regularisers": check_regulariser,
    "zoo_augmenters": check_augmenter,
    "zoo_pretexts": check_pretext,
    "zoo_calibrators": check_calibrator,
}
ADVERTISED = [
    pytest.param(check, spec, id=spec.name)
    for hook, check in CHECKS.items()
    for spec in getattr(zoo_distillation, hook)()
]


@pytest.mark.exhaustive  # `zoo plugins check` of everything, which is tested too, runs the same
@pytest.mark.parametrize(("check", "spec"), ADVERTISED)
def test_a_method_keeps_its_promises(check, spec):
    assert check(spec) == []


def test_every_hook_of_the_distribution_is_checked():
    assert {name for name in vars(zoo_distillation) if name.startswith("zoo_")} == set(CHECKS)
