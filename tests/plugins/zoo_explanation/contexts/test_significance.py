"""What passes the test: rarely chance, nearly always a planted effect, no confounded one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import false_discovery_control, rankdata, spearmanr

from zoo_explanation.contexts.chance import draws_of, effect_of, within_ranks
from zoo_explanation.contexts.sets import cores_of
from zoo_explanation.contexts.significance import RULES, Transfers, associations

NAMES = ("coverage", "similarity", "score", "flag", "log classes", "parameters")


def history(seed, *, targets=4, sources=10, drive="", rho=0.618, models=0.0, confounded=False):
    """Make 40 transfers; a Pearson correlation of .618 is a rank correlation of .6."""
    draw = np.random.default_rng(seed)
    source, target = np.divmod(np.arange(sources * targets), targets)
    count = len(source)
    known = {name: draw.normal(size=count) for name in NAMES[:3]}
    known["flag"] = (draw.random(count) < 0.5).astype(float)
    known["log classes"] = draw.normal(size=sources)[source]
    known["parameters"] = draw.normal(size=sources)[source]
    if confounded:
        known["coverage"] = 0.8 * known["parameters"] + 0.6 * known["coverage"]
    noise = draw.normal(size=count)
    outcome = noise + draw.normal(size=targets)[target] + models * draw.normal(size=sources)[source]
    if drive:
        outcome = outcome - noise + rho * known[drive] + np.sqrt(1 - rho**2) * noise
    return Transfers(
        sources=source,
        targets=target,
        outcome=outcome,
        quantities=known,
        controls=("log classes", "parameters"),
        flags=frozenset(("flag",)),
    )


def only(transfers, *names):
    kept = {*names, *transfers.controls}
    known = {name: each for name, each in transfers.quantities.items() if name in kept}
    return replace(transfers, quantities=known, flags=transfers.flags & kept)


def passed(transfers):
    return {each.name for each in associations(transfers).associations if each.passes()}


def shuffled(transfers, seed):
    draw = np.random.default_rng(seed)
    outcome = transfers.outcome.copy()
    for target in np.unique(transfers.targets):
        outcome[transfers.targets == target] = draw.permutation(
            outcome[transfers.targets == target]
        )
    return replace(transfers, outcome=outcome)


def test_shuffled_records_give_a_claim_in_at_most_20_of_200_reports():
    found = [passed(shuffled(history(seed, drive="coverage"), seed)) for seed in range(200)]
    assert sum(map(bool, found)) <= 20


@pytest.mark.exhaustive
def test_good_models_alone_give_no_claim_about_a_property_of_models():
    found = [passed(history(seed, models=2.0, sources=8, targets=5)) for seed in range(200)]
    assert sum(map(bool, found)) <= 20


def test_a_planted_effect_is_found_in_nine_of_ten_histories():
    found = [passed(only(history(seed, drive="coverage"), "coverage")) for seed in range(50)]
    assert sum("coverage" in each for each in found) >= 45


def test_what_only_follows_size_is_not_claimed_in_nine_of_ten_histories():
    cases = [history(seed, drive="parameters", rho=0.9, confounded=True) for seed in range(100)]
    found = [passed(each) for each in cases]
    assert sum("coverage" in each for each in found) <= 10
    assert sum("parameters" in each for each in found) >= 90


def test_the_effect_without_controls_is_spearmans_rho_within_a_target():
    transfers = history(1, drive="coverage", targets=1, sources=30)
    kept = replace(
        transfers, controls=(), quantities={"coverage": transfers.quantities["coverage"]}
    )
    rules = replace(RULES, targets=1)
    (found,) = associations(kept, rules).associations
    rho, p = spearmanr(kept.quantities["coverage"], kept.outcome)
    assert found.effect == pytest.approx(rho)
    assert found.p == pytest.approx(p, abs=0.02)


def test_the_effect_of_a_flag_is_the_rank_biserial_correlation():
    transfers = history(2, targets=1, sources=30)
    flag = transfers.quantities["flag"] == 1
    kept = replace(transfers, controls=(), quantities={"flag": transfers.quantities["flag"]})
    (found,) = associations(kept, replace(RULES, targets=1)).associations
    pairs = np.sign(kept.outcome[flag][:, None] - kept.outcome[~flag][None, :])
    assert found.effect == pytest.approx(pairs.mean())


def test_the_effect_with_controls_is_the_partial_correlation_of_ranks():
    transfers = history(3, drive="coverage", confounded=True)
    found = {each.name: each for each in associations(transfers).associations}["coverage"]
    names = ("coverage", "log classes", "parameters")
    columns = [transfers.outcome, *(transfers.quantities[name] for name in names)]
    y, x, *z = within_ranks(np.column_stack(columns), transfers.targets).T
    fixed = np.column_stack(z)
    rest = [each - fixed @ np.linalg.lstsq(fixed, each, rcond=None)[0] for each in (x, y)]
    assert found.effect == pytest.approx(np.corrcoef(*rest)[0, 1])
    assert found.controlled == ("log classes", "parameters")
    assert effect_of(rest[0], rest[1], flag=False) == pytest.approx(found.effect)


def test_q_is_benjamini_hochbergs_over_everything_tested():
    found = associations(history(4)).associations
    rates = false_discovery_control([each.p for each in found], method="bh")
    assert [each.q for each in found] == pytest.approx(rates)
    assert [each.name for each in found] == sorted(NAMES)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), min_size=1, max_size=20))
def test_ranks_within_groups_are_those_of_each_group_alone(pairs):
    groups, values = np.array(pairs).T
    found = within_ranks(values[:, None].astype(float), groups)[:, 0]
    for group in np.unique(groups):
        chosen = groups == group
        count = chosen.sum()
        expected = (rankdata(values[chosen]) - (count + 1) / 2) / count
        assert found[chosen] == pytest.approx(expected)


def test_orders_move_sources_within_their_target_only():
    targets, sources = np.array([2, 2, 2, 5, 5, 5]), np.array([0, 1, 3, 0, 1, 3])
    draws = draws_of(targets, sources, replace(RULES, permutations=50), 0)
    inside, whole = draws.orders
    for order in (inside, whole):
        assert (targets[order] == targets).all()
        assert (np.sort(order, axis=1) == np.arange(6)).all()
    assert (sources[whole[:, :3]] == sources[whole[:, 3:]]).all()
    assert (draws.counts.sum(axis=1) == 2).all()


def test_whole_sources_are_not_exchanged_where_too_few_were_recorded_on_every_target():
    apart = draws_of(np.repeat([0, 1, 2, 3], 6), np.arange(24), RULES, 0)
    assert len(apart.orders) == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"targets": 3, "sources": 10}, "3 targets, over 30 transfers of 10 models"),
        ({"targets": 8, "sources": 3}, "8 targets, over 24 transfers of 3 models"),
        ({"targets": 4, "sources": 4}, "4 targets, over 16 transfers of 4 models"),
    ],
)
def test_too_few_transfers_are_not_tested(change, reason):
    tested = associations(history(0, **change))
    assert not tested.associations
    assert reason in tested.untested["coverage"]


def test_a_rare_flag_a_constant_and_a_copy_of_a_control_are_not_tested():
    transfers = history(5)
    rare = np.zeros(40)
    rare[:4] = 1
    known = dict(transfers.quantities)
    known |= {"flag": rare, "constant": np.ones(40), "copy": 2 * known["parameters"]}
    known["unknown"] = np.full(40, np.nan)
    tested = associations(replace(transfers, quantities=known))
    assert tested.untested["flag"] == "4 transfers have it and 36 do not"
    assert "0 transfers" in tested.untested["constant"]
    assert "0 transfers" in tested.untested["unknown"]
    assert tested.untested["copy"] == "it says no more than what was held fixed"


def test_equal_input_gives_equal_results():
    assert associations(history(6), seed=3) == associations(history(6), seed=3)


def flags(seed, effect):
    draw = np.random.default_rng(seed)
    transfers = history(seed, targets=12, sources=12)
    one, other = ((draw.random(144) < 0.6).astype(float) for _ in range(2))
    outcome = draw.normal(size=144) + effect * (one + other)
    known = {"one": one, "other": other}
    return replace(
        transfers, outcome=outcome, quantities=known, controls=(), flags=frozenset(known)
    )


def test_a_set_is_claimed_only_if_its_members_pass_and_other_targets_confirm_it():
    transfers = flags(0, 1.5)
    tested, cores = cores_of(transfers, associations(transfers))
    (core,) = cores
    assert core.members == ("one", "other")
    assert core.passes()
    assert core.held_out is not None
    assert core.held_out.targets == core.found.targets == 6
    rates = [*(each.p for each in tested.associations), core.found.p]
    assert core.found.q == pytest.approx(false_discovery_control(rates)[-1])
    turned = np.where(transfers.targets % 2, -1, 1) * transfers.outcome
    _, denied = cores_of(replace(transfers, outcome=turned), tested)
    assert not any(each.passes() for each in denied)


def test_no_set_is_tried_of_members_that_do_not_pass():
    transfers = flags(2, 0.0)
    tested, cores = cores_of(transfers, associations(transfers))
    assert cores == ()
    assert not any(each.passes() for each in tested.associations)
