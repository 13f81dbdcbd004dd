from __future__ import annotations

import msgspec
import numpy as np
import pytest

from zoo.catalogue import Catalogue, build
from zoo.errors import InputError, NotApplicable, UnknownNameError
from zoo.scoring import score_arrays, score_layer
from zoo.types import EstimatorSpec, Features, Score, ScoreRecord


class Mean:
    """The simplest estimator: no short cuts, so that scoring has to do the resampling."""

    def __init__(self):
        self.calls = 0

    def score(self, features):
        self.calls += 1
        return Score(float(features.values[features.labels == 0].mean()))


class Broken:
    def __init__(self, error):
        self.error = error

    def score(self, features):
        raise self.error


class Returns:
    def __init__(self, value):
        self.value = value

    def score(self, features):
        return self.value


class FailsOnShuffles:
    def score(self, features):
        if features.labels[0] != 0:
            raise RuntimeError("shuffled")
        return Score(1.0)


def _spec(name="mean", **attributes):
    tasks = attributes.pop("tasks", ("classification",))
    return EstimatorSpec(name=name, target="x:y", summary="s", tasks=tasks, **attributes)


@pytest.fixture
def features():
    generator = np.random.default_rng(0)
    labels = np.arange(60) % 3
    values = generator.standard_normal((60, 8)) + 0.5 * labels[:, None]
    return Features(values=values, labels=labels, model="m", layer="l")


@pytest.fixture
def catalogue(zoo_host):
    return Catalogue(zoo_host)


@pytest.fixture
def defaults(catalogue):
    return [(spec, build(spec)) for spec in catalogue.specs("estimator").values() if spec.default]


def test_a_plain_estimator_gets_its_null_and_its_folds(features):
    mean = Mean()
    (record,), failures = score_layer(features, [(_spec(), mean)], permutations=20, folds=5)
    assert not failures
    assert (record.model, record.layer, record.estimator) == ("m", "l", "mean")
    assert record.value == pytest.approx(features.values[features.labels == 0].mean())
    assert mean.calls == 1 + 20 + 5
    assert record.z == pytest.approx((record.value - record.null_mean) / record.null_sd)
    assert record.z < -3
    assert len(record.folds) == 5


def test_short_cuts_and_plain_resampling_agree(features, defaults):
    class Plain:
        def __init__(self, estimator):
            self.score = estimator.score

    short, _ = score_layer(features, defaults, permutations=10, folds=5)
    plain, _ = score_layer(
        features,
        [(spec, Plain(each)) for spec, each in defaults if spec.reads_features],
        permutations=10,
        folds=5,
    )
    for one, other in zip(short, plain, strict=True):
        assert one.value == other.value
        assert one.null_mean == pytest.approx(other.null_mean, abs=1e-3)
        # Without a fold, logme keeps its t and ridge_loo its penalty.
        loose = 3.0 if one.estimator == "ridge_loo" else 0.01
        assert one.folds == pytest.approx(other.folds, abs=loose)


def test_the_seed_decides_and_nothing_else(features, defaults):
    def plain(records):
        return [msgspec.structs.replace(record, seconds=0.0) for record in records]

    first, _ = score_layer(features, defaults, seed=4)
    second, _ = score_layer(features, defaults, seed=4)
    alone, _ = score_layer(features, defaults[1:2], seed=4)
    other, _ = score_layer(features, defaults, seed=5)
    assert plain(first) == plain(second)
    assert plain(alone) == plain(first)[1:2]
    assert [each.null_mean for each in other] != [each.null_mean for each in first]


def test_one_broken_estimator_leaves_the_others_alone(features, defaults):
    broken = [(_spec(f"b{n}"), Broken(e)) for n, e in enumerate([ValueError("x"), SystemExit(1)])]
    records, failures = score_layer(features, [*broken, *defaults])
    assert len(records) == sum(spec.reads_features for spec, _ in defaults)
    assert [failure.stage for failure in failures] == ["score b0", "score b1"]
    assert failures[0].error == "ValueError: x"
    assert failures[0].model == "m"


def test_the_person_can_always_interrupt(features):
    with pytest.raises(KeyboardInterrupt):
        score_layer(features, [(_spec(), Broken(KeyboardInterrupt()))])


@pytest.mark.parametrize("value", [None, 1.0, Score(float("nan")), Score(float("inf"))])
def test_what_is_no_score_is_a_failure(features, value):
    records, failures = score_layer(features, [(_spec(), Returns(value))])
    assert not records
    assert "returned" in failures[0].error


def test_an_estimator_with_nothing_to_say_is_a_dash(features):
    (record,), failures = score_layer(features, [(_spec(), Broken(NotApplicable("no head.")))])
    assert not failures
    assert record.value is None
    assert record.not_applicable == "no head."


@pytest.mark.parametrize(
    ("attributes", "sentence"),
    [
        ({"tasks": ("regression",)}, "does regression, not classification."),
        ({"needs": ("labels", "logits")}, "needs source-head logits: logits or probs of a file"),
        ({"needs": ("features", "reference")}, "needs a reference model: --reference MODEL or"),
        ({"needs": ("label_embeddings",)}, "needs label embeddings: --label-encoder NAME"),
        ({"needs": ("attributions",)}, "needs attribution maps"),
        ({"needs": ("features", "graph")}, "needs graph, which is not here."),
    ],
)
def test_what_an_estimator_needs_and_does_not_get_is_named(features, attributes, sentence):
    (record,), failures = score_layer(features, [(_spec(**attributes), Returns(Score(1.0)))])
    assert not failures
    assert record.not_applicable.startswith(sentence)


def test_features_without_labels_are_scored_by_what_reads_none(features):
    bare = Features(values=features.values, labels=np.zeros((60, 0)))
    specs = [_spec("free", needs=("features",)), _spec("bound")]
    records, _ = score_layer(bare, [(spec, Returns(Score(1.0))) for spec in specs])
    assert [record.value for record in records] == [1.0, None]
    assert "needs labels" in records[1].not_applicable
    assert len(records[0].folds) == 10
    assert records[0].null_mean is None


def test_what_reads_no_labels_has_no_null(features):
    mean = Mean()
    (record,), _ = score_layer(features, [(_spec(needs=("features",)), mean)], folds=4)
    assert mean.calls == 1 + 4
    assert record.z is None


def test_what_is_expensive_is_scored_once(features):
    mean = Mean()
    (record,), _ = score_layer(features, [(_spec(cost="expensive"), mean)])
    assert mean.calls == 1
    assert record.note == "expensive: no null, no interval"
    assert (record.z, record.folds) == (None, ())


def test_a_null_that_breaks_leaves_the_value(features):
    (record,), failures = score_layer(features, [(_spec(), FailsOnShuffles())])
    assert not failures
    assert record.value == 1.0
    assert record.z is None
    assert record.note.startswith("no null: RuntimeError: shuffled")


def test_without_resamples_there_is_the_value_alone(features, defaults):
    records, _ = score_layer(features, defaults, permutations=0, folds=0)
    assert all(record.z is None and record.folds == () for record in records)


def test_a_null_that_never_moves_gives_no_z(features):
    (record,), _ = score_layer(features, [(_spec(), Returns(Score(2.0)))])
    assert record.null_sd == 0
    assert record.z is None


def test_records_survive_json(features):
    score = Score(1.0, details={"a": 1.0, "b": float("inf")}, bounds=(0.0, 1.0))
    (record,), _ = score_layer(features, [(_spec(), Returns(score))])
    again = msgspec.json.decode(msgspec.json.encode(record), type=ScoreRecord)
    assert again == record
    assert record.details == {"a": 1.0}


def test_layers_that_cannot_be_scored(features, defaults):
    dead = Features(values=np.zeros((60, 4)), labels=features.labels)
    records, failures = score_layer(dead, defaults)
    assert not failures
    assert all("every activation" in record.not_applicable for record in records)
    features.values[0, 0] = np.nan
    records, failures = score_layer(features, defaults)
    assert not records
    assert "NaN" in failures[0].error


@pytest.mark.parametrize("samples", [2, 3, 5])
def test_a_handful_of_samples_is_scored_without_complaint(defaults, samples):
    values = np.random.default_rng(0).standard_normal((samples, 4))
    few = Features(values=values, labels=np.arange(samples) % 2)
    records, failures = score_layer(few, defaults)
    assert not failures
    assert all(record.value is not None for record in records)


def test_every_class_may_be_a_single_sample(defaults):
    values = np.random.default_rng(0).standard_normal((30, 4))
    records, failures = score_layer(Features(values=values, labels=np.arange(30)), defaults)
    assert not failures
    assert {record.estimator: record.value for record in records}["knn"] == 0.0


def test_constant_features_are_scored_by_every_estimator(defaults):
    constant = Features(values=np.full((30, 4), 2.0), labels=np.arange(30) % 3)
    records, failures = score_layer(constant, defaults)
    assert not failures
    assert {record.estimator: record.value for record in records}["reg_hscore"] == 0.0


def test_arrays_of_a_person_are_scored_by_the_estimators_that_fit(catalogue):
    generator = np.random.default_rng(0)
    arrays = {"X": generator.standard_normal((40, 5)), "Y": generator.standard_normal((40, 2))}
    scored = score_arrays(arrays, catalogue=catalogue)
    assert {"logme", "knn", "ridge_loo"} <= {record.estimator for record in scored.records}
    named = score_arrays(arrays, ["gbc", "prior"], catalogue=catalogue)
    assert "does classification" in named.records[0].not_applicable
    assert "registry entry" in named.records[1].not_applicable


def test_all_takes_what_does_the_task_and_has_what_it_needs(catalogue):
    generator = np.random.default_rng(0)
    arrays = {"X": generator.standard_normal((40, 5)), "y": np.arange(40) % 2}
    scored = score_arrays(arrays, ["knn", "all"], catalogue=catalogue, permutations=0, folds=0)
    names = [record.estimator for record in scored.records]
    assert names[0] == "knn"
    assert {"logme", "parc", "gbc", "linear_probe"} <= set(names)
    assert not {"leep", "rsa", "prior", "combined"} & set(names)
    more = {**arrays, "logits": arrays["X"], "ref": arrays["X"]}
    scored = score_arrays(more, ["all"], catalogue=catalogue, permutations=0, folds=0)
    assert {"leep", "nce", "rsa", "dds"} <= {record.estimator for record in scored.records}
    assert not scored.failures


def test_a_reference_comes_from_arrays_a_file_or_the_file_beside(catalogue, tmp_path):
    values = np.random.default_rng(0).standard_normal((30, 5))
    arrays = {"X": values, "y": np.arange(30) % 2}
    np.savez(tmp_path / "cls_birds.npz", **arrays)
    np.savez(tmp_path / "trained.npz", X=values)

    def dds(source, **options):
        scored = score_arrays(source, ["dds"], catalogue=catalogue, **options)
        (record,) = scored.records
        return record.value, scored.notes

    assert dds(arrays) == (None, ())
    assert dds({**arrays, "X_reference": values})[0] == pytest.approx(100)
    assert dds(arrays, reference={"X": values})[0] == pytest.approx(100)
    assert dds(tmp_path / "cls_birds.npz", reference=tmp_path / "trained.npz")[0] is not None
    np.savez(tmp_path / "ref_birds.npz", X=values)
    value, (note,) = dds(tmp_path / "cls_birds.npz")
    assert value == pytest.approx(100)
    assert "ref_birds.npz is taken as the reference" in note
    np.savez(tmp_path / "ref_birds.npz", X=values[:9])
    value, (note,) = dds(tmp_path / "cls_birds.npz")
    assert value is None
    assert "has 9" in note
    assert note.endswith("It was not used.")


def test_a_file_beside_is_left_alone_where_nothing_reads_it(catalogue, tmp_path):
    values = np.random.default_rng(0).standard_normal((30, 5))
    np.savez(tmp_path / "birds.npz", X=values, y=np.arange(30) % 2)
    np.savez(tmp_path / "ref_birds.npz", X=values)
    scored = score_arrays(tmp_path / "birds.npz", ["knn"], catalogue=catalogue)
    assert scored.notes == ()
    assert scored.features.reference is None


def test_names_and_options_are_checked_before_the_file(catalogue):
    with pytest.raises(UnknownNameError, match="'logme'"):
        score_arrays({"X": np.ones((4, 2)), "y": np.arange(4)}, ["logmee"], catalogue=catalogue)
    with pytest.raises(InputError, match="no option 'q'"):
        score_arrays(
            {"X": np.eye(4), "y": np.arange(4) % 2},
            ["knn"],
            catalogue=catalogue,
            options={"knn": {"q": 1}},
        )


def test_one_class_in_a_file_is_bad_input(catalogue):
    with pytest.raises(InputError, match="at least 2 classes"):
        score_arrays({"X": np.eye(4), "y": np.ones(4, int)}, catalogue=catalogue)


def test_a_very_large_file_is_cut_to_a_stratified_sample(catalogue, monkeypatch):
    from zoo import scoring

    monkeypatch.setattr(scoring, "MOST_SAMPLES", 100)
    monkeypatch.setattr(scoring, "SAMPLE", 40)
    generator = np.random.default_rng(0)
    arrays = {"X": generator.standard_normal((200, 4)), "y": np.arange(200) % 2}
    scored = score_arrays(arrays, ["knn"], catalogue=catalogue)
    assert scored.rows == 200
    assert np.bincount(scored.features.labels).tolist() == [20, 20]


def test_a_very_large_file_without_labels_is_cut_too(catalogue, monkeypatch):
    from zoo import scoring

    monkeypatch.setattr(scoring, "MOST_SAMPLES", 100)
    monkeypatch.setattr(scoring, "SAMPLE", 40)
    values = np.random.default_rng(0).standard_normal((200, 4))
    scored = score_arrays({"X": values}, ["energy"], catalogue=catalogue)
    assert len(scored.features.values) == 40
    assert scored.notes == ("160 of 200 samples were left out.",)


def test_a_text_whose_embedding_is_broken_leaves_with_its_sample(catalogue):
    generator = np.random.default_rng(0)
    table = generator.standard_normal((40, 4, 2))
    table[7, 0, 0] = np.nan
    arrays = {"X": generator.standard_normal((40, 5)), "Z": table}
    with pytest.raises(InputError, match=r"1 values of Z are NaN .* \[7, 0, 0\]"):
        score_arrays(arrays, ["parc"], catalogue=catalogue)
    scored = score_arrays(arrays, ["parc"], catalogue=catalogue, on_nonfinite="drop")
    assert scored.features.labels.tolist() == list(range(39))
    assert scored.features.extras["class_embeddings"].shape == (39, 4, 2)
    assert scored.records[0].value is not None
