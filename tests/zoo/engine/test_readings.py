"""What estimators may read beside the features: attributions, a reference, label embeddings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from zoo.engine import LocalEngine, Reference
from zoo.errors import ZooError
from zoo.store import Store


def run(settings, probe, *tasks, **options):
    with LocalEngine(settings, probe, **options) as engine:
        futures = [engine.submit(task) for task in tasks]
        return [future.result(timeout=120) for future in futures]


def values_of(probe):
    return np.array([image.data[0] for image in probe.inputs], dtype=np.float64)


@pytest.fixture
def attributing(zoo, reader):
    """Make tasks that attribute ten samples."""

    def make(name="a", *, estimators=(reader,), layers="last", samples=10, **facts):
        facts = {"attributes": True, **facts}
        task = zoo.task(name, estimators=estimators, layers=layers, **facts)
        return replace(task, attributions="saliency", attribution_samples=samples)

    return make


class TestWithoutEstimators:
    def test_features_are_kept_and_nothing_is_scored(self, settings, images, zoo):
        (first,) = run(settings, images, zoo.task("a"))
        assert (first.records, first.failures) == ((), ())
        assert first.default_layer == "late"
        (again,) = run(settings, images, zoo.task("a"))
        assert again == replace(first, from_store=True)
        assert zoo.calls("open") == ["a"]

    def test_features_that_were_pruned_are_made_again(self, settings, images, zoo):
        (first,) = run(settings, images, zoo.task("a"))
        Store(settings.folder).path("features", first.features).unlink()
        run(settings, images, zoo.task("a"))
        assert zoo.calls("open") == ["a", "a"]

    def test_they_can_be_read_here(self, settings, images, zoo):
        with LocalEngine(settings, images, extras={"z": np.ones(2)}) as engine:
            result = engine.submit(zoo.task("a")).result()
            features = engine.read(result, "late")
            with pytest.raises(ZooError, match=r"'middle' are not in the store"):
                engine.read(result, "middle")
        assert features.values.dtype == np.float64
        np.testing.assert_array_equal(features.values[:, 0], values_of(images))
        np.testing.assert_array_equal(features.labels, images.labels)
        assert features.logits.shape == (40, 2)
        assert (features.model, features.layer, features.task) == (
            "./a",
            "late",
            "classification",
        )
        np.testing.assert_array_equal(features.extras["z"], np.ones(2))


class TestAttributions:
    def test_one_open_checkpoint_gives_features_and_attributions(
        self, settings, images, zoo, attributing
    ):
        with LocalEngine(settings, images) as engine:
            result = engine.submit(attributing()).result()
            maps = engine.read(result, "late").extras["attributions"]
        chosen = np.isfinite(maps).all(axis=1)
        np.testing.assert_allclose(maps[chosen], np.tile(values_of(images)[chosen, None], 4) / 2)
        assert maps.dtype == np.float64
        assert result.attributions
        (record,) = result.records
        assert record.details["attributed"] == 10
        assert zoo.calls("open") == ["a"]
        (again,) = run(settings, images, attributing())
        assert again == replace(result, from_store=True)
        assert zoo.calls("open") == ["a"]

    def test_a_few_samples_are_spread_evenly_because_they_may_come_class_by_class(
        self, settings, images, attributing
    ):
        task = replace(attributing(), attribution_samples=4)
        with LocalEngine(settings, images) as engine:
            maps = engine.read(engine.submit(task).result(), "late").extras["attributions"]
        chosen = np.linspace(0, images.samples - 1, 4).round().astype(int)
        assert np.flatnonzero(np.isfinite(maps).all(axis=1)).tolist() == chosen.tolist()
        assert len(maps) == images.samples

    def test_they_can_be_had_later_for_every_layer(self, settings, images, zoo, attributing, mean):
        run(settings, images, zoo.task("a", estimators=[mean()], attributes=True))
        (result,) = run(settings, images, attributing(layers="all"))
        assert [record.layer for record in result.records] == ["early", "late"]
        assert [record.details["attributed"] for record in result.records] == [10, 10]
        assert zoo.calls("extract") == ["a"]

    def test_out_of_memory_makes_smaller_batches(self, settings, images, zoo, attributing):
        small, whole = run(settings, images, attributing("a", fits_backward=3), attributing("b"))
        assert small.records[0].details == whole.records[0].details
        assert zoo.calls("attribute-10") == ["a", "b"]

    @pytest.mark.parametrize(
        ("facts", "words", "kept"),
        [
            ({"attributes": False}, "makes no attributions", True),
            ({"no_gradient": True}, "no gradient", True),
            ({"nan_map": "late"}, "not finite", True),
            ({"fits_backward": 0}, "1 do not fit", False),
            ({"die_in_attribute": True}, "SIGKILL", False),
        ],
    )
    def test_none_of_them_costs_no_other_score(
        self, settings, images, zoo, attributing, facts, words, kept
    ):
        (result,) = run(settings, images, attributing(**facts))
        (failure,) = result.failures
        assert words in failure.error
        assert (failure.stage, failure.model) == ("attribute", "./a")
        assert failure.hint
        assert result.records[0].details["attributed"] == 0
        assert result.attributions == ""
        opened = len(zoo.calls("open"))
        (again,) = run(settings, images, attributing(**facts))
        assert [each.error for each in again.failures] == [failure.error]
        assert again.records == result.records
        assert (len(zoo.calls("open")) == opened) == kept

    def test_a_layer_whose_map_is_not_finite_has_none(self, settings, images, attributing):
        (result,) = run(settings, images, attributing(layers="all", nan_map="early"))
        assert [record.details["attributed"] for record in result.records] == [0, 10]
        assert result.failures == ()

    def test_damaged_attributions_are_made_again(self, settings, images, zoo, attributing, mean):
        (first,) = run(settings, images, attributing())
        path = Store(settings.folder).path("attributions", first.attributions)
        path.write_bytes(path.read_bytes()[:-8] + bytes(8))
        (again,) = run(settings, images, attributing(estimators=(mean(),)))
        assert again.failures == ()
        assert zoo.calls("extract") == ["a"]
        assert zoo.calls("attribute-10") == ["a", "a"]

    def test_what_took_the_place_of_gradients_stands_beside_what_reads_them(
        self, settings, images, attributing, reader, mean
    ):
        note = "occlusion in place of saliency: operator x has no translation"
        task = attributing(note=note, estimators=(reader, mean()))
        for _ in ("made", "kept"):
            (result,) = run(settings, images, task)
            notes = {record.estimator: record.note for record in result.records}
            assert notes["reader"].endswith(f"attributions: {note}")
            assert "occlusion" not in notes["mean"]
        (plain,) = run(settings, images, attributing("b"))
        assert "attributions" not in plain.records[0].note


class TestReference:
    def test_gradients_beside_occlusion_are_named(self, settings, images, attributing):
        with LocalEngine(settings, images) as engine:
            other = engine.submit(attributing("r", estimators=(), note="occlusion")).result()
            reference = Reference(
                model=other.model,
                layer=other.default_layer,
                features=other.features,
                attributions=other.attributions,
            )
            own = engine.submit(replace(attributing(), reference=reference)).result()
            both = attributing("b", note="occlusion")
            alike = engine.submit(replace(both, reference=reference)).result()
        assert own.records[0].note.endswith(
            "attributions of the reference: occlusion; maps of two kinds are compared"
        )
        assert alike.records[0].note.endswith("attributions: occlusion")

    def test_scores_are_told_what_to_compare_with(self, settings, images, zoo, attributing):
        with LocalEngine(settings, images) as engine:
            other = engine.submit(attributing("r", estimators=())).result()
            reference = Reference(
                model=other.model,
                layer=other.default_layer,
                features=other.features,
                attributions=other.attributions,
            )
            result = engine.submit(replace(attributing(), reference=reference)).result()
            alone = engine.submit(attributing()).result()
        assert result.records[0].details["same"] == 1
        assert result.records[0].details["compared"] == 10
        assert alone.records[0].details["same"] == 0
        (later,) = run(settings, images, replace(attributing(), reference=reference))
        assert later.records == result.records

    def test_a_reference_that_vanished_fails_what_reads_it_and_nothing_else(
        self, settings, images, zoo, reader, mean
    ):
        gone = Reference(model="./gone", layer="late", features="nowhere")
        task = zoo.task("a", estimators=[reader, mean()])
        (result,) = run(settings, images, replace(task, reference=gone))
        assert [record.estimator for record in result.records] == ["mean"]
        (failure,) = result.failures
        assert "reference" in failure.error


def test_extras_join_every_scoring_and_are_part_of_its_name(settings, images, zoo, reader):
    task = zoo.task("a", estimators=[reader])
    without, one, other = (
        run(settings, images, task, extras=extras)[0].records[0].details["extras"]
        for extras in ({}, {"Z": np.zeros((40, 2, 1))}, {"Z": np.ones((40, 2, 1)), "y": np.ones(1)})
    )
    assert (without, one, other) == (0, 1, 2)


class TestSlices:
    ROWS = (np.array([3, 8, 20, 31]), np.array([0, 5, 9, 39]), np.array([1, 2, 4]))

    def test_slices_are_read_in_the_order_of_the_samples(self, settings, images, zoo, mean):
        with LocalEngine(settings, images, slices=self.ROWS) as engine:
            for count in (1, 2, 3):
                task = replace(zoo.task("a", estimators=[mean()]), slices=count)
                result = engine.submit(task).result()
                rows = np.sort(np.concatenate(self.ROWS[:count]))
                features = engine.read(result, "late")
                np.testing.assert_array_equal(features.values[:, 0], values_of(images)[rows])
                np.testing.assert_array_equal(features.labels, images.labels[rows])
                assert features.logits.shape == (len(rows), 2)
                assert result.records[0].value == pytest.approx(features.values.mean())
        assert zoo.calls("extract") == ["a"] * 3  # each slice once
        assert len(list(settings.folder.glob("features/??/*.safetensors"))) == 3

    def test_features_of_every_sample_serve_any_slice(self, settings, images, zoo, mean):
        run(settings, images, zoo.task("a", estimators=[mean()]))
        extras = {"Z": np.arange(40.0).reshape(40, 1, 1)}
        with LocalEngine(settings, images, extras=extras, slices=self.ROWS) as engine:
            task = replace(zoo.task("a", estimators=[mean()]), slices=2)
            features = engine.read(engine.submit(task).result(), "late")
        rows = np.sort(np.concatenate(self.ROWS[:2]))
        np.testing.assert_array_equal(features.values[:, 0], values_of(images)[rows])
        np.testing.assert_array_equal(features.extras["Z"][:, 0, 0], rows)
        assert zoo.calls("extract") == ["a"]

    def test_samples_are_attributed_once_those_of_early_slices_first(
        self, settings, images, zoo, attributing
    ):
        with LocalEngine(settings, images, slices=self.ROWS) as engine:
            for count in (1, 2, 3):
                task = replace(attributing(samples=6), slices=count)
                features = engine.read(engine.submit(task).result(), "late")
                rows = np.sort(np.concatenate(self.ROWS[:count]))
                maps = features.extras["attributions"]
                known = np.isfinite(maps).all(axis=1)
                assert set(rows[known]) <= {*self.ROWS[0], *self.ROWS[1]}
                assert known.sum() == min(6, len(rows))
                np.testing.assert_allclose(maps[known, 0], values_of(images)[rows[known]] / 2)
        assert [len(zoo.calls(f"attribute-{n}")) for n in (4, 2)] == [1, 1]

    def test_a_reference_in_slices_is_read_alike(self, settings, images, zoo, reader):
        with LocalEngine(settings, images, slices=self.ROWS) as engine:
            other = engine.submit(replace(zoo.task("r"), slices=2)).result()
            reference = Reference(model="./r", layer="late", features=other.features)
            task = zoo.task("a", estimators=[reader])
            task = replace(task, slices=2, reference=reference)
            assert engine.submit(task).result().records[0].details["same"] == 1
