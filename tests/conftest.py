"""What every test gets: a store of its own, no network, no leaked environment."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

# Read when the libraries are imported, so they are set before any test imports them.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in os.environ if each.startswith("ZOO_")]:
        if name not in {"ZOO_GOLDEN", "ZOO_SHARED_DATA"}:
            monkeypatch.delenv(name)
    monkeypatch.setenv("ZOO_HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.setenv("ZOO_JOBS", "1")  # every worker imports torch for seconds


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data and checkpoints, which is not part of the project."""
    folder = Path(os.environ.get("ZOO_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no shared data at {folder} (ZOO_SHARED_DATA names another place)")
    return folder


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test that takes ``golden_METHOD`` every case of that method, whatever they are."""
    for argument in metafunc.fixturenames:
        if not argument.startswith("golden_") or argument == "golden_case":
            continue
        folder = Path(os.environ.get("ZOO_GOLDEN", ROOT.parent / "shared" / "golden"))
        cases = [
            (path.parent, case)
            for path in sorted(folder.glob("transferability/*.json"))
            for document in [json.loads(path.read_text(encoding="utf-8"))]
            if document.get("method") == argument.removeprefix("golden_")
            for case in document["cases"]
        ]
        absent = pytest.mark.skip(reason=f"no golden cases in {folder} (ZOO_GOLDEN names another)")
        parameters = cases or [pytest.param(None, marks=absent)]
        names = [case["case"] for _, case in cases] or ["absent"]
        metafunc.parametrize(argument, parameters, ids=names)
