"""What a student starts from, and what its teachers keep."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import msgspec
import pytest
import torch

from zoo.errors import CheckpointError, UnknownNameError
from zoo.types.model import Checkpoint, ModelEntry
from zoo.types.runtimes import RuntimeOptions
from zoo.types.training import StudentRequest, Trains

OPTIONS = RuntimeOptions()
LABELS = ("a", "b", "c", "d", "e")
REQUEST = StudentRequest(labels=LABELS, seed=3)
EMBEDDED = Path(__import__("zoo").__file__).parent / "embedded"


def state(network):
    return {key: value.clone() for key, value in network.module.state_dict().items()}


def differing(one, other):
    return {key for key in one if not torch.equal(one[key], other[key])}


def open_student(runtime, checkpoint, **settings):
    request = StudentRequest(**{"labels": LABELS, "seed": 3, **settings})
    return runtime.open_student(checkpoint, OPTIONS, checkpoint.entry.modality, request)


def images(network, count=8):
    generator = torch.Generator().manual_seed(0)
    shape = next(iter(network.reader.samples().values())).shape[1:]
    return {"pixel_values": torch.randn(count, *shape, generator=generator)}


def bare(checkpoint, folder, *kept):
    """Copy only some files of a checkpoint."""
    folder.mkdir()
    for name in ("config.json", *kept):
        shutil.copy(Path(checkpoint.folder) / name, folder)
    return msgspec.structs.replace(checkpoint, folder=str(folder), digest=str(folder))


def embedded(name):
    entry = ModelEntry(ref=f"embedded:{name}", modality="image")
    return Checkpoint(entry=entry, folder=str(EMBEDDED / name), digest=name)


def test_the_runtime_trains(runtime):
    assert isinstance(runtime, Trains)


@pytest.mark.parametrize("name", ["resnet", "bert", "poolformer", "roberta"])
def test_the_body_is_pretrained_and_the_head_is_new(name, runtime, tiny_checkpoint):
    checkpoint = tiny_checkpoint(name)
    teacher = runtime.open_teacher(checkpoint, OPTIONS, checkpoint.entry.modality)
    assert len(teacher.head.labels) == len(LABELS)
    student = open_student(runtime, checkpoint)
    new = differing(state(teacher), state(student))
    heads = {"resnet": "classifier.1.", "roberta": "classifier.out_proj."}
    assert any(key.startswith(heads.get(name, "classifier.")) for key in new)
    assert all(key.startswith("classifier.") for key in new)


@pytest.mark.parametrize("initial", ["pretrained", "random"])
def test_a_student_follows_its_seed_and_draws_from_nobody_else(initial, runtime, tiny_checkpoint):
    checkpoint = tiny_checkpoint("vit")
    before = torch.get_rng_state(), random.getstate()
    first = state(open_student(runtime, checkpoint, initial=initial))
    after = torch.get_rng_state(), random.getstate()
    assert torch.equal(before[0], after[0])
    assert before[1] == after[1]
    torch.rand(1)
    again = state(open_student(runtime, checkpoint, initial=initial))
    other = state(open_student(runtime, checkpoint, initial=initial, seed=4))
    assert not differing(first, again)
    drawn = differing(first, other)
    assert drawn
    assert initial == "random" or all(key.startswith("classifier.") for key in drawn)


def test_a_random_student_needs_only_a_configuration(runtime, tiny_checkpoint, tmp_path):
    alone = bare(tiny_checkpoint("resnet"), tmp_path / "alone")
    like = tiny_checkpoint("vit")
    with pytest.raises(CheckpointError, match=r"no preprocessor_config\.json"):
        open_student(runtime, alone, initial="random")
    student = open_student(runtime, alone, initial="random", inputs_like=like)
    assert student.reader.key == runtime.open_teacher(like, OPTIONS, "image").reader.key
    student.save(tmp_path / "saved")
    saved, theirs = (
        (Path(folder) / "preprocessor_config.json").read_bytes()
        for folder in (tmp_path / "saved", like.folder)
    )
    assert saved == theirs
    with pytest.raises(CheckpointError, match="no safetensors weights"):
        open_student(runtime, alone, inputs_like=like)


def test_own_preprocessing_comes_before_that_of_the_teacher(runtime, tiny_checkpoint):
    own = open_student(runtime, tiny_checkpoint("resnet"))
    student = open_student(
        runtime, tiny_checkpoint("resnet"), inputs_like=tiny_checkpoint("dinov2")
    )
    assert student.reader.key == own.reader.key


def test_a_student_of_texts_takes_over_a_tokenizer_that_fits(runtime, tiny_checkpoint, tmp_path):
    alone = bare(tiny_checkpoint("distilbert"), tmp_path / "alone", "model.safetensors")
    like = tiny_checkpoint("bert")
    student = open_student(runtime, alone, inputs_like=like)
    student.save(tmp_path / "saved")
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "saved")
    assert tokenizer(["a cat"])["input_ids"] == [[2, 6, 21, 3]]


def test_a_tokenizer_that_knows_more_than_the_student_is_refused(
    runtime, tiny_checkpoint, tmp_path
):
    alone = bare(tiny_checkpoint("distilbert"), tmp_path / "alone", "model.safetensors")
    request = StudentRequest(labels=LABELS, inputs_like=tiny_checkpoint("gpt2"))
    message = "knows 128 tokens and has no tokenizer of its own"
    with pytest.raises(CheckpointError, match=message):
        runtime.layers(alone, "text", request)
    with pytest.raises(CheckpointError, match=message):
        runtime.open_student(alone, OPTIONS, "text", request)


@pytest.mark.parametrize("name", ["dinov2", "distilbert"])
def test_a_student_without_labels_is_an_extractor(name, runtime, tiny_checkpoint, tmp_path):
    from transformers import AutoModel

    checkpoint = tiny_checkpoint(name)
    student = open_student(runtime, checkpoint, labels=())
    assert student.head is None
    observed = student.observe(student.reader.samples(), [student.layers[-1].tap])
    assert observed.logits is None
    assert observed.features[student.layers[-1].tap].requires_grad
    student.save(tmp_path)
    plain = AutoModel.from_pretrained(tmp_path)
    assert not differing(state(student), plain.state_dict())
    planned, parameters = runtime.layers(
        checkpoint, checkpoint.entry.modality, StudentRequest(labels=())
    )
    assert tuple(planned) == tuple(student.layers)
    assert parameters == plain.num_parameters()


def test_a_teacher_without_a_head_says_nothing(runtime, tiny_checkpoint):
    teacher = runtime.open_teacher(tiny_checkpoint("vit", head=False), OPTIONS, "image")
    assert teacher.head is None
    assert teacher.observe(images(teacher), ["block.3"]).logits is None


@pytest.mark.parametrize("name", ["clip", "siglip"])
def test_the_image_tower_of_two_can_be_a_student(name, runtime, tiny_checkpoint, tmp_path):
    from transformers import AutoModelForImageClassification

    checkpoint = tiny_checkpoint(name)
    teacher = runtime.open_teacher(checkpoint, OPTIONS, "image")
    student = runtime.open_student(checkpoint, OPTIONS, "image", REQUEST)
    inputs = student.reader.samples()
    last = student.layers[-1].tap
    with torch.no_grad():
        torch.testing.assert_close(
            student.observe(inputs, [last]).features[last],
            teacher.observe(inputs, [last]).features[last],
        )
        student.save(tmp_path)
        plain = AutoModelForImageClassification.from_pretrained(tmp_path).eval()
        torch.testing.assert_close(plain(**inputs).logits, student.observe(inputs, []).logits)


def test_a_step_of_the_student_leaves_the_teacher_as_it_was(runtime, tiny_checkpoint):
    checkpoint = tiny_checkpoint("resnet")
    teacher = runtime.open_teacher(checkpoint, OPTIONS, "image")
    student = open_student(runtime, checkpoint)
    teachers, students = state(teacher), state(student)
    optimiser = torch.optim.Adam(student.module.parameters(), lr=0.1)
    inputs = images(student)
    student.module.train()
    with torch.no_grad():
        taught = teacher.observe(inputs, ["stage.4"])
    learned = student.observe(inputs, ["stage.4"])
    loss = (learned.features["stage.4"] - taught.features["stage.4"]).square().mean()
    (loss + (learned.logits - taught.logits).square().mean()).backward()
    optimiser.step()
    assert not differing(teachers, state(teacher))
    changed = differing(students, state(student))
    assert {key for key in changed if key.endswith("weight")} == {
        key for key in students if key.endswith("weight")
    }
    assert any(key.endswith("running_mean") for key in changed)


def test_hooks_stay_where_they_are_and_never_add_up(runtime, tiny_checkpoint):
    def hooks():
        return sum(len(part._forward_hooks) for part in teacher.module.modules())

    teacher = runtime.open_teacher(tiny_checkpoint("resnet"), OPTIONS, "image")
    inputs, before = images(teacher), hooks()
    counts = []
    for taps in (["stage.4"], ["stage.4"], [], ["stage.1", "stage.4"], ["stage.4"]):
        found = teacher.observe(inputs, taps)
        assert list(found.features) == taps
        counts.append(hooks() - before)
    assert counts == [1, 1, 0, 2, 1]
    with pytest.raises(UnknownNameError, match=r"no layer called 'stage\.9'"):
        teacher.observe(inputs, ["stage.9"])


def test_features_can_be_read_in_inference_mode(runtime, tiny_checkpoint):
    teacher = runtime.open_teacher(tiny_checkpoint("vit"), OPTIONS, "image")
    with torch.inference_mode():
        assert teacher.observe(images(teacher), ["block.3"]).features["block.3"].shape[0] == 8


def test_norms_of_random_students_learn_statistics(runtime, tiny_checkpoint):
    student = open_student(runtime, tiny_checkpoint("mobilenet_v1"), initial="random")
    student.module.train()
    norms = [part for part in student.module.modules() if isinstance(part, torch.nn.BatchNorm2d)]
    assert all(part.training and part.momentum == 0.1 for part in norms)


def test_no_classifier_of_the_architecture_is_one_sentence(runtime, tiny_checkpoint):
    checkpoint = tiny_checkpoint("clip")
    with pytest.raises(CheckpointError, match=r"no ForSequenceClassification class of .* 'clip'"):
        runtime.layers(checkpoint, "text", REQUEST)
    with pytest.raises(CheckpointError, match="an encoder and writes with a decoder"):
        runtime.layers(tiny_checkpoint("t5"), "text", REQUEST)


def test_what_cannot_be_opened_is_one_sentence(runtime, tiny_checkpoint, tmp_path):
    checkpoint = tiny_checkpoint("resnet")
    weightless = bare(checkpoint, tmp_path / "weightless", "preprocessor_config.json")
    with pytest.raises(CheckpointError, match="no safetensors weights"):
        runtime.open_teacher(weightless, OPTIONS, "image")
    assert runtime.layers(weightless, "image") == runtime.layers(checkpoint, "image")
    (tmp_path / "weightless" / "config.json").unlink()
    for request in (None, REQUEST):
        with pytest.raises(CheckpointError, match=r"no config\.json"):
            runtime.layers(weightless, "image", request)
    with pytest.raises(CheckpointError, match="reads audio"):
        runtime.open_teacher(tiny_checkpoint("wav2vec2"), OPTIONS, "audio")


def test_weights_of_another_body_are_refused(runtime, tiny_checkpoint, tmp_path):
    checkpoint = tiny_checkpoint("resnet")
    other = bare(checkpoint, tmp_path / "other", "model.safetensors", "preprocessor_config.json")
    path = tmp_path / "other" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "hidden_sizes": [16, 24, 32, 48]}))
    with pytest.raises(CheckpointError, match="do not fit its config"):
        open_student(runtime, other)


def test_embedded_checkpoints_teach_and_learn(runtime):
    teachers = [
        runtime.open_teacher(embedded(name), OPTIONS, "image")
        for name in ("resnet-digits-0-4", "vit-digit-parity")
    ]
    labels = tuple(label for each in teachers for label in each.head.labels)
    names = tuple(f"{number}/{label}" for number, label in enumerate(labels))
    student = open_student(runtime, embedded("convnext-glyphs"), labels=names)
    assert student.observe(student.reader.samples(), []).logits.shape == (2, len(names))


def test_images_of_the_teachers_that_do_not_fit_are_one_sentence(
    runtime, tiny_checkpoint, tmp_path
):
    alone = bare(tiny_checkpoint("vit"), tmp_path / "alone")
    with pytest.raises(CheckpointError, match="doesn't match model") as caught:
        open_student(runtime, alone, initial="random", inputs_like=tiny_checkpoint("dinov2"))
    assert caught.value.hint == "Put preprocessing of its own into its folder."


def test_what_is_observed_is_float32_in_every_precision(runtime, tiny_checkpoint):
    student = open_student(runtime, tiny_checkpoint("resnet"))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        observed = student.observe(images(student), ["stage.4"])
    assert observed.logits.dtype == observed.features["stage.4"].dtype == torch.float32


def test_a_teacher_can_be_saved_as_it_was(runtime, tiny_checkpoint, tmp_path):
    from transformers import AutoModelForImageClassification

    teacher = runtime.open_teacher(tiny_checkpoint("resnet"), OPTIONS, "image")
    teacher.save(tmp_path)
    plain = AutoModelForImageClassification.from_pretrained(tmp_path)
    assert not differing(state(teacher), plain.state_dict())


@pytest.mark.parametrize("name", ["resnet", "bert", "mobilenet_v2"])
def test_a_head_that_is_kept_computes_what_it_did(name, runtime, tiny_checkpoint):
    checkpoint = tiny_checkpoint(name)
    teacher = runtime.open_teacher(checkpoint, OPTIONS, checkpoint.entry.modality)
    student = open_student(runtime, checkpoint, labels=teacher.head.labels, head="keep")
    assert not differing(state(teacher), state(student))
    assert student.head.labels == teacher.head.labels
    assert all(each.requires_grad for each in student.module.parameters())
    inputs = student.reader.samples()
    with torch.no_grad():
        said, before = (each.observe(inputs, ()).logits for each in (student, teacher))
    assert torch.allclose(said, before, atol=1e-5)


def test_a_head_that_the_files_lack_cannot_be_kept(runtime, tiny_checkpoint, broken_copy):
    from safetensors.torch import load_file, save_file

    checkpoint = broken_copy(tiny_checkpoint("resnet"))
    path = Path(checkpoint.folder) / "model.safetensors"
    weights = load_file(path)
    save_file({k: v for k, v in weights.items() if not k.startswith("classifier")}, path)
    request = StudentRequest(labels=LABELS, head="keep")
    with pytest.raises(CheckpointError, match=r"lack classifier.*cannot be kept") as caught:
        runtime.open_student(checkpoint, OPTIONS, "image", request)
    assert "--head new" in caught.value.hint
    assert runtime.open_student(checkpoint, OPTIONS, "image", REQUEST).head.labels == LABELS
