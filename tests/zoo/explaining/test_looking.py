"""The person's data through a model again: what is read, and what is refused."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

import zoo_transferability
from zoo.errors import NotApplicable
from zoo.events import ignore
from zoo.explaining.looking import EXAMPLES, Looking
from zoo.readings import ATTRIBUTION
from zoo.runs import Request

SIDE = 4


@pytest.fixture
def drawing_catalogue(pocket, monkeypatch):
    """What the core provides, estimators, and a runtime that attributes."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    import drawing_runtime

    import zoo.builtin
    from zoo.catalogue import Catalogue
    from zoo.host import PluginHost

    host = PluginHost(strict=True)
    for plugin in (zoo.builtin, drawing_runtime, zoo_transferability):
        host.register(plugin, f"test:{plugin.__name__}")
    yield Catalogue(host)
    sys.modules.pop("drawing_runtime", None)


@pytest.fixture
def look(settings, drawing_catalogue, net, pictures):
    """Ask about the pictures and one net, or about something else."""
    model = net()

    def make(data=pictures, models=(model,), **more):
        request = Request(data=str(data), models=models, budget=30.0, finetune_top=1)
        return Looking(request, settings, drawing_catalogue, on_event=ignore, **more)

    make.model = model
    return make


@pytest.fixture
def calls(tmp_path):
    """Give what the runtime has been asked for since the last time."""

    def since():
        path = tmp_path / "calls.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return [json.loads(line) for line in lines]

    return since


def test_features_are_read_of_every_sample_and_the_second_time_from_the_store(look, calls):
    looking = look()
    features = looking.features(look.model)
    assert (features.values.shape, features.logits.shape) == ((12, 3), (12, 3))
    assert np.bincount(features.labels).tolist() == [4, 4, 4]
    assert (features.model, features.layer) == (look.model, "head_input")
    assert sum(count for _, count in calls()) == 12

    ranked = {"fingerprint": looking.prepared.probe.fingerprint}
    again = look(layers={look.model: "head_input"}, **ranked).features(look.model)
    np.testing.assert_array_equal(again.values, features.values)
    with pytest.raises(NotApplicable, match=r"cannot be measured again: .*'gone'") as refused:
        look(layers={look.model: "gone"}, **ranked).features(look.model)
    assert not refused.value.message.endswith(".")
    assert calls() == []


def test_a_question_is_asked_again_without_its_race_and_its_fine_tuning(look):
    request = look().prepared.request
    assert (request.budget, request.finetune_top) == (0.0, 0)


def test_data_that_has_changed_is_refused(look, calls):
    looking = look(fingerprint="0f" * 32)
    for read in (looking.features, looking.maps):
        with pytest.raises(NotApplicable) as refused:
            read(look.model)
        assert refused.value.message == "the data is not what it was when it was ranked"
    assert calls() == []


def test_data_that_has_gone_is_refused_in_half_a_sentence(look, pictures, calls):
    shutil.rmtree(pictures)
    looking = look()
    for read in (looking.features, looking.maps):
        with pytest.raises(NotApplicable) as refused:
            read(look.model)
        assert refused.value.message.startswith("the data cannot be read again: ")
        assert "pictures" in refused.value.message
        assert not refused.value.message.endswith(".")
    assert calls() == []


def test_a_model_that_was_never_asked_about_is_refused(look):
    with pytest.raises(NotApplicable, match=r"\./other cannot be opened any more"):
        look().features("./other")


def test_a_model_whose_weights_have_gone_is_refused(look):
    looking = look()
    assert looking.prepared
    shutil.rmtree(look.model)
    with pytest.raises(NotApplicable, match="net") as refused:
        looking.features(look.model)
    assert "\n" not in refused.value.message
    assert not refused.value.message.endswith(".")


def test_six_samples_are_attributed_and_no_other_goes_through_the_model(look, calls, pictures):
    looking = look()
    maps = looking.maps(look.model)
    made = calls()
    assert made[-1] == ["attribute", EXAMPLES, ["head_input"], ATTRIBUTION]
    assert sum(count for name, count, *_ in made if name == "extract") == EXAMPLES
    assert maps.values.shape == (EXAMPLES, SIDE, SIDE)
    assert (maps.model, maps.layer, maps.method) == (look.model, "head_input", ATTRIBUTION)
    assert maps.samples.tolist() == [0, 2, 4, 6, 8, 11]
    probe = looking.prepared.probe
    assert list(maps.labels) == [probe.label_names[probe.labels[row]] for row in maps.samples]
    assert list(maps.images) == [
        Path(probe.inputs[row].path or "").read_bytes() for row in maps.samples
    ]
    sums = looking.features(look.model).values[maps.samples].sum(axis=1)
    np.testing.assert_allclose(maps.values[:, 0, 0], sums, rtol=1e-6)
    calls()

    again = look(layers={look.model: "head_input"}).maps(look.model)
    np.testing.assert_array_equal(again.values, maps.values)
    assert calls() == []


def test_maps_are_of_the_layer_that_was_ranked(look, calls):
    maps = look(layers={look.model: "logits"}).maps(look.model)
    assert maps.layer == "logits"
    assert calls()[-1] == ["attribute", EXAMPLES, ["head_input", "logits"], ATTRIBUTION]


def test_what_cannot_be_attributed_is_refused_with_the_reason(look, net):
    blind = net("blind", architectures=["BlindForImageClassification"])
    with pytest.raises(NotApplicable, match="no gradient reaches the input") as refused:
        look(models=(blind,)).maps(blind)
    assert not refused.value.message.endswith(".")


def test_texts_are_read_and_not_drawn(look, net, tmp_path):
    lines = [f"{each * 3},{each}" for each in "rgb" for _ in range(5)]
    (tmp_path / "texts.csv").write_text("\n".join(["text,label", *lines]))
    model = net("texts", modality="text")
    looking = look(tmp_path / "texts.csv", (model,))
    with pytest.raises(NotApplicable, match="maps are drawn of images only"):
        looking.maps(model)
    assert looking.features(model).values.shape == (15, 3)


def test_of_several_models_only_the_one_that_is_asked_about_is_opened(look, net, calls):
    other = net("other", architectures=["Other"])
    assert look(models=(look.model, other)).features(other).model == other
    assert sum(count for _, count in calls()) == 12
