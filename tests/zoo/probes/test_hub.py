"""Data sets of a Hub, read by the real client in a process of its own."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from zoo.errors import HubError, InputError, OfflineError
from zoo.probes.hub import DatasetRef, HubDatasetLoader, explained, parse
from zoo.testing.loopback_hub import LoopbackHub

CONFIGS = """---
configs:
- config_name: en
  data_files: [{split: train, path: en/train-*}]
- config_name: de
  data_files: [{split: train, path: de/train-*}]
---
"""

READER = """
import json, sys
import zoo.builtin
from zoo.catalogue import Catalogue
from zoo.errors import ZooError
from zoo.host import PluginHost
from zoo.probes import load
from zoo.types.protocols import ProbeOptions

def magic(image):
    return (image.data or open(image.path, "rb").read())[:4].hex()

host = PluginHost(strict=True)
host.register(zoo.builtin, name="zoo-reuse:core")
found = {}
for data in sys.argv[1:]:
    try:
        probe = load(data, ProbeOptions(), Catalogue(host))
        found[data] = {
            "inputs": [each if isinstance(each, str) else magic(each) for each in probe.inputs],
            "names": probe.label_names, "labels": probe.labels.tolist(),
            "split": probe.split, "notes": probe.notes,
        }
    except ZooError as error:
        found[data] = {"error": type(error).__name__, "message": error.message, "hint": error.hint}
print(json.dumps(found))
"""


def reviews(prefix, rows):
    features = {
        "text": {"dtype": "string", "_type": "Value"},
        "label": {"names": ["neg", "pos"], "_type": "ClassLabel"},
    }
    table = pa.table(
        {"text": [f"{prefix} {n}" for n in range(rows)], "label": [0, 1] * (rows // 2)}
    )
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    data = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(metadata), data)
    return data.getvalue()


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """What a Hub, and then its cache alone, answer."""
    from PIL import Image

    home = tmp_path_factory.mktemp("hub")
    (home / "org" / "reviews").mkdir(parents=True)  # a folder that shadows nothing
    (home / "org" / "reviews" / "train.csv").write_text("text,label\nlocal,x\nlocal,y\n")
    pictures = {}
    for number in range(4):
        data = io.BytesIO()
        Image.new("RGB", (4, 4), (number, 0, 0)).save(data, "PNG")
        pictures[f"train/{'ab'[number % 2]}/{number}.png"] = data.getvalue()
    with LoopbackHub() as hub:
        train, test = "data/train-00000-of-00001.parquet", "data/test-00000-of-00001.parquet"
        files = {train: reviews("train", 8), test: reviews("test", 4)}
        commit = hub.add("org/reviews", files, kind="dataset")
        both = {"README.md": CONFIGS, "en/train-0.parquet": reviews("en", 4)}
        both["de/train-0.parquet"] = reviews("de", 4)
        hub.add("org/both", both, kind="dataset")
        hub.add("org/pictures", pictures, kind="dataset")
        hub.add("org/script", {"script.py": "raise SystemExit"}, kind="dataset")
        hub.add("org/gated", {train: reviews("train", 4)}, kind="dataset", gated=True)

        def ask(*data, **environment):
            done = subprocess.run(
                [sys.executable, "-c", READER, *data],
                env=os.environ | hub.environment(home) | environment,
                cwd=home,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            return json.loads(done.stdout), done.stderr

        online, _ = ask(
            "hub:org/reviews", f"hub:org/reviews@{commit}", "hub:org/reviews@nope", "hub:org/both",
            "hub:org/both:en", "hub:org/both:fr", "hub:org/pictures", "hub:org/script",
            "hub:org/gated", "hub:org/none",
        )  # fmt: skip
        asked = len(hub.requests)
        offline, said = ask(
            "hub:org/reviews", f"hub:org/reviews@{'0' * 40}", "hub:org/both:de",
            HF_HUB_OFFLINE="1",
        )  # fmt: skip
        assert len(hub.requests) == asked
        return {"online": online, "offline": offline, "commit": commit, "said": said}


def test_the_train_split_of_an_id_is_read_and_pinned_in_a_note(answers):
    found = answers["online"]["hub:org/reviews"]
    assert found["inputs"] == [f"train {n}" for n in range(8)]
    assert (found["names"], found["split"]) == (["neg", "pos"], "train")
    assert "Read split 'train'; 'test' is left alone." in found["notes"]
    assert f"Revision {answers['commit']}." in found["notes"]
    assert answers["online"][f"hub:org/reviews@{answers['commit']}"]["inputs"] == found["inputs"]


def test_a_configuration_is_named_after_a_colon(answers):
    assert answers["online"]["hub:org/both:en"]["inputs"][0] == "en 0"
    ask = answers["online"]["hub:org/both"]
    assert ask["error"] == "InputError"
    assert "'en' and 'de'" in ask["message"]
    assert ask["hint"] == "hub:org/both:en"
    assert "no configuration 'fr'" in answers["online"]["hub:org/both:fr"]["message"]


def test_pictures_of_a_hub_come_encoded(answers):
    found = answers["online"]["hub:org/pictures"]
    assert found["inputs"] == ["89504e47"] * 4
    assert found["labels"] == [0, 0, 1, 1]


def test_what_cannot_be_read_is_said_in_one_sentence(answers):
    online = answers["online"]
    assert "does not run code" in online["hub:org/script"]["message"]
    assert "is gated" in online["hub:org/gated"]["message"]
    assert "there is no data set 'org/none'" in online["hub:org/none"]["message"]
    assert "no revision 'nope'" in online["hub:org/reviews@nope"]["message"]
    assert all(each.get("error", "InputError") == "InputError" for each in online.values())


def test_offline_reads_the_cache_and_names_what_is_missing(answers):
    offline = answers["offline"]
    assert offline["hub:org/reviews"]["inputs"] == answers["online"]["hub:org/reviews"]["inputs"]
    assert any(
        "newest copy on this machine" in note for note in offline["hub:org/reviews"]["notes"]
    )
    missing = offline["hub:org/both:de"]
    assert missing["error"] == "OfflineError"
    assert "'org/both' (configuration 'de') is not on this machine" in missing["message"]
    assert "zoo probes show hub:org/both:de" in missing["hint"]
    assert offline[f"hub:org/reviews@{'0' * 40}"]["error"] == "OfflineError"
    assert "examples/s" not in answers["said"]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("org/name", ("org/name", None, None)),
        ("hub:name", ("name", None, None)),
        ("hub:org/name:en@v1.0", ("org/name", "en", "v1.0")),
        ("org/name@refs/convert/parquet", ("org/name", None, "refs/convert/parquet")),
    ],
)
def test_ids_are_taken_apart(text, parts):
    assert parse(text) == DatasetRef(*parts)


def test_what_lies_here_is_no_id(tmp_path):
    claims = HubDatasetLoader().claims
    (tmp_path / "photos" / "cats").mkdir(parents=True)
    assert claims("hub:photos/cats")
    assert claims("photo/cats")
    for other in (
        "photos/cats",
        "photos/dogs",
        "./org/name",
        "/org/name",
        "lost/a.csv",
        "lost/a.png",
        "name",
        "a/b/c",
        "",
    ):
        assert not claims(other)


@pytest.mark.parametrize(
    ("error", "kind"),
    [(ConnectionError("no route"), HubError), (ValueError("Couldn't find cache for x"), HubError)],
)
def test_an_unreachable_hub_is_no_fault_of_the_data(error, kind):
    ref = DatasetRef("org/name", None, None)
    said = explained(error, ref, "org/name", offline=False)
    assert isinstance(said, kind)
    assert "the Hub did not answer" in said.message
    assert isinstance(explained(error, ref, "org/name", offline=True), OfflineError)
    assert isinstance(said, HubError)
    assert not isinstance(said, InputError)
