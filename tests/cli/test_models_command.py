"""``zoo models``: which models there are, what is known of one, and bringing them here."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from zoo.registry import load_registry


@pytest.fixture
def files() -> dict[str, bytes]:
    import numpy as np
    from safetensors.numpy import save

    config = {"model_type": "vit", "architectures": ["ViTModel"], "image_size": 8}
    weights = save({"w": np.ones((300, 1000), "float32")})
    return {
        "config.json": json.dumps(config).encode(),
        "model.safetensors": weights,
        "README.md": b"---\nlicense: mit\n---\n",
    }


@pytest.fixture
def hub(loopback_hub, files, tmp_path, monkeypatch):
    loopback_hub.add("org/net", files)
    monkeypatch.chdir(tmp_path)
    models = [
        {"ref": "hub:org/net", "modality": "image", "task": "image-classification"},
        {"ref": "hub:org/words", "modality": "text", "bytes": 5_000_000, "license": "mit"},
        {"ref": "hub:org/sound", "modality": "audio", "tags": {"pretraining": "birdsong"}},
    ]
    Path("registry.json").write_text(json.dumps({"models": models}))
    return loopback_hub


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ((), ["net", "words", "sound"]),
        (("--modality", "image"), ["net"]),
        (("--task", "image-classification"), ["net"]),
        (("--license", "mit"), ["words"]),
        (("--max-size", "5MB"), ["words"]),
        (("--search", "BIRD"), ["sound"]),
        (("-n", "1"), ["net"]),
    ],
)
def test_filters(zoo, hub, filters, names):
    result = zoo("models", "list", *filters, "--json")

    assert result.code == 0
    assert [each["model"].rpartition("/")[2] for each in result.document["models"]] == names


def test_a_filter_that_leaves_nothing_is_code_4(zoo, hub):
    assert zoo("models", "list", "--max-size", "1kB").code == 4
    assert zoo("models", "list", "--modality", "video").code == 2


def test_the_packaged_registry_is_listed_where_there_is_no_other(zoo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    assert len(zoo("models", "list", "-q").out.splitlines()) >= 60


def test_showing_looks_without_downloading_a_weight(zoo, hub):
    result = zoo("models", "show", "org/net", "--json")

    assert result.code == 0
    assert result.document["parameters"] == 300_000
    assert result.document["license"] == "mit"
    assert result.document["missing_bytes"] == result.document["bytes"]
    assert all(each.range for each in hub.requests if each.path.startswith("/cdn/"))
    assert "parameters     300 000" in zoo("models", "show", "net").out


def test_pulling_brings_verifies_and_pins(zoo, hub, files):
    result = zoo("models", "pull", "net", "--json")

    assert result.code == 0
    (pulled,) = result.document["models"]
    assert (Path(pulled["folder"]) / "model.safetensors").read_bytes() == files["model.safetensors"]
    commit = hub.find("model", "org/net").refs["main"]
    assert f"hub:org/net@{commit}" in [
        each.ref for each in load_registry(Path("registry.json")).entries
    ]
    before = len(hub.requests)
    assert zoo("models", "pull", "net", "--offline").code == 0
    assert len(hub.requests) == before


def test_pulling_all_reports_the_ones_that_failed(zoo, hub):
    result = zoo("models", "pull", "--all", "--json")

    assert result.code == 3
    assert len(result.document["models"]) == 1
    assert [each["model"] for each in result.document["failures"]] == [
        "hub:org/words",
        "hub:org/sound",
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("pull",), 2, "name models to pull, or add --all"),
        (("pull", "nett"), 2, "Did you mean 'net'"),
        (("pull", "org/words"), 2, "the Hub has no model 'org/words'"),
        (("pull", "net", "--offline"), 2, "offline, and config.json of hub:org/net"),
        (("show", "net@v3"), 2, "no model called 'net@v3'"),
        (("show", "org/net@v3"), 1, "no revision 'v3'"),
        (("list", "--registry", "gone.json"), 2, "there is no registry gone.json"),
    ],
)
def test_bad_input_is_one_sentence(zoo, hub, arguments, code, message):
    result = zoo("models", *arguments)

    assert result.code == code
    assert message in result.err
    assert "Traceback" not in result.err


def test_a_corrupt_download_fails_with_the_file_named(zoo, hub):
    zoo("models", "show", "net")
    hub.fail("GET /cdn", kind="corrupt", times=9)

    result = zoo("models", "pull", "net")

    assert result.code == 1
    assert "model.safetensors" in result.err


def test_an_interrupted_pull_ends_at_once_and_goes_on_later(hub, tmp_path, zoo, files):
    zoo("models", "show", "net")
    hub.fail("GET /cdn", kind="slow", seconds=20)
    process = subprocess.Popen(
        [sys.executable, "-m", "zoo_cli", "models", "pull", "net"],
        env=os.environ | hub.environment(tmp_path / "hf"),
        stderr=subprocess.PIPE,
        text=True,
    )
    blobs = tmp_path / "hf" / "hub" / "models--org--net" / "blobs"
    until = time.monotonic() + 60
    while not any(part.stat().st_size for part in blobs.glob("*.zoo-part")):
        assert time.monotonic() < until
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "Traceback" not in err
    assert list(blobs.glob("*.zoo-part"))
    assert zoo("models", "pull", "net").code == 0
    assert hub.requests[-1].range.startswith("bytes=")
