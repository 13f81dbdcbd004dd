"""Why a checkpoint: a run, a graph of one's own, and every way to ask."""

from __future__ import annotations

import html
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

HOSTILE = "<script>alert(1)<script>"
COLOURS = {"blue": (30, 30, 220), "red": (220, 30, 30), HOSTILE: (30, 220, 30)}
MODELS = ("mobilenet-v2-hues", "resnet-digits-0-4", "vit-digit-parity")
QUICK = ("--permutations", 5, "--folds", 3, "--offline", "--json")
NOUNS = """
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix wn: <https://globalwordnet.github.io/schemas/wn#> .
@prefix : <https://example.org/> .
:quality skos:prefLabel "quality" .
:colour skos:prefLabel "colour" ; wn:hypernym :quality .
:drink skos:prefLabel "drink" ; wn:hypernym :thing .
:thing skos:prefLabel "thing" .
:red skos:prefLabel "red" ; skos:definition "the colour of blood" ; wn:hypernym :colour .
:wine skos:prefLabel "wine" ; skos:altLabel "red" ; skos:definition "wine of dark grapes" ;
  wn:hypernym :drink .
:blue skos:prefLabel "blue" ; wn:hypernym :colour .
:green skos:prefLabel "green" ; wn:hypernym :colour .
:azure skos:prefLabel "azure" ; wn:hypernym :blue .
"""


@dataclass(frozen=True)
class Asked:
    """A run over pictures of three colours, a graph of a few nouns, and the first explanation."""

    folder: Path
    forked: Any
    run: str
    first: Any

    def __call__(self, *arguments, cwd=None):
        """Run a command where the pictures are."""
        home = {"ZOO_HOME": str((cwd or self.folder) / "home")}
        return self.forked(*arguments, cwd=cwd or self.folder, environment=home)

    def quickly(self, *arguments, **more):
        """Explain without looking at the pictures again."""
        few = ("--only", "preference", "--only", "overlap")
        return self("explain", self.run, *arguments, *few, "--json", **more)


@pytest.fixture(scope="module")
def asked(forked, tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("asked"), np.random.default_rng(0)
    for name, colour in COLOURS.items():
        (folder / "pictures" / name).mkdir(parents=True)
        for number in range(12):
            pixels = np.array(colour) + rng.integers(-30, 30, (32, 32, 3))
            image = Image.fromarray(pixels.astype(np.uint8))
            image.save(folder / "pictures" / name / f"{number}.png")
    (folder / "nouns.ttl").write_text(NOUNS)
    bare = Asked(folder, forked, "", None)
    models = [part for each in MODELS for part in ("-m", f"embedded:{each}")]
    ranked = bare("recommend", "pictures", *models, *QUICK)
    assert ranked.code == 0, ranked.stderr
    imported = bare("graph", "import", "nouns.ttl", "--license", "CC0-1.0", "--credit", "By us.")
    assert imported.code == 0, imported.stderr
    first = bare("explain", "--no-maps", "--json", "--html", "why.html")
    assert first.code == 0, first.stderr
    return Asked(folder, forked, ranked.json["run"], first)


def texts(report):
    return [each["text"] for each in (*report["claims"], *report["unknown"])]


def by_topic(report, topic):
    return [each["text"] for each in report["claims"] if each["topic"] == topic]


def test_every_sentence_cites_evidence_that_is_there(asked):
    report = asked.first.json
    assert report["schema_version"] == 1
    assert (report["run"], report["data"], report["subject"]) == (asked.run, "pictures", "ranking")
    assert (report["model"], report["against"]) == tuple(f"embedded:{each}" for each in MODELS[:2])
    held = {each["id"]: each for each in report["evidence"]}
    cited = [id_ for each in report["evidence"] for id_ in each["derived_from"]]
    for claim in (*report["claims"], *report["unknown"], *report["figures"]):
        assert claim["evidence"]
        cited += claim["evidence"]
    assert set(cited) == set(held)
    assert all(each["source"] for each in held.values())
    assert [each["id"] for each in report["claims"]] == [
        f"c{n}" for n in range(1, len(report["claims"]) + 1)
    ]
    assert {each["level"] for each in report["claims"]} <= {"measured", "known", "supported"}
    assert {each["level"] for each in report["unknown"]} == {"not known"}
    assert report["failures"] == []
    (graph,) = report["graphs"]
    assert (graph["name"], graph["license"], graph["credit"]) == ("nouns", "CC0-1.0", "By us.")


def test_the_data_is_looked_at_and_the_graph_is_read(asked):
    report = asked.first.json
    assert {each["topic"] for each in report["claims"]} >= {
        "Why this order", "Class by class", "What the models have seen",
        "Where it comes from, and what it costs",
    }  # fmt: skip
    seen = by_topic(report, "What the models have seen")
    assert f"2 of your 3 classes are training classes of {MODELS[0]} (blue and red)." in seen
    assert any(f"could not be found in nouns: {HOSTILE}." in each for each in texts(report))


def test_a_word_of_two_meanings_is_a_guess_that_is_said_to_be_one(asked):
    report = asked.first.json
    (said,) = [each for each in report["unknown"] if each["text"].startswith("'red' was taken for")]
    assert "(the colour of blood)" in said["text"]
    assert "Nobody has confirmed this" in said["text"]
    assert said["tentative"]
    (found,) = [each for each in report["evidence"] if each["id"] == said["evidence"][0]]
    assert not found["confirmed"]
    assert [each["sense"] for each in found["object"]["alternatives"]] == ["wine"]

    chosen = asked.quickly("--sense", "red=wine").json
    assert "As you chose, 'red' means 'wine': wine of dark grapes." in texts(chosen)
    assert not any(each.startswith("'red' was taken for") for each in texts(chosen))


@pytest.mark.parametrize(
    ("sense", "words"),
    [
        ("rd=wine", "no label called 'rd'. Did you mean 'red'?"),
        ("red=elephant", "'elephant' is not one sense of the label 'red'."),
        ("red=red#7", "https://example.org/wine (wine: wine of dark grapes)"),
    ],
)
def test_a_sense_that_there_is_not_ends_in_one_sentence(asked, sense, words):
    done = asked.quickly("--sense", sense)
    assert done.code == done.json["error"]["exit_code"] == 2
    assert words in done.json["error"]["message"] + done.json["error"]["hint"]
    assert "Traceback" not in done.stderr


def test_the_same_question_has_the_same_answer_to_the_byte(asked):
    again = asked("explain", asked.run[-4:], "--no-maps", "--json")
    assert again.code == 0
    assert again.stdout == asked.first.stdout


@pytest.mark.exhaustive
def test_maps_are_made_once_and_are_the_same_to_the_byte(asked):
    first, again = [asked("explain", asked.run, "--json") for _ in range(2)]
    assert first.code == 0, first.stderr
    assert by_topic(first.json, "What the features look at")
    assert first.stdout == again.stdout


def test_a_sentence_is_traced_to_the_triples_of_the_graph(asked):
    report = asked.quickly().json
    (claim,) = [each for each in report["claims"] if "are training classes of" in each["text"]]
    traced = asked("explain", asked.run, "--evidence", claim["id"])
    assert traced.code == 0, traced.stderr
    assert claim["text"] in " ".join(traced.stdout.split())
    assert "nouns" in traced.stdout
    fact = next(each for each in report["evidence"] if each["triples"])
    shown = asked("explain", asked.run, "--evidence", fact["id"], "--json").json
    assert shown["evidence"][0]["id"] == fact["id"]
    if fact["check"].startswith(("SELECT", "ASK")):
        assert asked("graph", "query", fact["check"]).code == 0
    wrong = asked("explain", asked.run, "--evidence", "e000")
    assert wrong.code == 2
    assert "no evidence or claim called 'e000'" in " ".join(wrong.stderr.split())


def test_the_page_holds_every_sentence_and_runs_nothing_of_a_label(asked):
    page = (asked.folder / "why.html").read_text()
    assert "alert(1)" in page
    assert HOSTILE not in page
    assert html.escape(HOSTILE) in page
    for claim in asked.first.json["claims"]:
        assert f'id="{claim["id"]}"' in page
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_any_two_models_are_compared(asked):
    report = asked.quickly("--against", 3).json
    assert report["against"] == f"embedded:{MODELS[2]}"
    assert f"{MODELS[1]} is" not in " ".join(texts(report))
    turned = asked.quickly("-m", MODELS[2], "--against", "1").json
    assert (turned["model"], turned["against"]) == (report["against"], report["model"])


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ("nowhere", "no run called 'nowhere'"),
        ("{unfinished}", "has no ranking yet: it is interrupted"),
        ("{bereft}", "is done, and its ranking is gone"),
    ],
)
def test_a_run_that_cannot_be_explained_ends_in_one_sentence(asked, tmp_path, run, words):
    name, other = "2020-01-01-beef", "2020-01-01-dead"
    unfinished = tmp_path / "home" / "runs" / name
    kept = shutil.ignore_patterns("ranking.json", "explanation.json")
    for each in (unfinished, unfinished.with_name(other)):
        shutil.copytree(asked.folder / "home" / "runs" / asked.run, each, ignore=kept)
    state = (unfinished / "state.json").read_text(encoding="utf-8")
    state = state.replace('"done"', '"interrupted"')
    (unfinished / "state.json").write_text(state, encoding="utf-8")
    done = asked("explain", run.format(unfinished=name, bereft=other), "--json", cwd=tmp_path)
    assert done.code == 2
    assert words in done.json["error"]["message"]
    assert not (unfinished / "explanation.json").exists()


def test_in_python_it_is_the_same_report(asked):
    code = f"""
import msgspec, sys, zoo
from zoo.settings import resolve
settings = resolve().settings
report = zoo.explain({asked.run!r}, only=("preference", "overlap"), settings=settings)
assert zoo.explain(only=("preference", "overlap")) == report
sys.stdout.buffer.write(msgspec.json.encode(report))
"""
    home = {"ZOO_HOME": str(asked.folder / "home")}
    done = asked.forked(cwd=asked.folder, environment=home, code=code)
    assert done.code == 0, done.stderr
    assert done.json == asked.quickly().json


@pytest.fixture
def elsewhere(asked):
    """Take the pictures away for one test."""
    pictures = asked.folder / "pictures"
    yield pictures.rename(asked.folder / "moved")
    (asked.folder / "moved").rename(pictures)


def test_without_the_pictures_and_the_graph_it_says_what_is_missing(asked, elsewhere, tmp_path):
    kept = shutil.ignore_patterns("graph")
    shutil.copytree(asked.folder / "home", tmp_path / "home", ignore=kept)
    done = asked("explain", asked.run, "--json", cwd=tmp_path)
    assert done.code == 0, done.stderr
    report = done.json
    assert by_topic(report, "Why this order") == by_topic(asked.first.json, "Why this order")
    assert by_topic(report, "Class by class") == []
    assert by_topic(report, "What the features look at") == []
    unknown = [each["text"] for each in report["unknown"]]
    assert sum("he data cannot be read again" in each for each in unknown) >= 2
    assert not any("nouns" in each for each in texts(report))
    assert report["graphs"] == []
