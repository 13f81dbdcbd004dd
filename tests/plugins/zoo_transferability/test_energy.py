from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp

from zoo.types import Features
from zoo_transferability.energy import Energy


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 30), st.integers(1, 20), st.floats(-500, 500), st.integers(0, 99))
def test_it_is_the_mean_log_sum_exp_and_moves_with_the_origin(samples, width, shift, seed):
    generator = np.random.default_rng(seed)
    values = 3 * generator.standard_normal((samples, width))
    score = Energy().score(Features(values=values, labels=np.zeros((samples, 0))))
    assert score.value == pytest.approx(logsumexp(values, axis=1).mean())
    order = generator.permutation(samples)
    moved = Features(values=values[order][:, ::-1] + shift, labels=np.zeros((samples, 0)))
    assert Energy().score(moved).value == pytest.approx(score.value + shift)


def test_half_precision_does_not_overflow():
    features = Features(values=np.full((4, 3), 60000, dtype=np.float16), labels=np.arange(4))
    assert Energy().score(features).value == pytest.approx(60000 + np.log(3), rel=1e-3)
