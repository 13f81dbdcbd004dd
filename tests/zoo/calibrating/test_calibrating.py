"""Fitting a calibration, keeping it in the folder, and predicting with it."""

from __future__ import annotations

import hashlib
import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

import zoo
from zoo.calibrating import calibrate
from zoo.calibrating.kept import RECORD, TENSORS, load, read
from zoo.catalogue import Catalogue
from zoo.errors import CheckpointError, InputError, OutOfMemoryError, PluginError, UnknownNameError
from zoo.host import PluginHost
from zoo.prediction import predict
from zoo.settings import Settings
from zoo.testing.tiny_checkpoints import build_tiny_checkpoint
from zoo.types import CalibratorSpec

LABELS = [f"LABEL_{number}" for number in range(5)]


class Flattening:
    """A calibrator of a line: probabilities half way to even ones."""

    def __init__(self, *, share: float = 0.5, fault: str = "") -> None:
        self.share, self.fault = share, fault

    def fit(self, network, batches):
        self.seen = [each for each in batches() if each.labels is not None]
        if self.fault == "memory":
            raise MemoryError
        if self.fault == "break":
            raise RuntimeError("something broke")
        if self.fault == "interrupt":
            raise KeyboardInterrupt
        drawn = torch.rand(3, 2)
        return {"share": torch.tensor(self.share), "drawn": drawn}

    def probabilities(self, network, fitted, inputs):
        with torch.no_grad():
            shares = network.observe(inputs, ()).logits.softmax(1)
        if self.fault == "sums":
            return shares * 2
        even = fitted["share"].to(shares)
        return shares * (1 - even) + even / shares.shape[1]


class Plugin:
    @zoo.hookimpl
    def zoo_calibrators(self):
        spec = {"target": f"{__name__}:Flattening", "summary": "half way to even"}
        return [CalibratorSpec(name="flattening", **spec)]


@pytest.fixture
def catalogue(monkeypatch):
    import sys
    import types

    module = types.ModuleType(__name__)
    module.Flattening = Flattening
    monkeypatch.setitem(sys.modules, __name__, module)
    host = PluginHost(strict=True).discover()
    host.register(Plugin(), "test:flattening")
    return Catalogue(host)


@pytest.fixture
def settings(tmp_path):
    return Settings(home=str(tmp_path / "home"), device="cpu", jobs=1)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("built")
    for name in ("resnet", "bert"):
        build_tiny_checkpoint(name, folder / name)
    draw = np.random.default_rng(0)
    for number in range(20):
        path = folder / "labelled" / LABELS[number % 4] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw.integers(0, 255, (40, 40, 3), dtype=np.uint8)).save(path)
    shutil.copytree(folder / "labelled", folder / "photos")
    words = ("a good film", "an awful plot", "the cat and the dog and the bird", "red")
    (folder / "texts.txt").write_text("".join(f"{word}\n" for word in words * 3))
    return folder


@pytest.fixture
def model(built, tmp_path):
    return shutil.copytree(built / "resnet", tmp_path / "resnet")


@pytest.fixture
def fit(model, built, settings, catalogue):
    def run(**how):
        how = {"method": "flattening", "data": str(built / "photos"), **how}
        place, data = how.pop("model", model), how.pop("data")
        return calibrate(place, data, settings, catalogue, **how)

    return run


def test_both_files_appear_and_say_where_they_come_from(fit, model, built):
    weights = hashlib.sha256((model / "model.safetensors").read_bytes()).hexdigest()
    report = fit(evaluation=str(built / "labelled"), options={"share": 0.25})
    record = read(model)
    assert record == report.calibration
    assert (record.method, record.options, record.samples) == ("flattening", {"share": 0.25}, 20)
    assert (record.chosen_by, record.judged_on) == (10, 10)
    assert record.found == {"share": 0.25}
    assert record.before.nll != record.after.nll
    assert record.change.value == pytest.approx(record.after.nll - record.before.nll)
    assert load(model, record)["drawn"].shape == (3, 2)
    assert hashlib.sha256((model / "model.safetensors").read_bytes()).hexdigest() == weights
    assert json.loads((model / RECORD).read_text())["schema_version"] == 1


def test_the_same_seed_gives_the_same_files(fit, model, built):
    contents = []
    for _ in range(2):
        fit(evaluation=str(built / "labelled"))
        contents.append([(model / name).read_bytes() for name in (RECORD, TENSORS)])
    assert contents[0] == contents[1]


def test_without_labels_nothing_is_judged_and_that_is_said(fit, model):
    report = fit(samples=6)
    assert report.calibration.samples == 6
    assert report.calibration.before is None
    assert "without labels nobody can say" in report.warnings[-1]


def test_no_improvement_is_said(fit, built):
    report = fit(evaluation=str(built / "labelled"), options={"share": 0.0})
    assert report.calibration.change.value == pytest.approx(0, abs=1e-6)
    assert "not clearly better" in report.warnings[-1]


@pytest.mark.parametrize(
    ("fault", "kind", "said"),
    [
        ("break", PluginError, "calibrator 'flattening' failed.*something broke"),
        ("memory", OutOfMemoryError, "needs more memory"),
        ("sums", PluginError, "do not sum to one"),
        ("interrupt", KeyboardInterrupt, None),
    ],
)
def test_what_fails_leaves_an_earlier_calibration_as_it_was(fit, model, built, fault, kind, said):
    before = sorted(path.name for path in model.iterdir())
    with pytest.raises(kind, match=said):
        fit(evaluation=str(built / "labelled"), options={"fault": fault})
    assert sorted(path.name for path in model.iterdir()) == before
    fit()
    kept = {path.name: path.read_bytes() for path in model.iterdir()}
    with pytest.raises(kind, match=said):
        fit(evaluation=str(built / "labelled"), options={"fault": fault})
    assert {path.name: path.read_bytes() for path in model.iterdir()} == kept


def test_a_calibrated_folder_predicts_with_it_and_says_so(fit, model, built, settings, catalogue):
    photos = str(built / "photos")
    own = predict(str(model), photos, settings, catalogue, top=5)
    fit()
    found = predict(str(model), photos, settings, catalogue, top=5)
    assert (own.calibrated, found.calibrated) == ("", "flattening")
    assert any("Calibrated by flattening" in note for note in found.notes)
    for one, two in zip(own.predictions, found.predictions, strict=True):
        assert one.input == two.input
        for first, second in zip(one.guesses, two.guesses, strict=True):
            assert second.label == first.label
            assert second.probability == pytest.approx(first.probability / 2 + 0.1, abs=1e-5)
    off = predict(str(model), photos, settings, catalogue, top=5, calibration=False)
    assert (off.predictions, off.calibrated) == (own.predictions, "")


def test_broken_inputs_are_left_out_of_calibrated_predictions(
    fit, model, built, tmp_path, settings, catalogue
):
    fit()
    shutil.copytree(built / "photos" / LABELS[0], tmp_path / "some")
    (tmp_path / "some" / "0broken.png").write_bytes(b"no image")
    found = predict(str(model), str(tmp_path / "some"), settings, catalogue, batch=2)
    assert len(found.predictions) == 5
    assert "0broken.png" in found.failures[0].input


@pytest.mark.parametrize("change", ["weights", "tensors", "record", "gone", "method"])
def test_a_calibration_that_does_not_belong_is_ignored_with_one_sentence(
    fit, model, built, settings, catalogue, change
):
    photos = str(built / "photos")
    own = predict(str(model), photos, settings, catalogue)
    fit()
    record = model / RECORD
    if change == "weights":
        config = json.loads((model / "config.json").read_text())
        (model / "config.json").write_text(json.dumps({**config, "note": "another"}))
    elif change == "tensors":
        (model / TENSORS).write_bytes(b"x")
    elif change == "record":
        record.write_text("{")
    elif change == "gone":
        (model / TENSORS).unlink()
    else:
        record.write_text(record.read_text().replace('"flattening"', '"another"'))
    found = predict(str(model), photos, settings, catalogue)
    assert found.predictions == own.predictions
    assert (len(found.warnings), found.calibrated) == (1, "")
    assert "ignored" in found.warnings[0] or "not used" in found.warnings[0]


def test_texts_are_calibrated_too(fit, built, tmp_path, settings, catalogue):
    model = shutil.copytree(built / "bert", tmp_path / "bert")
    texts = str(built / "texts.txt")
    fit(model=model, data=texts, method="laplace", options={"size": 20})
    found = predict(str(model), texts, settings, catalogue, top=5)
    assert found.calibrated == "laplace"
    assert sum(each.probability for each in found.predictions[0].guesses) == pytest.approx(1)


def test_data_that_cannot_be_used_is_refused(fit, built, tmp_path):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.png").write_bytes(b"no image")
    for data, said in (
        (str(tmp_path / "nothing"), "there is no file or folder"),
        ("-", "only once"),
        (str(tmp_path / "bad"), "none of the 1 samples"),
    ):
        with pytest.raises(InputError, match=said):
            fit(data=data)
    shutil.copytree(built / "labelled" / LABELS[0], tmp_path / "others" / "cats")
    shutil.copytree(built / "labelled" / LABELS[1], tmp_path / "others" / "dogs")
    with pytest.raises(InputError, match="'cats' and 'dogs' are no label of the network"):
        fit(evaluation=str(tmp_path / "others"))


def test_samples_with_unknown_labels_are_left_out(fit, built, tmp_path):
    shutil.copytree(built / "labelled", tmp_path / "mixed")
    shutil.copytree(built / "labelled" / LABELS[0], tmp_path / "mixed" / "cats")
    report = fit(evaluation=str(tmp_path / "mixed"))
    assert report.calibration.chosen_by + report.calibration.judged_on == 20
    assert "'cats' is no label of the network" in report.warnings[0]


def test_models_and_methods_that_cannot_be_used_are_refused(fit, model, tmp_path, built):
    with pytest.raises(UnknownNameError, match=r"no calibrator called 'laplac'.*'laplace'"):
        fit(method="laplac")
    with pytest.raises(InputError, match="is no folder"):
        fit(model="embedded:vit-digit-parity")
    with pytest.raises(InputError, match="no option 'width'"):
        fit(options={"width": 1})
    with pytest.raises(InputError, match=r"laplace.size = 4000, but the head has only 205 weights"):
        fit(method="laplace", options={"size": 4000})
    headless = build_tiny_checkpoint("resnet", tmp_path / "headless", head=False)
    with pytest.raises(CheckpointError, match="no head"):
        fit(model=headless)
    config = json.loads((model / "config.json").read_text())
    for kind in ("regression", "multi_label_classification"):
        (model / "config.json").write_text(json.dumps({**config, "problem_type": kind}))
        with pytest.raises(InputError, match="only heads of one label of many"):
            fit()


def test_devices_and_runtimes_that_cannot_are_refused(model, built, catalogue, settings):
    import msgspec

    for change, said in (
        ({"device": "cuda:7"}, "no device 'cuda:7'"),
        ({"runtime": "onnx"}, "'onnx' computes no gradients"),
    ):
        with pytest.raises(InputError, match=said):
            calibrate(
                model,
                str(built / "photos"),
                msgspec.structs.replace(settings, **change),
                catalogue,
            )
    assert not (model / RECORD).exists()


def test_a_runtime_without_gradients_gives_the_models_own_probabilities(
    fit, model, built, settings, catalogue
):
    import msgspec

    pytest.importorskip("onnxruntime")
    from zoo.calibrating.applying import usable
    from zoo.checkpoints import locate

    fit()
    onnx = msgspec.structs.replace(settings, runtime="onnx")
    candidate, source = locate(str(model), onnx, catalogue)
    found, warnings = usable(source.fetch(candidate), "image", onnx, catalogue)
    assert found is None
    assert "the model's own probabilities: the runtime 'onnx'" in warnings[0]
