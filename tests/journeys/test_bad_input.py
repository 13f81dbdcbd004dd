"""Bad input: one clear sentence, what to do, exit code 2, nothing written."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from zoo.engine.machine import may_have_gpu


def refused(zoo, *arguments, code=2, **options):
    done = zoo("recommend", *arguments, **options)
    assert done.code == code, (done.code, done.stderr)
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith(("Error:", "Usage:")), done.stderr
    assert done.stdout == ""
    return done.stderr


def test_a_missing_folder_gets_the_nearest_name(zoo, photos):
    error = refused(zoo, photos.parent / "photo")
    assert "there is no file or folder" in error
    assert "photos" in error


def test_a_folder_without_images(zoo, tmp_path):
    (tmp_path / "empty" / "a").mkdir(parents=True)
    assert "empty" in refused(zoo, tmp_path / "empty")


def test_one_class(zoo, photos, tmp_path):
    shutil.copytree(photos / "red", tmp_path / "one" / "red")
    assert "class" in refused(zoo, tmp_path / "one")


def test_an_unreadable_image_is_named(zoo, photos, tmp_path, checkpoints):
    folder = shutil.copytree(photos, tmp_path / "photos")
    (folder / "red" / "3.png").write_bytes(b"not an image")
    assert "3.png" in refused(zoo, folder, "-m", checkpoints["resnet"])


@pytest.mark.parametrize("content", ["", "text,label\n"])
def test_an_empty_table(zoo, tmp_path, content):
    path = tmp_path / "empty.csv"
    path.write_text(content)
    assert "empty.csv" in refused(zoo, path)


def test_two_label_columns_are_both_named(zoo, tmp_path):
    path = tmp_path / "two.csv"
    rows = [f"some text number {n},{n % 2},{n % 3}" for n in range(60)]
    path.write_text("\n".join(["text,label,category", *rows]))
    error = refused(zoo, path)
    assert "label" in error
    assert "category" in error
    assert "--label" in error


def test_an_unknown_estimator_gets_the_nearest(zoo, photos, checkpoints):
    error = refused(zoo, photos, "-m", checkpoints["resnet"], "-e", "logmee")
    assert "Did you mean 'logme'?" in error


def test_an_unknown_option_of_an_estimator(zoo, photos, checkpoints):
    more = ("-m", checkpoints["resnet"], "-e", "knn", "--set", "knn.neighbours=3")
    assert "'knn' has no option 'neighbours'" in refused(zoo, photos, *more)


@pytest.mark.parametrize("model", ["./nowhere", "/nowhere/at/all"])
def test_an_unknown_folder_of_a_model(zoo, photos, model):
    assert "nowhere" in refused(zoo, photos, "-m", model)


def test_a_wrong_field_of_a_registry_is_named_with_its_line(zoo, photos, tmp_path):
    path = tmp_path / "registry.json"
    path.write_text('{\n  "schema_version": 1,\n  "models": [\n    {"ref": 7}\n  ]\n}\n')
    error = refused(zoo, photos, "--registry", path)
    assert "line 4" in error
    assert "models[0].ref" in error


def test_a_named_model_that_is_not_here_offline(zoo, photos):
    error = refused(zoo, photos, "-m", "hub:nobody/nothing", "--offline")
    assert "nobody/nothing" in error
    assert "zoo models pull" in error


def test_features_are_sent_to_the_command_that_scores_them(zoo, tmp_path):
    path = tmp_path / "features.npz"
    np.savez(path, X=np.random.default_rng(0).normal(size=(30, 4)), y=np.arange(30) % 3)
    assert "zoo score" in refused(zoo, path)


def test_nothing_left_is_exit_code_4(zoo, photos, registry):
    error = refused(zoo, photos, "--registry", registry, "--max-size", "1kB", code=4)
    assert "over --max-size" in error


@pytest.mark.parametrize("arguments", [(), ("x", "--demo")])
def test_data_or_demo_or_resume_but_one_of_them(zoo, arguments):
    assert "one of them" in refused(zoo, *arguments)


def test_a_page_that_cannot_be_written_is_found_out_before_the_work(zoo, photos, checkpoints):
    error = refused(zoo, photos, "-m", checkpoints["resnet"], "--html", "/nowhere/report.html")
    assert "does not exist" in error


def test_results_that_cannot_be_used_are_found_out_before_the_work(zoo, photos, tmp_path):
    truth = tmp_path / "truth.csv"
    truth.write_text("model,first,second\na,1,2\n", encoding="utf-8")
    assert str(truth) in refused(zoo, photos, "--truth", truth)
    assert "--truth" in refused(zoo, photos, "--where", "recipe=head")
    assert not (zoo.home / "runs").exists()


def test_a_run_that_goes_on_keeps_its_question(zoo):
    error = refused(zoo, "--resume", "a1f3", "--seed", 3, "-m", "./other")
    assert "--model, --seed would ask another one" in error


@pytest.mark.skipif(may_have_gpu(), reason="there may be a GPU here")
def test_a_refusal_leaves_no_run_behind(zoo, tmp_path):
    refused(zoo, tmp_path / "missing")
    assert "there is no device 'cuda'" in refused(zoo, "--demo", "--device", "cuda")
    assert json.loads(zoo("runs", "list", "--json").stdout)["runs"] == []


def test_int8_is_for_exported_graphs(zoo):
    error = refused(zoo, "--demo", "--precision", "int8")
    assert "not measured in int8" in error
    assert "zoo export MODEL -o DIR --precision int8" in error
    assert json.loads(zoo("runs", "list", "--json").stdout)["runs"] == []
