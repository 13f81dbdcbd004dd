"""``zoo models compare`` on tiny checkpoints, through the real engine."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image

from zoo.testing.tiny_checkpoints import build_tiny_checkpoint


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Pictures of two classes, checkpoints of three families, and a store the tests share."""
    folder = tmp_path_factory.mktemp("compare")
    random = np.random.default_rng(0)
    for number in range(16):
        name = ("dark", "light")[number % 2]
        (folder / "photos" / name).mkdir(parents=True, exist_ok=True)
        small = random.integers(0, 120, (6, 6, 3)) + 120 * (number % 2)
        picture = Image.fromarray(small.astype(np.uint8)).resize((70, 60))
        picture.save(folder / "photos" / name / f"{number}.png")
    for name in ("resnet", "vit", "convnext", "bert"):
        build_tiny_checkpoint(name, folder / name)
    shutil.copytree(folder / "vit", folder / "broken")
    (folder / "broken" / "model.safetensors").write_bytes(b"\0" * 100)
    return folder


@pytest.fixture
def compare(zoo, place, monkeypatch):
    """Run ``zoo models compare`` among the checkpoints."""
    monkeypatch.chdir(place)
    monkeypatch.setenv("ZOO_HOME", str(place / "home"))

    def run(*arguments):
        return zoo("models", "compare", *arguments, "--device", "cpu")

    return run


MODELS = ("./resnet", "./vit", "./convnext")


@pytest.mark.exhaustive
def test_all_names_every_estimator_that_compares(compare):
    result = compare("./resnet", "./vit", "--data", "photos", "-e", "all", "--json")
    assert result.code == 0, result.err
    assert {"depara", "rsa", "dds"} <= result.document["similarity"].keys()


@pytest.mark.exhaustive
def test_models_of_different_families_have_a_map_for_each_estimator(compare, place):
    page = place / "map.html"
    arguments = (*MODELS, "--data", "photos", "-e", "depara", "-e", "rsa", "--html", page)
    result = compare(*arguments, "--json")
    assert result.code == 0, result.err
    document = result.document
    assert document["schema_version"] == 1
    assert document["kind"] == "agreement"
    assert document["models"] == list(MODELS)
    assert set(document["similarity"]) == {"depara", "rsa"}
    for name, largest in (("depara", 1.25), ("rsa", 100)):
        matrix = np.array(document["similarity"][name])
        assert matrix.shape == (3, 3)
        np.testing.assert_allclose(matrix, matrix.T, atol=1e-9)
        np.testing.assert_allclose(np.diag(matrix), largest)
        assert (matrix <= largest + 1e-9).all()
        others = matrix[~np.eye(3, dtype=bool)].reshape(3, 2).mean(axis=1)
        one = next(each for each in document["agreement"] if each["estimator"] == name)
        np.testing.assert_allclose(one["mean"], others)
    text = page.read_text(encoding="utf-8")
    assert text.count("<svg") == 2
    assert "agreement, not transferability" in text
    assert "http" not in text.replace("http-equiv", "")


def test_people_see_short_names_and_that_it_is_agreement(compare):
    result = compare(*MODELS, "--data", "photos")
    assert result.code == 0, result.err
    lines = result.out.splitlines()
    assert lines[0] == "Agreement in the eyes of depara"
    assert lines[1].split() == ["#", "MODEL", "1", "2", "3", "MEAN"]
    assert lines[2].split()[1] == "resnet"
    assert "Most alike in the eyes of depara:" in result.err
    assert "not transferability" in result.err


def test_quiet_prints_the_references(compare):
    assert compare(*MODELS, "--data", "photos", "-q").out.split() == list(MODELS)


def test_a_broken_checkpoint_takes_none_of_the_others_down(compare):
    result = compare("./resnet", "./broken", "./vit", "--data", "photos", "--json")
    assert result.code == 3
    document = result.document
    assert document["models"] == ["./resnet", "./vit"]
    assert [failure["model"] for failure in document["failures"]] == ["./broken"]
    assert np.isfinite(np.array(document["similarity"]["depara"])).all()


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("./vit", "--data", "photos"), 2, "at least 2 models, and there is 1 named"),
        (("./vit", "./vit", "--data", "photos"), 2, "there is 1 named"),
        (("./vit", "./absent", "--data", "photos"), 2, "./absent"),
        (("./vit", "./resnet"), 2, "--data"),
        (("./vit", "./resnet", "--data", "absent"), 2, "absent"),
        (("./vit", "./resnet", "--data", "photos", "-e", "logme"), 2, "'logme' compares no model"),
        (("./vit", "./resnet", "--data", "photos", "-e", "rsaa"), 2, "Did you mean 'rsa'"),
        (("./vit", "./broken", "--data", "photos"), 1, "at least 2 models that can be measured"),
        (("./vit", "./bert", "--data", "photos"), 1, "and there is 1 (./bert: "),
        (("./vit", "./resnet", "--data", "photos", "--html", "no/map.html"), 2, "does not exist"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(compare, arguments, code, sentence):
    result = compare(*arguments)
    assert result.code == code, result.err
    assert sentence in result.err
    assert "Traceback" not in result.err
    assert not result.out
