"""The plugins of ``docs/plugins.md`` and beside it work as they stand, as a stranger's."""

from __future__ import annotations

import json
import re

import pytest

KINDS = "spoon,cutlery\ncutlery,tableware\n"
PAGES = (
    "docs/plugins.md",
    *(f"docs/plugins/{name}.md" for name in ("training", "growth", "explanations")),
)


@pytest.fixture
def files(page, blocks):
    """Files of the pages: name without ``.py`` -> text."""
    programs = [block for name in PAGES for block in blocks(page(name), "python")]
    return {name[1]: each for each in programs if (name := re.match(r"# (\w+)\.py\n", each))}


@pytest.fixture
def stranger(files, tmp_path):
    """Install files of a page as one distribution: ``stranger("zoo-alike", "zoo_alike")``."""

    def install(distribution, module, *others):
        for name in (module, *others):
            (tmp_path / f"{name}.py").write_text(files[name], encoding="utf-8")
        record = tmp_path / f"{module}-0.1.0.dist-info"
        record.mkdir()
        metadata = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 0.1.0\n"
        (record / "METADATA").write_text(metadata, encoding="utf-8")
        entry = f"[zoo.v1]\n{module} = {module}\n"
        (record / "entry_points.txt").write_text(entry, encoding="utf-8")

    return install


def test_methods_of_strangers_keep_their_promises(stranger, python, tmp_path):
    stranger("zoo-alike", "zoo_alike", "zoo_alike_method")
    stranger("zoo-median", "zoo_median")
    stranger("zoo-hint", "zoo_hint", "zoo_hint_method")
    names = ("zoo-alike", "zoo-median", "zoo-hint", "--json")
    checked = python("-m", "zoo_cli", "plugins", "check", *names, path=tmp_path)
    checks = {each["check"]: each["ok"] for each in json.loads(checked)["checks"]}
    methods = {"amalgamator alike", "amalgamator merge-median", "distiller hint"}
    assert {*methods, "light import"} <= set(checks)
    assert all(checks.values())


def test_the_tests_of_the_pages_pass(stranger, files, python, tmp_path):
    stranger("zoo-margin", "zoo_margin")
    stranger("zoo-thrift", "zoo_thrift", "zoo_thrift_parts")
    (tmp_path / "kinds.csv").write_text(KINDS, encoding="utf-8")
    for name in ("test_margin", "test_thrift"):
        (tmp_path / f"{name}.py").write_text(files[name], encoding="utf-8")
    out = python("-m", "pytest", "-q", "-p", "no:cacheprovider", path=tmp_path)
    assert re.search(r"\d+ passed", out)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_the_tests_of_methods_that_train_and_grow_pass(stranger, files, python, tmp_path):
    stranger("zoo-alike", "zoo_alike", "zoo_alike_method")
    stranger("zoo-median", "zoo_median")
    stranger("zoo-hint", "zoo_hint", "zoo_hint_method")
    stranger("zoo-wider", "zoo_wider", "zoo_wider_parts")
    for name in ("test_methods", "test_wider"):
        (tmp_path / f"{name}.py").write_text(files[name], encoding="utf-8")
    out = python("-m", "pytest", "-q", "-p", "no:cacheprovider", path=tmp_path)
    assert re.search(r"\d+ passed", out)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_student_is_made_by_the_amalgamator_and_the_event_is_told(stranger, python, tmp_path):
    stranger("zoo-alike", "zoo_alike", "zoo_alike_method")
    stranger("zoo-log", "zoo_log")
    teachers = ("shapes=embedded:mobilenet-v1-shapes", "textures=embedded:regnet-textures")
    made = python(
        *("-m", "zoo_cli", "amalgamate", "--method", "alike", "--data", "demo", "--json"),
        *(word for each in teachers for word in ("--teacher", each)),
        *("--student", "embedded:resnet-digits-0-4", "--preset", "quick"),
        *("--samples", "48", "--batch", "16", "--epochs", "1", "--yes", "-o", "both"),
        path=tmp_path,
    )
    built = json.loads(made)
    assert (built["method"], built["steps"]) == ("alike", 2)
    journal = (tmp_path / "both" / "training.jsonl").read_text().splitlines()
    losses = [json.loads(line)["losses"] for line in journal]
    assert all(each["student.likeness"] > 0 for each in losses)
    assert set(losses[0]) == {"student.soft", "student.likeness", "kd.soft"}
    assert (tmp_path / "built.log").read_text().startswith("both alike 2 {")


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_student_is_made_by_the_distiller(stranger, python, tmp_path):
    stranger("zoo-hint", "zoo_hint", "zoo_hint_method")
    made = python(
        *("-m", "zoo_cli", "distill", "--method", "kd,hint", "--data", "demo", "--json"),
        *("--teacher", "embedded:regnet-textures", "--student", "embedded:resnet-digits-0-4"),
        *("--preset", "quick", "--samples", "48", "--batch", "16", "--epochs", "1", "--yes"),
        *("--no-compare", "-o", "small"),
        path=tmp_path,
    )
    assert json.loads(made)["steps"] == 2
    journal = (tmp_path / "small" / "training.jsonl").read_text().splitlines()
    losses = [json.loads(line)["losses"] for line in journal]
    assert set(losses[0]) == {"student.soft", "student.hint"}
    assert all(each["student.hint"] > 0 for each in losses)


def test_a_reporter_and_a_graph_source_of_strangers_work(stranger, python, tmp_path):
    stranger("zoo-thrift", "zoo_thrift", "zoo_thrift_parts")
    checked = python("-m", "zoo_cli", "plugins", "check", "zoo-thrift", "--json", path=tmp_path)
    checks = {each["check"]: each["ok"] for each in json.loads(checked)["checks"]}
    assert checks == {"load": True, "light import": True, "reporter thrift": True} | {
        "graph_source kinds": True
    }
    kinds = tmp_path / "kinds.csv"
    kinds.write_text(KINDS, encoding="utf-8")
    fetched = python(
        "-m", "zoo_cli", "graph", "fetch", "kinds", "--from", kinds, "--json", path=tmp_path
    )
    assert json.loads(fetched)["graphs"][0]["triples"] == 2
    asked = "ASK { <urn:kinds:spoon> skos:broader+ <urn:kinds:tableware> }"
    answer = json.loads(python("-m", "zoo_cli", "graph", "query", asked, "--json", path=tmp_path))
    assert answer["boolean"]
