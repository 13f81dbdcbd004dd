"""Whether the checks of runtimes pass ours, and find what is wrong with others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import zoo_runtimes
from zoo.errors import CheckpointError, InputError
from zoo.testing.kit import Trial, checks_of, run_check
from zoo.testing.runtimes import KIT, check_trains
from zoo.types import EncodedInput, RuntimeSpec, Tap


class Trainer:
    def open_teacher(self, checkpoint, options, modality): ...

    def open_student(self, checkpoint, options, modality, request): ...

    def layers(self, checkpoint, modality, student=None): ...


def test_a_runtime_that_does_not_train_has_nothing_to_promise():
    assert check_trains(object()) == []


def test_a_runtime_that_trains_passes():
    assert check_trains(Trainer()) == []


def test_what_is_missing_is_named():
    class Half:
        def open_teacher(self, checkpoint, options, modality): ...

    assert check_trains(Half(), "half") == [
        "half: has open_teacher, and lacks open_student, layers."
    ]


def test_a_method_that_cannot_be_called_is_named_with_how_it_is_called():
    class Old(Trainer):
        def open_student(self, checkpoint, options): ...

        def step_cost(self, checkpoint, modality, batch): ...

    first, second = check_trains(Old())
    assert first.startswith(
        "Old: open_student is called as open_student(checkpoint, options, modality, request): "
    )
    assert "step_cost(checkpoint, modality, batch, *, student, taps)" in second


OURS = {spec.name: spec for spec in zoo_runtimes.zoo_runtimes()}


def outcomes(spec, example=None):
    trial = Trial(noun="runtime", spec=spec, example=example)
    return {check.name: run_check(check, trial) for check in checks_of(trial)}


def test_pytorch_keeps_every_promise():
    for name, outcome in outcomes(OURS["torch"]).items():
        assert (outcome.problems, outcome.not_tried) == ((), ""), name


@pytest.mark.exhaustive
def test_onnx_runtime_keeps_every_promise():
    for name, outcome in outcomes(OURS["onnx"]).items():
        assert outcome.problems == (), name
        assert not outcome.not_tried or name == "trains", name


class Small:
    """A runtime of numpy for tests; what a subclass does is its fault."""

    def identity(self):
        return "small=1"

    def input_key(self, checkpoint, modality):
        return modality

    def prepare(self, checkpoint, inputs):
        return [np.full((3, 4, 4), len(each.data) % 7, np.float32) for each in inputs]

    def open(self, checkpoint, options):
        if not (Path(checkpoint.folder) / "model.safetensors").exists():
            raise CheckpointError("it has no weights.")
        if options.device != "cpu":
            raise InputError(f"there is no {options.device}.")
        return self.backbone()

    def backbone(self):
        return Net()


class Net:
    taps = (Tap(name="head_input", dimension=3), Tap(name="logits", dimension=2))
    default_tap = "head_input"
    budget = 64

    def encode(self, inputs):
        return [EncodedInput(cost=1, data=each) for each in inputs]

    def extract(self, batch, taps):
        rows = np.stack([each.data.mean(axis=(1, 2)) for each in batch])
        both = {"head_input": rows, "logits": rows[:, :2]}
        return {name: both[name] for name in taps}

    def close(self):
        pass


class Centred(Net):
    def extract(self, batch, taps):
        found = super().extract(batch, taps)
        return {name: rows - rows.mean(axis=0) for name, rows in found.items()}


class Counting(Net):
    def extract(self, batch, taps):
        found = super().extract(batch, taps)
        return {
            name: rows + np.arange(len(rows), dtype="f4")[:, None] for name, rows in found.items()
        }


class Short(Net):
    def extract(self, batch, taps):
        return {"head_input": super().extract(batch, taps)["head_input"].astype(float)}


class Hollow(Net):
    def extract(self, batch, taps):
        return {name: np.log(rows * 0) for name, rows in super().extract(batch, taps).items()}


class Writing(Net):
    def encode(self, inputs):
        for each in inputs:
            each[:] = 0
        return super().encode(inputs)


class Boastful(Net):
    device = "cuda:99"


class Reckless(Small):
    def open(self, checkpoint, options):
        (Path(checkpoint.folder) / "model.safetensors").read_bytes()
        (Path(checkpoint.folder) / "opened.txt").write_text("yes")
        return Net()


class Wide(Small):
    def prepare(self, checkpoint, inputs):
        return [np.zeros((4, 4, 3)) for _ in inputs]


class Nameless(Small):
    def identity(self):
        return ""

    def prepare(self, inputs):
        return inputs


FAULTS = {
    "Small": {},
    "Centred": {"batch-free": "input 0 has other features of 'head_input' alone than in a batch"},
    "Counting": {"order-free": "'head_input' depend on the order", "batch-free": "alone"},
    "Short": {"taps": "the tap 'logits' is announced and missing"},
    "Hollow": {"finite": "the features of 'head_input' are not finite"},
    "Writing": {"untouched-input": "it writes into the inputs"},
    "Boastful": {"honest-device": "runs on 'cuda:99', which this machine does not have"},
    "Reckless": {
        "refuses": "opening a checkpoint without weights raises FileNotFoundError",
        "honest-device": "does not say where it runs",
    },
    "Wide": {"prepares": "prepare must give (H, W, 3) uint8 or (C, H, W) float32"},
    "Nameless": {"methods": "identity must give a name"},
}


@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.parametrize("name", FAULTS)
def test_what_is_wrong_with_a_runtime_is_found(name, monkeypatch):
    made = globals()[name]
    if issubclass(made, Net):
        runtime = type(name, (Small,), {"backbone": lambda _: made()})
    else:
        runtime = made
    spec = RuntimeSpec(name="small", target=f"zoo:{name}", summary="numpy", modalities=("image",))
    monkeypatch.setattr("zoo.testing.kit.build", lambda _: runtime())
    trial = Trial(noun="runtime", spec=spec)
    found = {check.name: run_check(check, trial).problems for check in KIT.checks}
    assert any(found.values()) == bool(FAULTS[name]), found
    for check, words in FAULTS[name].items():
        assert any(words in each for each in found[check]), found


def test_a_runtime_of_another_format_takes_an_example(tmp_path, monkeypatch):
    monkeypatch.setattr("zoo.testing.kit.build", lambda _: Small())
    spec = RuntimeSpec(
        name="small", target="zoo:x", summary="", libraries=("pocket",), modalities=("image",)
    )
    check = next(each for each in KIT.checks if each.name == "taps")
    assert "an example tries it" in run_check(check, Trial(noun="runtime", spec=spec)).not_tried
    (tmp_path / "model.safetensors").write_bytes(b"1")
    outcome = run_check(check, Trial(noun="runtime", spec=spec, example=tmp_path))
    assert (outcome.problems, outcome.not_tried) == ((), "")
