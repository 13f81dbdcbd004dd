"""A built model is published whole, or completed by publishing it again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import zoo.building.publishing as module
from zoo.building.card import Built, Ingredient, LossLine, TrainingFacts, metric_table, write_card
from zoo.building.curves import draw, loss_lines, panels_of, read
from zoo.building.label_spaces import TeacherHead, separate, space_in
from zoo.building.licences import joint_licence
from zoo.building.manifest import DataIdentity, Manifest, ModelIdentity
from zoo.building.place import open_unfinished, start
from zoo.building.publishing import Result, complete, publish
from zoo.building.recipe import Recipe, StudentChoice, TeacherChoice
from zoo.building.recipes import load_recipe
from zoo.errors import InputError, ZooError
from zoo.hub.card import front_matter
from zoo.registry import candidate_for
from zoo.sources.folder import FolderSource

RESNET = Path(module.__file__).parents[1] / "embedded" / "resnet-digits-0-4"
SPACE = separate(
    [
        TeacherHead(alias="low", model="hub:org/low", labels=("0", "1")),
        TeacherHead(alias="high", model="./high", labels=("2", "3", "1")),
    ]
)
MANIFEST = Manifest(
    teachers=(
        ModelIdentity(alias="low", model="hub:org/low", digest="d" * 64, revision="c" * 40),
        ModelIdentity(alias="high", model="./high", digest="e" * 64),
    ),
    data=DataIdentity(source="./pictures", samples=1200, fingerprint="f" * 64),
    versions={"python": "3.12", "torch": "2.13"},
)
FILES = {
    "README.md",
    "config.json",
    "label_map.yaml",
    "metrics.json",
    "model.safetensors",
    "preprocessor_config.json",
    "run.yaml",
    "skipped.txt",
}


class Student:
    """Saves what a network would, with a folder of this machine in it."""

    def __init__(self, outputs=5):
        self.outputs = outputs

    def save(self, folder):
        for name in ("model.safetensors", "preprocessor_config.json"):
            shutil.copy(RESNET / name, folder)
        config = json.loads((RESNET / "config.json").read_bytes())
        config["_name_or_path"] = "/home/somebody/resnet"
        config["id2label"] = {str(each): str(each) for each in range(self.outputs)}
        (folder / "config.json").write_text(json.dumps(config))


def built(**others):
    recipe = Recipe(
        teachers=(TeacherChoice(model="org/low"), TeacherChoice(model="./high", alias="high")),
        student=StudentChoice(model="./resnet"),
        method="cfl",
        data="./pictures",
        folder="/home/somebody",
    )
    facts = {
        "name": "digits",
        "task": "image-classification",
        "architecture": "ResNetForImageClassification",
        "parameters": 79637,
        "labels": SPACE.labels,
        "teachers": (
            Ingredient(alias="low", model="hub:org/low", license="mit", revision="c" * 40),
            Ingredient(alias="high", model="./high", license="apache-2.0", labels=3),
        ),
        "student": Ingredient(alias="student", model="embedded:resnet", license="apache-2.0"),
        "recipe": recipe,
        "manifest": MANIFEST,
        "training": TrainingFacts(steps=120, epochs=6, seconds=61.5, peak_bytes=10**9),
        "losses": (LossLine(name="student.soft", first=2.0, last=0.5, weight=1.0),),
        "metrics": {"student": {"joint": {"value": 0.9, "low": 0.8, "high": 1.0, "samples": 9}}},
        "verdict": ("cfl is 1.2 points below kd: a loss.",),
        "notes": ("Batches were halved.",),
        "skipped": 1,
    }
    return Built(**{**facts, **others})


RESULT = Result(
    built=built(),
    space=SPACE,
    metrics={"student": {"joint": {"value": 0.9}}},
    skipped=[("./pictures/b.jpg", "cannot be decoded")],
)


def journal_line(step, **losses):
    rates = {"body": 0.001, "head": 0.002}
    return json.dumps({"step": step, "epoch": step / 4, "losses": losses, "rates": rates})


@pytest.fixture
def place(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def work(place):
    with start(place, "out", built().recipe, MANIFEST) as work:
        work.checkpoints.mkdir()
        (work.checkpoints / "last").touch()
        work.mark("judged")
        yield work


def names_in(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_published_folder_holds_everything_and_nothing_unfinished(work, place):
    lines = [journal_line(step, **{"student.soft": 3.0 / step}) for step in range(1, 9)]
    work.journal.write_text("\n".join(lines) + "\n")
    publish(work, Student(), RESULT)
    assert names_in(place) == FILES | {"training.jsonl", "training.png"}
    assert (place / "training.png").read_bytes().startswith(b"\x89PNG")
    assert not (place / "training").exists()


def test_a_published_folder_is_a_checkpoint_like_any_other(work, place, tmp_path):
    publish(work, Student(), RESULT)
    source = FolderSource(home=str(tmp_path / "home"))
    entry = source.inspect(candidate_for(str(place), None, base=tmp_path))
    assert (entry.task, entry.modality, entry.labels) == ("image-classification", "image", 5)
    assert (entry.license, entry.library) == ("apache-2.0", "transformers")
    assert entry.architecture == "ResNetForImageClassification"


def test_the_configuration_has_the_merged_labels_and_where_they_come_from(work, place):
    publish(work, Student(), RESULT)
    config = json.loads((place / "config.json").read_bytes())
    assert config["id2label"] == dict(zip("01234", SPACE.labels, strict=True))
    assert space_in(config) == SPACE


def test_no_folder_of_this_machine_is_published(work, place, tmp_path):
    publish(work, Student(), RESULT)
    for name in FILES:
        content = (place / name).read_bytes()
        assert b"/home/somebody" not in content, name
        assert str(tmp_path).encode() not in content, name


def test_the_published_recipe_can_be_carried_out_again(work, place):
    publish(work, Student(), RESULT)
    recipe = load_recipe(place / "run.yaml")
    assert [each.alias for each in recipe.teachers] == ["low", "high"]
    assert (recipe.data, recipe.folder) == ("./pictures", "")


def test_inputs_that_could_not_be_read_are_listed(work, place):
    publish(work, Student(), RESULT)
    assert (place / "skipped.txt").read_text() == "./pictures/b.jpg\tcannot be decoded\n"


def test_a_network_of_another_width_is_refused_and_the_training_is_kept(work):
    with pytest.raises(ZooError, match="7 outputs for 5 labels"):
        publish(work, Student(outputs=7), RESULT)
    assert (work.checkpoints / "last").exists()
    publish(work, Student(), RESULT)


@pytest.mark.parametrize("failing", ["_settle_config", "write_map", "write_card"])
def test_a_full_disk_while_staging_is_one_sentence_and_publishing_goes_on(
    work, place, monkeypatch, failing
):
    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(module, failing, full)
        with pytest.raises(ZooError, match="No space left") as caught:
            publish(work, Student(), RESULT)
    assert caught.value.hint == "Make room, then: zoo resume out"
    assert not (place / "config.json").exists()
    publish(work, Student(), RESULT)
    assert names_in(place) == FILES


@pytest.mark.parametrize("moves", range(len(FILES)))
def test_a_publication_that_was_killed_is_completed_later(work, place, monkeypatch, moves):
    replace, done = Path.replace, []

    def killed(self, target):
        if self.parent.name == "publishing" != target.parent.name:
            if len(done) == moves:
                raise KeyboardInterrupt
            done.append(self)
        return replace(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            publish(work, Student(), RESULT)
    work.close()
    assert not (place / "config.json").exists()
    with open_unfinished(place, "out") as again:
        assert again.phase == "publishing"
        complete(again)
    assert names_in(place) == FILES


def test_a_publication_that_was_killed_while_clearing_up_is_a_finished_model(
    work, place, monkeypatch
):
    def killed(_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(module, "clear_training", killed)
        with pytest.raises(KeyboardInterrupt):
            publish(work, Student(), RESULT)
    work.close()
    with pytest.raises(InputError, match="finished already"):
        open_unfinished(place, "out")
    assert names_in(place) == FILES


def test_a_student_without_a_head_has_no_label_map(work, place):
    bare = built(labels=(), task="image-feature-extraction", metrics={}, losses=())
    publish(work, Student(), Result(built=bare, metrics={"student": {}}))
    assert "label_map.yaml" not in names_in(place)
    card = (place / "README.md").read_text()
    assert "AutoModel.from_pretrained" in card
    assert "It was not measured." in card


def test_the_card_begins_with_facts_that_the_hub_understands():
    facts = front_matter(write_card(built()))
    assert facts["license"] == "apache-2.0"
    assert facts["base_model"] == ["org/low"]
    assert facts["pipeline_tag"] == "image-classification"
    assert facts["tags"] == ["zoo", "amalgamation", "cfl"]
    assert "model-index" not in facts


def test_labelled_accuracy_is_a_result_that_the_hub_understands():
    recipe = Recipe(teachers=built().recipe.teachers, evaluation="./val/")
    facts = front_matter(write_card(built(recipe=recipe)))
    (model,) = facts["model-index"]
    (result,) = model["results"]
    assert result["dataset"]["name"] == "val"
    assert result["metrics"] == [{"type": "accuracy", "value": 0.9}]


def test_the_card_says_what_is_bad_and_what_it_was_made_of():
    card = write_card(built())
    for said in (
        "**cfl is 1.2 points below kd: a loss.**",
        "mit (low), apache-2.0 (high), apache-2.0 (student)",
        "cccccccccccc",
        "| 0.900 |",
        "No labels were read",
        "1 could not be read",
        "taught by\nlow, high",
    ):
        assert said in card
    assert "None" not in card


def test_a_card_of_merged_weights_speaks_of_merging():
    merged = built(student=None, training=None, losses=(), base=Ingredient(alias="base", model="b"))
    card = write_card(merged)
    assert "merged weights of" in card
    assert "common ancestor is `b`" in card
    assert "training.png" not in card


@pytest.mark.parametrize(
    ("licences", "chosen", "said"),
    [
        ({"a": "mit", "b": "mit"}, "mit", "All of its sources carry mit"),
        ({"a": "mit", "b": "Apache-2.0"}, "apache-2.0", "apache-2.0 asks the most"),
        ({"a": "mit", "b": "cc-by-nc-4.0"}, "other", "every one of them apply together"),
        ({"a": "mit", "b": None}, "other", "licence of b is not known"),
    ],
)
def test_the_licence_is_the_strictest_or_other(licences, chosen, said):
    licence, why = joint_licence(licences)
    assert licence == chosen
    assert said in why


def test_metrics_become_one_row_a_model():
    columns, rows = metric_table({"student": {"joint": {"value": 0.5}, "n": 3}, "kd": {"n": 4}})
    assert [each.name for each in columns] == ["model", "joint", "n"]
    assert [each.text(rows[1]) for each in columns] == ["kd", "-", "4"]
    assert metric_table({"student": {}}) == ([columns[0]], []) or not metric_table({})[1]


def test_losses_are_summed_up_and_drawn(tmp_path):
    lines = [journal_line(step, **{"student.soft": 40.0 - step}) for step in range(1, 21)]
    lines[3] = journal_line(4, **{"student.soft": 36.0, "kd.soft": 1.0})
    journal = tmp_path / "training.jsonl"
    journal.write_text("\n".join(lines) + '\n{"step": 21, "lo')
    found = read(journal)
    soft, kd = loss_lines(found, {"student.soft": 1.0})
    assert (soft.first, soft.last, soft.weight) == (38.5, 20.5, 1.0)
    assert (kd.first, kd.last, kd.weight) == (1.0, 1.0, None)
    picture = tmp_path / "training.png"
    draw(found, picture, warmup=0.1, title="digits")
    assert {path.name for path in tmp_path.iterdir()} == {"training.jsonl", "training.png"}


def test_losses_of_several_methods_are_drawn_apart_and_belong_to_one_student(tmp_path):
    losses = {"student.soft": 1.0, "kd.soft": 2.0, "student.crd.contrast": 3.0}
    journal = tmp_path / "training.jsonl"
    journal.write_text(journal_line(1, **losses, **{"student.other.contrast": 4.0}) + "\n")
    assert {name: list(each) for name, each in panels_of(read(journal)).items()} == {
        "soft": ["student", "kd"],
        "crd.contrast": ["student"],
        "other.contrast": ["student"],
    }


def test_one_step_can_be_drawn(tmp_path):
    journal = tmp_path / "training.jsonl"
    journal.write_text(journal_line(1, **{"student.soft": 2.0}) + "\n")
    draw(read(journal), tmp_path / "training.png")
