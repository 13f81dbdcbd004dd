"""The output folder: claimed, held, resumed, refused, or left without a trace."""

from __future__ import annotations

import json
import subprocess
import sys

import msgspec
import pytest

from zoo.building.manifest import DataIdentity, Manifest, ModelIdentity, fingerprint
from zoo.building.place import check_place, clear_training, open_unfinished, start
from zoo.building.recipe import Recipe, TeacherChoice
from zoo.errors import InputError
from zoo.types.probe import ImageInput

RECIPE = Recipe(teachers=(TeacherChoice(model="embedded:resnet", alias="birds"),), data="./x")


def model(alias, digest="d1", name="embedded:resnet"):
    return ModelIdentity(alias=alias, model=name, digest=digest)


MANIFEST = Manifest(
    teachers=(model("birds"), model("dogs", "d2")),
    student=model("student", "s"),
    data=DataIdentity(source="./x", samples=3, fingerprint="f"),
    versions={"torch": "2.13"},
)


@pytest.fixture
def place(tmp_path):
    return tmp_path / "a" / "out"


def begun(place):
    return start(place, "out", RECIPE, MANIFEST)


def test_a_new_folder_gets_its_state_and_its_recipe(place):
    with begun(place) as work:
        assert (place / "run.yaml").is_file()
        assert (place / "training" / "state.json").is_file()
        assert (work.phase, work.recipe, work.state.manifest) == ("started", RECIPE, MANIFEST)
        (work.checkpoints / "c").mkdir(parents=True)


def ends(place, error, *written):
    """Build, write something, and end with an error."""
    with begun(place):
        for name in written:
            path = place / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"1")
        raise error


def test_an_empty_folder_will_do_and_stays_when_the_build_fails(place):
    place.mkdir(parents=True)
    with pytest.raises(RuntimeError):
        ends(place, RuntimeError)
    assert list(place.iterdir()) == []


def test_a_failure_before_the_training_leaves_no_trace(place, tmp_path):
    with pytest.raises(RuntimeError):
        ends(place, RuntimeError, "training/teachers/half")
    assert list(tmp_path.iterdir()) == []


def test_what_somebody_else_put_there_is_not_removed(place):
    with pytest.raises(RuntimeError):
        ends(place, RuntimeError, "notes.txt")
    assert [path.name for path in place.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("kind", [RuntimeError, KeyboardInterrupt])
def test_a_checkpoint_survives_every_end(place, kind):
    with pytest.raises(kind):
        ends(place, kind, "training/checkpoints/step")
    with open_unfinished(place, "out") as work:
        assert work.recipe == RECIPE


def test_an_interruption_keeps_what_the_teachers_said(place):
    with pytest.raises(KeyboardInterrupt):
        ends(place, KeyboardInterrupt, "training/teachers/birds")
    assert (place / "training" / "teachers" / "birds").exists()


@pytest.mark.parametrize("kind", [RuntimeError, KeyboardInterrupt])
def test_what_is_resumed_stays_however_it_ends(place, kind):
    with pytest.raises(KeyboardInterrupt):
        ends(place, KeyboardInterrupt, "training/teachers/birds")
    with pytest.raises(kind), open_unfinished(place, "out"):
        raise kind
    assert (place / "training" / "teachers" / "birds").exists()


def test_phases_are_kept(place):
    work = begun(place)
    work.mark("trained")
    work.close()
    again = open_unfinished(place, "out")
    assert again.reached("observed")
    assert not again.reached("judged")
    again.close()


@pytest.mark.parametrize(
    ("make", "said", "hint"),
    [
        (lambda at: at.write_text("x"), "is a file", "-o NEW"),
        (lambda at: (at.mkdir(), (at / "z.txt").touch()), "other things (z.txt)", "-o NEW"),
        (lambda at: (at.mkdir(), (at / "config.json").touch()), "a finished model", "-o NEW"),
        (lambda at: begun(at).close(), "an unfinished run", "zoo resume out"),
        (
            lambda at: (begun(at).close(), (at / "training" / "state.json").write_text("{")),
            "an unfinished run",
            "zoo resume out",
        ),
    ],
)
def test_a_place_that_is_taken_is_refused_in_one_sentence(tmp_path, make, said, hint):
    at = tmp_path / "out"
    make(at)
    with pytest.raises(InputError) as caught:
        check_place(at, "out")
    assert said in caught.value.message
    assert hint in caught.value.hint


def test_a_place_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is a file"):
        check_place(tmp_path / "file" / "out", "file/out")


def test_a_claim_that_was_killed_half_way_is_no_obstacle(place):
    (place / "training").mkdir(parents=True)
    (place / "training" / "lock").touch()
    (place / "training" / ".state-1234.tmp.json").touch()
    begun(place).close()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda at: None, "does not exist"),
        (lambda at: at.touch(), "is a file"),
        (lambda at: at.mkdir(), "holds no run"),
        (lambda at: (at.mkdir(), (at / "config.json").touch()), "is finished already"),
        (
            lambda at: (begun(at).close(), (at / "training" / "state.json").write_text("{")),
            "is damaged",
        ),
    ],
)
def test_what_cannot_be_resumed_is_said(tmp_path, make, said):
    at = tmp_path / "out"
    make(at)
    with pytest.raises(InputError, match=said):
        open_unfinished(at, "out")


def test_a_damaged_state_lets_go_of_the_folder(place):
    begun(place).close()
    state = place / "training" / "state.json"
    whole = state.read_bytes()
    state.write_text("{")
    with pytest.raises(InputError, match="damaged"):
        open_unfinished(place, "out")
    state.write_bytes(whole)
    open_unfinished(place, "out").close()


def test_a_published_model_whose_remains_are_there_loses_them(place):
    work = begun(place)
    (place / "config.json").touch()
    work.mark("published")
    work.close()
    with pytest.raises(InputError, match="is finished already"):
        open_unfinished(place, "out")
    assert not (place / "training").exists()


def test_clearing_takes_folders_and_files(place):
    work = begun(place)
    (work.checkpoints / "deep").mkdir(parents=True)
    (work.training / "training.jsonl").touch()
    clear_training(work)
    assert [path.name for path in place.iterdir()] == ["run.yaml"]


def test_two_processes_cannot_build_in_one_folder(place):
    with begun(place) as work:
        work.checkpoints.mkdir()
        (work.checkpoints / "c").touch()
        program = (
            "from pathlib import Path\n"
            "from zoo.building.place import open_unfinished\n"
            "from zoo.errors import InputError\n"
            "try: open_unfinished(Path(__import__('sys').argv[1]), 'out')\n"
            "except InputError as error: print(error.message)"
        )
        said = subprocess.run(
            [sys.executable, "-c", program, str(place)], capture_output=True, text=True, check=True
        )
    assert "another process" in said.stdout


REPLACE = msgspec.structs.replace


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (REPLACE(MANIFEST, teachers=MANIFEST.teachers[:1]), "the teacher dogs has gone"),
        (REPLACE(MANIFEST, teachers=(*MANIFEST.teachers, model("cats"))), "cats is new"),
        (REPLACE(MANIFEST, teachers=MANIFEST.teachers[::-1]), "another order (birds, dogs"),
        (
            REPLACE(MANIFEST, teachers=(model("birds"), model("dogs", "d9"))),
            "the teacher dogs, embedded:resnet, has other weights",
        ),
        (
            REPLACE(MANIFEST, teachers=(model("birds"), model("dogs", "d9", "embedded:vit"))),
            "the teacher dogs was embedded:resnet and is now embedded:vit",
        ),
        (REPLACE(MANIFEST, student=model("student", "t")), "the student"),
        (REPLACE(MANIFEST, student=None), "the student has gone"),
        (
            REPLACE(MANIFEST, data=DataIdentity(source="./x", samples=4, fingerprint="g")),
            "./x held 3 samples and holds 4 now",
        ),
        (
            REPLACE(MANIFEST, data=DataIdentity(source="./y", samples=3, fingerprint="g")),
            "the data was ./x and is now ./y",
        ),
        (
            REPLACE(MANIFEST, data=DataIdentity(source="./x", samples=3, fingerprint="g")),
            "the samples of ./x are not those of before",
        ),
    ],
)
def test_a_resumed_build_refuses_anything_else(place, now, said):
    with begun(place) as work:
        with pytest.raises(InputError) as caught:
            work.check_manifest(now)
        assert said in caught.value.message
        assert "'out'" in caught.value.message


def test_the_same_teachers_are_accepted_and_other_versions_are_told(place):
    with begun(place) as work:
        assert work.check_manifest(MANIFEST) == ()
        (note,) = work.check_manifest(REPLACE(MANIFEST, versions={"torch": "2.14"}))
    assert "torch 2.13 -> 2.14" in note


def test_the_state_is_plain_json(place):
    with begun(place):
        state = json.loads((place / "training" / "state.json").read_bytes())
    assert state["manifest"]["teachers"][1]["alias"] == "dogs"


def test_a_fingerprint_follows_names_sizes_and_contents(tmp_path):
    def images(folder, sizes):
        found = []
        for name, size in sizes.items():
            path = tmp_path / folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"x" * size)
            found.append(ImageInput(name=f"{folder}/{name}", path=str(path)))
        return fingerprint(folder, found, [each.name for each in found])

    first = images("one", {"a.png": 1, "b.png": 2})
    assert images("two", {"a.png": 1, "b.png": 2}) == first
    assert images("three", {"a.png": 1, "b.png": 3}) != first
    assert images("four", {"a.png": 1, "c.png": 2}) != first
    names = ["1", "2"]
    texts = fingerprint("t.txt", ["a", ("b", "c")], names)
    assert fingerprint("t.txt", ["a", ("b", "c")], names) == texts
    assert fingerprint("t.txt", ["a", ("bc", "")], names) != texts
    assert fingerprint("t.txt", [ImageInput(name="1", data=b"z"), None], names) != texts


@pytest.mark.parametrize(
    ("wanted", "made", "hint"),
    [
        ("calibrate: laplace\n", "", "zoo calibrate ./"),
        ("calibrate: laplace\n", "calibration.json", "zoo predict"),
        ("onnx: true\n", "", "zoo export ./"),
        ("", "", "zoo predict"),
        ("no: recipe\n", "", "zoo predict"),
    ],
)
def test_what_was_still_to_be_added_to_a_finished_model_is_said(
    tmp_path, monkeypatch, wanted, made, hint
):
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "done"
    place.mkdir()
    (place / "config.json").write_text("{}")
    (place / "run.yaml").write_text("command: distill\n" + wanted)
    if made:
        (place / made).touch()
    with pytest.raises(InputError) as caught, open_unfinished(place, "done"):
        pass
    assert hint in str(caught.value.hint)
