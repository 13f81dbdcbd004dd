"""``--reference`` and ``--label-encoder``: what some estimators read beside the features."""

from __future__ import annotations

import shutil

import pytest

COMPARING = ("-e", "rsa", "-e", "depara", "-e", "knn")


@pytest.fixture(scope="module")
def arguments(photos, checkpoints):
    models = ("-m", checkpoints["resnet"], "-m", checkpoints["vit"])
    return ("recommend", photos, *models, "--json", "--offline")


@pytest.fixture(scope="module")
def compared(ranked, arguments, checkpoints, tmp_path_factory):
    """A run with a reference, and its store."""
    zoo = ranked.zoo.copy(tmp_path_factory.mktemp("compared") / "home")
    done = zoo(*arguments, *COMPARING, "--reference", checkpoints["convnext"])
    assert done.code == 0, done.stderr
    return zoo, done


def test_every_model_is_compared_with_the_reference(compared, arguments, checkpoints):
    zoo, done = compared
    for row in done.json["ranking"]:
        assert row["estimators"]["rsa"]["value"] is not None
        assert row["estimators"]["depara"]["value"] is not None
    assert str(checkpoints["convnext"]) in done.json["provenance"]["revisions"]
    alone = zoo(*arguments, *COMPARING)
    assert alone.code == 0, alone.stderr
    assert all("reference" in row["estimators"]["rsa"]["note"] for row in alone.json["ranking"])


@pytest.mark.exhaustive
def test_a_reference_that_breaks_late_is_a_failure_and_the_others_go_on(
    compared, arguments, checkpoints, tmp_path
):
    zoo = compared[0].copy(tmp_path / "home")
    broken = shutil.copytree(checkpoints["convnext"], tmp_path / "broken")
    weights = broken / "model.safetensors"
    content = bytearray(weights.read_bytes())
    length = int.from_bytes(content[:8], "little")
    # The header stays well-formed; a tensor is called what no network has.
    header = content[8 : 8 + length].replace(b"embeddings", b"embeddingz")
    weights.write_bytes(content[:8] + header + content[8 + length :])
    done = zoo(*arguments, *COMPARING, "--reference", broken)
    assert done.code == 3, done.stderr
    assert all(row["estimators"]["knn"]["value"] is not None for row in done.json["ranking"])
    assert all(row["estimators"]["rsa"]["value"] is None for row in done.json["ranking"])
    assert str(broken) in {each["model"] for each in done.json["failures"]}


def test_a_reference_that_is_not_there_ends_the_command_before_anything(zoo, arguments):
    done = zoo(*arguments, *COMPARING, "--reference", "./nowhere")
    assert done.code == 2
    assert "./nowhere" in done.stderr
    assert zoo("runs", "list", "-q").stdout == ""


def test_estimators_that_only_compare_are_refused_without_a_reference(zoo, arguments):
    done = zoo(*arguments, "-e", "rsa", "-e", "dds")
    assert done.code == 2
    assert "rsa, dds: the models are compared with a reference" in done.stderr
    assert "--reference MODEL" in done.stderr


@pytest.mark.exhaustive
def test_a_race_compares_with_the_reference_on_the_same_samples(zoo):
    models = ("-m", "embedded:vit-digit-parity", "-m", "embedded:swin-orientations")
    done = zoo(
        "recommend",
        "--demo",
        "--probe-size",
        "110",
        *models,
        *COMPARING,
        "--reference",
        "embedded:resnet-digits-0-4",
        "--budget",
        "1h",
        "--json",
    )
    assert done.code == 0, done.stderr
    assert done.json["probe"]["samples"] == 110
    for row in done.json["ranking"]:
        assert row["estimators"]["rsa"]["value"] is not None
        assert row["estimators"]["depara"]["value"] is not None


def test_labels_are_embedded_for_whoever_reads_that(warm, arguments):
    done = warm(*arguments, "-e", "emms", "--label-encoder", "one_hot", "--label-encoder", "ngrams")
    assert done.code == 0, done.stderr
    assert all(row["estimators"]["emms"]["value"] is not None for row in done.json["ranking"])
    lost = warm(*arguments, "-e", "emms", "--label-encoder", "hub:no/such", "-e", "knn")
    assert lost.code == 3, lost.stderr
    assert "hub:no/such" in str(lost.json["failures"])
    wrong = warm(*arguments, "-e", "emms", "--label-encoder", "one_hott")
    assert wrong.code == 2
    assert "one_hot" in wrong.stderr


@pytest.mark.exhaustive
def test_captions_are_embedded_whatever_the_estimators(zoo, photos, checkpoints, tmp_path):
    captioned = shutil.copytree(photos, tmp_path / "captioned")
    files = [path.relative_to(captioned) for path in sorted(captioned.rglob("*.png"))]
    lines = [f"{each.as_posix()},something {each.parent} and noise\n" for each in files]
    (captioned / "metadata.csv").write_text("file_name,caption\n" + "".join(lines))
    models = ("-m", checkpoints["resnet"], "-m", checkpoints["vit"])
    done = zoo("recommend", captioned, *models, "--json", "--offline")
    assert done.code == 0, done.stderr
    assert done.json["probe"]["task"] == "text"
    for row in done.json["ranking"]:
        found = row["estimators"]
        assert {"logme", "knn", "ridge_loo"} <= found.keys()
        assert all(each["value"] is not None for each in found.values())
    layers = zoo("layers", checkpoints["resnet"], captioned, "--json", "--offline")
    assert layers.code == 0, layers.stderr
    for row in layers.json["layers"]:
        assert all(each["value"] is not None for each in row["estimators"].values())
