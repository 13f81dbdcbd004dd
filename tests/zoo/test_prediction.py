"""What a head says: probabilities, failures of single inputs, and bounded memory."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import zoo
from zoo.errors import CheckpointError, InputError, PluginError
from zoo.exporting import export
from zoo.prediction import predict, probabilities


@pytest.fixture
def judge(catalogue, settings):
    def judge(model, data, **question):
        return predict(model, str(data), settings, catalogue, **question)

    return judge


def best(found):
    return [each.guesses[0].label for each in found.predictions]


def test_every_input_gets_its_most_probable_label_in_order(judge, net, pictures):
    found = judge(net(), pictures)
    assert best(found) == ["blue"] * 4 + ["green"] * 4 + ["red"] * 4
    assert [each.input for each in found.predictions][:2] == [
        f"{pictures}/blue/0.png",
        f"{pictures}/blue/1.png",
    ]
    assert (found.kind, found.labels) == ("classification", ("red", "green", "blue"))
    assert (found.runtime, found.device) == ("pocket", "cpu")
    logits = np.array([10, 10, 250]) / 255 * 4
    expected = np.exp(logits) / np.exp(logits).sum()
    assert found.predictions[0].guesses[0].probability == pytest.approx(expected[2], rel=1e-6)


def test_the_best_k_are_sorted_and_add_up(judge, net, pictures):
    for top, number in ((2, 2), (9, 3)):
        for each in judge(net(f"net{top}"), pictures, top=top).predictions:
            shares = [guess.probability for guess in each.guesses]
            assert shares == sorted(shares, reverse=True)
            assert len(shares) == number
    assert sum(shares) == pytest.approx(1)


def test_an_exported_folder_says_the_same(judge, net, pictures, tmp_path, settings, catalogue):
    model = net()
    export(model, tmp_path / "exported", settings, catalogue)
    first, second = judge(model, pictures), judge(str(tmp_path / "exported"), pictures)
    assert first.predictions == second.predictions
    assert second.model == str(tmp_path / "exported")


def test_labels_that_do_not_exclude_each_other(judge, net, tmp_path):
    (tmp_path / "t.txt").write_text("rrrr gggg\nx\n")
    found = judge(net(modality="text", kind="multi-label"), tmp_path / "t.txt", top=3)
    first, second = found.predictions
    assert [round(each.probability, 3) for each in first.guesses] == [1.0, 1.0, 0.5]
    assert [each.probability for each in second.guesses] == [0.5] * 3


def test_numbers_are_values_in_the_order_of_the_head(judge, net, tmp_path):
    (tmp_path / "t.txt").write_text("g rr\n")
    (found,) = judge(net(modality="text", kind="regression"), tmp_path / "t.txt").predictions
    said = [(each.label, each.value, each.probability) for each in found.guesses]
    assert said == [("red", 8, None), ("green", 4, None), ("blue", 0, None)]
    assert b"probability" not in msgspec.json.encode(found)


def test_texts_and_pairs(judge, net, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("premise,hypothesis\nlonger here,b\na,longer here\n,x\n")
    found = judge(net(modality="text"), path)
    assert best(found) == ["red", "green"]
    assert [each.input for each in found.failures] == ["t.csv row 4"]


def test_an_unreadable_image_among_many_is_listed_and_the_others_go_on(judge, net, pictures):
    (pictures / "green" / "2.png").write_bytes(b"no image")
    found = judge(net(), pictures)
    assert len(found.predictions) == 11
    (failure,) = found.failures
    assert failure.input == f"{pictures}/green/2.png"
    assert failure.input in failure.error
    assert failure.hint == "Replace it."


def test_nothing_that_can_be_read_is_an_error(judge, net, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"none of the 1 inputs .*: cannot read the image"):
        judge(net(), tmp_path / "bad.png")


def test_values_that_are_not_finite_are_listed(judge, net, pictures):
    Image.new("RGB", (2, 2), (1, 2, 3)).save(pictures / "nan.png")
    found = judge(net(), pictures)
    assert len(found.predictions) == 12
    assert "no finite numbers" in found.failures[0].error


def test_memory_is_bounded_and_batches_are_as_asked(judge, net, tmp_path, pocket):
    (tmp_path / "t.txt").write_text("\n".join(["r g b"] * 150))
    told = []
    found = judge(net(modality="text"), tmp_path / "t.txt", on_prediction=told.append)
    assert len(found.predictions) == len(told) == 150
    assert max(pocket.batches) == 8  # its budget of 64 at a cost of 8
    pocket.batches.clear()
    judge(net("other", modality="text"), tmp_path / "t.txt", batch=100)
    assert pocket.batches == [100, 50]


def test_progress_is_told(judge, net, pictures):
    events = []
    judge(net(), pictures, on_event=events.append)
    assert [(each.done, each.total) for each in events if each.kind == "batch"] == [(12, 12)]
    assert any("pocket on cpu" in each.message for each in events)


def test_a_checkpoint_without_a_head_is_sent_elsewhere(judge, net, pictures):
    with pytest.raises(CheckpointError, match="has no head that predicts") as caught:
        judge(net(head=False), pictures)
    assert "zoo recommend" in caught.value.hint
    assert "zoo taps" in caught.value.hint


def test_it_is_not_even_downloaded(judge, net, pictures, monkeypatch, pocket):
    monkeypatch.setattr("zoo.sources.folder.FolderSource.missing_bytes", lambda *_: 7)
    with pytest.raises(CheckpointError, match="has no head that predicts"):
        judge(net(head=False), pictures)
    assert not pocket.opened


def test_a_gpu_that_is_not_here_is_an_error(net, pictures, catalogue, settings, monkeypatch):
    monkeypatch.setattr("zoo.engine.machine.may_have_gpu", lambda: False)
    wanted = msgspec.structs.replace(settings, device="cuda")
    with pytest.raises(InputError, match="no device 'cuda'"):
        predict(net(), str(pictures), wanted, catalogue)
    with pytest.raises(InputError, match="is not a device"):
        predict(
            net("other"), str(pictures), msgspec.structs.replace(settings, device="gpu"), catalogue
        )


def test_a_runtime_that_does_not_open_it(net, pictures, tmp_path, catalogue, settings):
    export(net(), tmp_path / "exported", settings, catalogue)
    host = catalogue.host
    path = tmp_path / "exported" / "zoo_export.json"
    path.write_text(path.read_text().replace('"pocket"', '"other"'))
    assert not host.failures
    with pytest.raises(CheckpointError, match="no runtime opens image checkpoints of other"):
        predict(str(tmp_path / "exported"), str(pictures), settings, catalogue)
    named = msgspec.structs.replace(settings, runtime="pocket")
    with pytest.raises(InputError, match="'pocket' does not open other checkpoints"):
        predict(str(tmp_path / "exported"), str(pictures), named, catalogue)


def test_a_runtime_that_breaks_its_promises_is_named(judge, net, pictures, monkeypatch):
    import pocket_runtime

    monkeypatch.setattr(
        pocket_runtime.Backbone, "extract", lambda self, batch, taps: {"logits": np.zeros((1, 9))}
    )
    with pytest.raises(PluginError, match=r"'pocket' gave logits of shape \(1, 9\)"):
        judge(net(), pictures)


def test_the_function_of_the_package(net, pictures, settings, monkeypatch, catalogue):
    monkeypatch.setattr("zoo.api.open_catalogue", lambda _: catalogue)
    found = zoo.predict(net(), Path(pictures), settings=settings, top=2)
    assert len(found.predictions[0].guesses) == 2


@given(
    logits=st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=9),
    shift=st.floats(-1e3, 1e3),
)
def test_probabilities_are_shares_that_a_shift_does_not_change(logits, shift):
    values = np.array(logits)
    shares = probabilities(values, "classification")
    assert shares.sum() == pytest.approx(1)
    assert ((shares >= 0) & (shares <= 1)).all()
    np.testing.assert_allclose(probabilities(values + shift, "classification"), shares, atol=1e-6)
    each = probabilities(values, "multi-label")
    np.testing.assert_allclose(each + probabilities(-values, "multi-label"), 1, atol=1e-12)


def test_eight_bits_are_for_exported_folders(net, pictures, catalogue, settings):
    small = msgspec.structs.replace(settings, precision="int8")
    with pytest.raises(InputError, match="does not run in int8"):
        predict(net(), str(pictures), small, catalogue)
