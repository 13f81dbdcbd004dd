"""Which broken promises of estimators, priors and combiners are found, and in which words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from zoo.errors import InputError, NotApplicable
from zoo.testing.estimators import KIT, check_estimator
from zoo.testing.kit import Trial, checks_of, run_check
from zoo.types import EstimatorSpec, Score


def spec_of(**fields):
    return EstimatorSpec(name="plain", target=f"{__name__}:Plain", summary="", **fields)


class Plain:
    """A good one, the share of the variance between the classes; others break one promise each."""

    def score(self, features):
        values = features.values.astype(np.float64)
        values = values - values.mean(axis=0)
        within = values.copy()
        for each in np.unique(features.labels):
            own = features.labels == each
            within[own] -= values[own].mean(axis=0)
        total = np.square(values).sum()
        if not total > 0:
            raise NotApplicable("no feature varies.")
        return Score(float(1 - np.square(within).sum() / total), bounds=(0.0, 1.0))


def breaking(name, function):
    return type("Other", (Plain,), {name: function})()


def the_sentence(method, **fields):
    (sentence,) = check_estimator(spec_of(**fields), method)
    assert sentence.startswith("plain: ")
    assert sentence.endswith(".")
    assert ".." not in sentence
    assert "\n" not in sentence
    return sentence


def scored_as(change):
    """Give an estimator that says something else."""
    return breaking("score", lambda self, features: change(Plain.score(self, features), features))


def test_one_that_keeps_its_promises_passes():
    assert check_estimator(spec_of()) == []
    assert check_estimator(spec_of(), Plain()) == []


def test_an_estimator_of_every_task_is_given_everything_that_it_reads():
    class Sees:
        def score(self, features):
            assert features.logits.shape[0] == len(features.values)
            assert {"class_embeddings", "Z"} & features.extras.keys()
            assert features.extras["attributions"].ndim == 2
            assert features.reference.extras["attributions"].ndim == 2
            seen.add(features.task)
            return Score(1.0)

    seen = set()
    tasks = ("classification", "multi-label", "regression", "text")
    needs = ("features", "labels", "logits", "label_embeddings", "attributions", "reference")
    assert check_estimator(spec_of(tasks=tasks, needs=needs), Sees()) == []
    assert seen == set(tasks)


def test_what_is_missing_or_raises():
    assert the_sentence(object()) == "plain: it lacks score."
    assert "is called as score(features)" in the_sentence(breaking("score", lambda self: None))
    absent = EstimatorSpec(name="plain", target="absent.module:Plain", summary="")
    (sentence,) = check_estimator(absent)
    assert "making it with its default options raises" in sentence

    def refuse(self, features):
        raise InputError("no.")

    sentences = check_estimator(spec_of(), breaking("score", refuse))
    assert "plain: of ordinary classification, score raises InputError: no." in sentences


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.5, "gives a float, not zoo.Score"),
        (None, "gives None, not zoo.Score"),
        (Score(np.float32(1)), "a Score whose value is a numpy.float32, not a float: write float("),
        (Score(1.0, {"k": np.int64(3)}), "whose detail 'k' is a numpy.int64"),
        (Score(1.0, note=None), "whose note is None"),
        (Score(1.0, saturated=np.bool_(1)), "whose saturated is a numpy.bool"),
        (Score(1.0, bounds=(0.0, np.float64(2))), "of which a bound is a numpy.float64"),
        (Score(2.0, bounds=(0.0, 1.0)), "gives 2, which is outside its bounds 0 to 1"),
        (Score(float("nan")), "gives nan"),
    ],
)
def test_a_score_is_plain_numbers_within_their_bounds(value, words):
    trial = Trial(noun="estimator", spec=spec_of())
    check = next(each for each in KIT.checks if each.name == "score")
    object.__setattr__(trial, "spec", replace(trial.spec, target=f"{__name__}:Says"))
    Says.value = value
    (sentence,) = run_check(check, trial).problems
    assert sentence.startswith("of ordinary classification, score gives ")
    assert words in sentence


class Says:
    """It says what a test says."""

    value: object = None

    def score(self, features):
        del features
        return self.value


def test_a_task_that_is_claimed_is_scored():
    def score(self, features):
        if features.task != "classification":
            raise NotApplicable("needs classes.")
        return Plain.score(self, features)

    method = breaking("score", score)
    sentences = check_estimator(spec_of(tasks=("classification", "regression")), method)
    assert "plain: it claims regression, and has nothing to say: needs classes." in sentences


def test_not_a_number_is_found_with_what_made_it():
    def score(self, features):
        values = features.values.astype(np.float64)
        if np.ptp(values) == 0 and len(values) > 2:
            return Score(float("nan"))
        return Plain.score(self, features)

    sentence = the_sentence(breaking("score", score))
    assert sentence.endswith("with features that are all one number, score gives nan.")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ZeroDivisionError("by zero"), "score raises ZeroDivisionError: by zero."),
        (InputError("too few."), "score raises InputError: too few."),
        (NotApplicable(""), "score raises NotApplicable without a reason."),
    ],
)
def test_too_few_samples_are_not_applicable_and_nothing_else(error, words):
    def score(self, features):
        if len(features.labels) < 3:
            raise error
        return Plain.score(self, features)

    first, second = check_estimator(spec_of(), breaking("score", score))
    assert first == f"plain: of classification with two samples, {words}"
    assert second == f"plain: of classification with two samples of the same features, {words}"


def test_half_precision_must_not_overflow():
    def score(self, features):
        half = features.values.dtype == np.float16
        return Score(float("inf")) if half else Plain.score(self, features)

    assert "with features in half precision, score gives inf" in the_sentence(
        breaking("score", score)
    )


def test_the_order_of_samples():
    method = scored_as(lambda score, seen: Score(score.value + 1e-2 * float(seen.labels[0])))
    assert any(
        "of classification, the order of the samples matters: " in each
        for each in check_estimator(spec_of(), method)
    )


def test_the_ids_of_classes():
    def change(score, features):
        return Score(score.value + 1e-2 * float(features.values[features.labels == 0].mean()))

    sentences = check_estimator(spec_of(), scored_as(change))
    assert "the order of class ids matters" in sentences[0]


def test_input_that_changes():
    def centre(self, features):
        features.values[:] -= features.values.mean(axis=0)
        return Score(1.0)

    sentences = check_estimator(spec_of(needs=("features",)), breaking("score", centre))
    assert "plain: of classification, it changes the features." in sentences

    def share(self, features):
        features.factorisation.gram[0] = 0
        return Score(1.0)

    sentence = the_sentence(breaking("score", share), needs=("features",))
    assert "it changes the factorisation that others share" in sentence

    def leave(self, features):
        features.extras["mine"] = np.ones(3)
        return Score(1.0)

    sentence = the_sentence(breaking("score", leave), needs=("features",))
    assert "it changes extras['mine']" in sentence

    def rewrite(self, features):
        features.labels[0] += 0
        return Plain.score(self, features)

    assert "it writes into what it is given" in the_sentence(breaking("score", rewrite))


def test_what_is_remembered_must_not_hang_on_the_labels():
    def score(self, features):
        return features.remember("mine", lambda: Plain.score(self, features))

    sentences = check_estimator(spec_of(), breaking("score", score))
    assert (
        "plain: of classification, what it remembers of the features hangs on their labels."
        in sentences
    )


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (lambda own: own[0], "score_many gives the shape () for 2 of them"),
        (lambda own: own[:-1], "score_many gives the shape (1,) for 2 of them"),
        (lambda own: own + np.arange(2), "score_many gives 1."),
        (lambda own: own * np.nan, "score_many gives nan"),
    ],
)
def test_many_labels_score_as_alone(found, words):
    def score_many(self, features, labels):
        own = [Plain.score(self, features.with_labels(each)).value for each in labels]
        return found(np.array(own))

    assert words in the_sentence(breaking("score_many", score_many))


def test_folds_score_as_if_the_others_had_never_been_there():
    def score_folds(self, features, folds):
        return np.array([Plain.score(self, features).value for _ in folds])

    method = breaking("score_folds", score_folds)
    assert "of classification, score_folds gives 0." in the_sentence(method)
    assert check_estimator(spec_of(expected_failures={"folds": "it is a test"}), method) == []
    right = breaking(
        "score_folds",
        lambda self, features, folds: np.array(
            [self.score(features.rows(~g)).value for g in folds]
        ),
    )
    assert check_estimator(spec_of(), right) == []


def test_a_sign_that_is_wrong():
    method = scored_as(lambda score, _: Score(-score.value))
    assert "labels that fit score -0." in the_sentence(method)
    assert "and shuffled ones -0." in the_sentence(method)


def test_what_cannot_be_made_up_is_not_tried():
    trial = Trial(noun="estimator", spec=spec_of(needs=("features", "graph")))
    asked = {each.name: run_check(each, trial) for each in checks_of(trial)}
    assert asked["finite"].not_tried == "it needs graph, which cannot be made up"
    assert not asked["methods"].not_tried


class Size:
    """A good prior."""

    def score_entry(self, entry):
        if not entry.parameters:
            raise NotApplicable("nobody knows its size.")
        return Score(float(np.log(entry.parameters)), note="its size")


def of_entries(function):
    spec = replace(spec_of(needs=("entry",)), target=f"{__name__}:Size")
    return check_estimator(spec, type("Other", (Size,), {"score_entry": function})())


def test_a_prior_says_something_of_a_whole_entry_and_no_nonsense_of_an_empty_one():
    assert of_entries(Size.score_entry) == []
    asked = [
        each.name for each in checks_of(Trial(noun="estimator", spec=spec_of(needs=("entry",))))
    ]
    assert "order-free" not in asked
    assert "higher-is-better" not in asked

    def silent(self, entry):
        raise NotApplicable("no idea.")

    assert of_entries(silent) == [
        "plain: it has nothing to say of an entry with every field: no idea."
    ]
    sentences = of_entries(lambda self, entry: Score(float(entry.parameters)))
    assert len(sentences) == 1
    assert 'of the entry {"ref":"./folder"}, score_entry raises TypeError' in sentences[0]

    def tags(self, entry):
        entry.tags.setdefault("mine", "yes")
        return Size.score_entry(self, entry)

    assert "it changes the entry of hub:made/up-base" in of_entries(tags)[0]


class Sums:
    """A good combiner."""

    def combine(self, contestants, evidence):
        priors = [0.0 if each.prior is None else each.prior.value for each in contestants]
        return [Score(float(p + e)) for p, e in zip(priors, evidence, strict=True)]


def of_contestants(function=Sums.combine):
    spec = replace(spec_of(needs=("scores", "entry")), target=f"{__name__}:Sums")
    return check_estimator(spec, type("Other", (Sums,), {"combine": function})())


def test_a_combiner_scores_everybody_in_any_order_and_more_evidence_is_better():
    assert of_contestants() == []

    def fewer(self, contestants, evidence):
        return Sums.combine(self, contestants, evidence)[1:]

    assert any("combine gives 3 scores for 4 candidates" in each for each in of_contestants(fewer))

    def first(self, contestants, evidence):
        scores = Sums.combine(self, contestants, evidence)
        return [Score(scores[0].value + 1), *scores[1:]]

    assert "the order of candidates matters: candidate 2 gets" in of_contestants(first)[0]

    def against(self, contestants, evidence):
        return Sums.combine(self, contestants, -evidence)

    assert of_contestants(against) == ["plain: more evidence for candidate 0 puts it further back."]

    def change(self, contestants, evidence):
        evidence += 1
        return Sums.combine(self, contestants, evidence)

    assert of_contestants(change) == ["plain: it changes its contestants or the evidence."]

    def priors(self, contestants, evidence):
        return [Score(each.prior.value) for each in contestants]

    assert any(
        "with no prior known, combine raises AttributeError" in each
        for each in of_contestants(priors)
    )
