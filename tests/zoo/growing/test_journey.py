"""From a checkpoint to a larger one on disk, with the real runtime, family and grower."""

from __future__ import annotations

import json
import shutil

import msgspec
import pytest
import torch
import transformers

from zoo.api import open_catalogue
from zoo.errors import CheckpointError, InputError, OutOfMemoryError
from zoo.growing import journey
from zoo.growing.journey import GrowthReport, grow_checkpoint
from zoo.hookspecs import hookimpl
from zoo.types.growing import Deepen, Widen

TWICE = Widen(width="2x")


@pytest.fixture
def place(tmp_path):
    return tmp_path / "grown"


@pytest.fixture
def empty(tmp_path):
    """Give what is beside the folder that is written, hidden or not."""
    before = {each.name for each in tmp_path.iterdir()}
    return lambda: sorted({each.name for each in tmp_path.iterdir()} - before)


def logits(folder, kind, inputs):
    network = getattr(transformers, kind).from_pretrained(folder, dtype=torch.float32)
    with torch.no_grad():
        return network.eval()(**inputs).logits


def numbers_of(folder):
    from safetensors.torch import load_file

    return {value.dtype for value in load_file(folder / "model.safetensors").values()}


def saved_in(folder, dtype, kind, target):
    """Copy a checkpoint in other numbers."""
    copied = shutil.copytree(folder, target)
    getattr(transformers, kind).from_pretrained(folder, dtype=dtype).save_pretrained(copied)
    return copied


def test_plain_transformers_loads_the_folder_which_answers_as_before(grow, tiny, place):
    report = grow(tiny("vit"), TWICE, Deepen(depth="+1"))
    assert [each.numbers for each in report.proof] == ["fp64", "fp32"]
    assert all(each.passed for each in report.proof)
    assert (report.proof[0].samples, report.real) == (32, 0)
    inputs = {"pixel_values": torch.randn(5, 3, 64, 64)}
    kind = "ViTForImageClassification"
    assert torch.allclose(logits(place, kind, inputs), logits(tiny("vit"), kind, inputs), atol=1e-5)
    old = (tiny("vit") / "preprocessor_config.json").read_bytes()
    assert (place / "preprocessor_config.json").read_bytes() == old


def test_the_folder_holds_the_report_and_a_card(grow, tiny, place):
    report = grow(tiny("bert"), Widen(mlp="+3"), seed=7)
    assert msgspec.json.decode((place / "growth.json").read_bytes(), type=GrowthReport) == report
    card = (place / "README.md").read_text()
    assert "It computes the same function" in card
    assert "seed 7" in card
    named = {"README.md", "config.json", "growth.json", "model.safetensors", "tokenizer.json"}
    assert named <= {path.name for path in place.iterdir()}
    # The card and the report are not counted: they are written last.
    assert 0 < report.bytes <= sum(path.stat().st_size for path in place.iterdir())
    assert set(report.seconds) == {"opening", "growing", "proving", "writing"}
    assert report.versions["torch"] == torch.__version__


def test_the_same_seed_makes_the_same_bytes_and_another_one_others(grow, tiny, place, tmp_path):
    made = []
    for seed in (1, 1, 2):
        grow(tiny("vit"), TWICE, seed=seed)
        made.append((place / "model.safetensors").read_bytes())
        shutil.rmtree(place)
    assert made[0] == made[1] != made[2]


@pytest.mark.parametrize(
    ("name", "kind", "dtype", "called"),
    [
        ("vit", "ViTForImageClassification", torch.bfloat16, "bf16"),
        ("bert", "BertForSequenceClassification", torch.float16, "fp16"),
    ],
)
def test_half_precision_stays_and_is_judged_by_its_own_rounding(
    grow, tiny, place, tmp_path, name, kind, dtype, called
):
    half = saved_in(tiny(name), dtype, kind, tmp_path / "half")
    report = grow(half, TWICE)
    assert [each.numbers for each in report.proof] == ["fp64", "fp32", called]
    assert all(each.passed for each in report.proof)
    assert 1e-6 < report.proof[-1].tolerance < 0.1
    assert numbers_of(place) == {dtype}
    weights = (place / "model.safetensors").stat().st_size
    assert report.plan.after.bytes == pytest.approx(weights, rel=0.1)


@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_decoders_without_a_padding_token_are_grown(grow, tiny, place, name):
    """They refuse a batch of more than one."""
    assert all(each.passed for each in grow(tiny(name), TWICE).proof)
    assert json.loads((place / "config.json").read_bytes())["pad_token_id"] is None


def test_a_folder_of_sentence_transformers_keeps_its_parts(grow, tiny, place, tmp_path):
    sentences = shutil.copytree(tiny("bert", head=False), tmp_path / "sentences")
    parts = [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {
            "idx": 1,
            "name": "1",
            "path": "1_Pooling",
            "type": "sentence_transformers.models.Pooling",
        },
    ]
    (sentences / "modules.json").write_text(json.dumps(parts))
    (sentences / "1_Pooling").mkdir()
    pooling = {"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True}
    (sentences / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    grow(sentences, TWICE)
    assert json.loads((place / "modules.json").read_bytes()) == parts
    said = json.loads((place / "1_Pooling" / "config.json").read_bytes())
    assert said == pooling | {"word_embedding_dimension": 64}
    (sentences / "modules.json").write_text(
        json.dumps([*parts, {"path": "2_Dense", "type": "sentence_transformers.models.Dense"}])
    )
    shutil.rmtree(place)
    with pytest.raises(CheckpointError, match=r"\(Dense\) that has weights of its own"):
        grow(sentences, TWICE)


def test_real_inputs_are_compared_too(grow, tiny, place, tmp_path):
    (tmp_path / "lines.txt").write_text("the film\na very good plot\nthe cat")
    report = grow(tiny("bert"), Widen(mlp="2x"), data=str(tmp_path / "lines.txt"))
    assert (report.proof[0].samples, report.real) == (35, 3)
    assert "32 of noise and 3 real ones" in (place / "README.md").read_text()


def test_a_larger_configuration_gives_a_network_of_it(grow, tiny, place, tmp_path):
    path = tmp_path / "larger.json"
    path.write_text(json.dumps({"hidden_size": 72, "num_attention_heads": 6}))
    assert all(each.passed for each in grow(tiny("vit"), target=str(path)).proof)
    assert json.loads((place / "config.json").read_bytes())["hidden_size"] == 72


def test_what_is_not_exact_is_written_where_that_is_allowed_and_says_how_far_off(grow, tiny, place):
    report = grow(tiny("bert"), Widen(width="1.5x"), allow_inexact=True)
    assert not report.plan.exact
    assert not any(each.passed for each in report.proof)
    assert 1e-4 < report.proof[0].largest < 1
    card = (place / "README.md").read_text()
    assert "It does not compute the function" in card
    assert "* hidden: a norm writes it (post-norm), so that only multiples of 32" in card
    assert json.loads((place / "growth.json").read_bytes())["proof"][0]["largest"] > 1e-4


@pytest.fixture
def wrong(monkeypatch):
    """Let the grower make a mistake."""
    from zoo_growth.net2net import Net2Net

    right = Net2Net.fill

    def fill(self, growth):
        notes = right(self, growth)
        with torch.no_grad():
            growth.new.module.classifier.bias += 0.01
        return notes

    monkeypatch.setattr(Net2Net, "fill", fill)


@pytest.mark.usefixtures("wrong")
def test_a_proof_that_fails_leaves_nothing(grow, tiny, empty):
    with pytest.raises(CheckpointError, match=r"differs by 1\.0e-02 in fp64") as caught:
        grow(tiny("vit"), TWICE)
    assert "nothing was written" in caught.value.message
    assert "report it" in caught.value.hint
    assert empty() == []


@pytest.mark.usefixtures("wrong")
def test_a_proof_that_fails_is_kept_where_that_is_allowed(grow, tiny, place):
    assert not grow(tiny("vit"), TWICE, allow_inexact=True).proof[0].passed
    assert "It does not compute the function" in (place / "README.md").read_text()


def test_what_cannot_be_written_leaves_nothing(grow, tiny, empty, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(journey, "write_atomically", full)
    with pytest.raises(OSError, match="No space"):
        grow(tiny("vit"), TWICE)
    assert empty() == []


def test_an_interrupt_leaves_nothing(grow, tiny, empty, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("zoo.growing.card.write_card", interrupted)
    with pytest.raises(KeyboardInterrupt):
        grow(tiny("vit"), TWICE)
    assert empty() == []


def test_what_was_written_is_read_again(grow, tiny, empty, monkeypatch):
    from zoo_runtimes.learning.whole import TransformersWhole

    right = TransformersWhole.save

    def save(self, folder):
        right(self, folder)
        path = folder / "model.safetensors"
        content = bytearray(path.read_bytes())
        content[-1] ^= 64
        path.write_bytes(content)

    monkeypatch.setattr(TransformersWhole, "save", save)
    with pytest.raises(CheckpointError, match="is not what was written"):
        grow(tiny("vit"), TWICE)
    assert empty() == []


def test_a_folder_that_somebody_fills_meanwhile_stays(grow, tiny, place):
    def meanwhile(prepared):
        place.mkdir()
        (place / "thesis.txt").touch()
        return prepared

    with pytest.raises(InputError, match=r"not empty: it holds thesis\.txt"):
        grow(tiny("vit"), TWICE, change=meanwhile)
    assert [each.name for each in place.iterdir()] == ["thesis.txt"]


def test_without_room_for_float64_the_proof_is_in_float32(grow, tiny, place, monkeypatch):
    free = 2_000_000
    monkeypatch.setattr("zoo.building.estimates.free_memory", lambda _: free)
    report = grow(tiny("vit"), TWICE)
    assert [each.numbers for each in report.proof] == ["fp32"]
    assert "is made in float32 alone" in (place / "README.md").read_text()
    free = 1000
    shutil.rmtree(place)
    with pytest.raises(OutOfMemoryError, match=r"of memory, and 1\.0 kB are free"):
        grow(tiny("vit"), TWICE)
    assert not place.exists()


def test_plugins_are_told_once_of_what_was_built(tiny, place, prepare, settings):
    told = []

    class Listening:
        @hookimpl
        def zoo_model_built(self, result):
            told.append(result)

    catalogue = open_catalogue(settings)
    catalogue.host.register(Listening(), name="listening")
    prepared = prepare(tiny("vit"), TWICE, folder=place)
    report = grow_checkpoint(prepared, str(place), settings, catalogue)
    (built,) = told
    assert (built.command, built.method, built.folder) == ("grow", "net2net", str(place))
    assert built.teachers == {"ancestor": str(tiny("vit"))}
    assert built.parameters == report.plan.after.parameters
    shutil.rmtree(place)
    grow_checkpoint(prepared, str(place), settings, catalogue, quietly=True)
    assert len(told) == 1
