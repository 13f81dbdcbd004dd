"""Every canonical golden number through ``zoo score``, from the very files of the folder."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from zoo.catalogue import Catalogue, load_target
from zoo.errors import PluginError
from zoo.scoring import score_arrays

ROOT = Path(__file__).parents[3]

#: estimator -> (path of its canonical number in a case, relative and absolute tolerance).
CANONICAL = {
    "logme": (("max_evidence", "value"), 0.0, 1e-5),
    "reg_hscore": (("regularized_h_score", "value"), 1e-6, 0.0),
    "hscore": (("h_score", "value"), 1e-6, 0.0),
    "transrate": (("eps_0.0001", "value"), 1e-8, 0.0),
    "sfda": (("sfda", "value"), 1e-6, 0.0),
    "emms": (("converged", "score"), 1e-7, 1e-9),
    "knn": (("knn_loo_k1", "value"), 1e-7, 0.0),
    "parc": (("parc_exact_ties", "value"), 1e-7, 0.0),
    "rsa": (("rsa", "value"), 1e-7, 0.0),
    "dds": (("dds_cosine_zscore_debiased", "value"), 1e-7, 0.0),
    "leep": (("leep", "value"), 1e-9, 0.0),
    "nce": (("nce_exact", "value"), 1e-9, 0.0),
    "gbc": (("gbc_diagonal", "value"), 1e-6, 0.0),
    "lfc": (("lfc", "value"), 1e-6, 0.0),
    "energy": (("energy_mean_all", "value"), 1e-6, 0.0),
}


def _folder() -> Path:
    return Path(os.environ.get("ZOO_GOLDEN", ROOT.parent / "shared" / "golden")) / "transferability"


def _number(case, path):
    for name in path:
        case = case.get(name) if isinstance(case, dict) else None
    return case


def _cases():
    """Pair each case that has a file and a canonical number with the estimator it is for."""
    for path in sorted(_folder().glob("*.json")):
        for case in json.loads(path.read_text(encoding="utf-8")).get("cases", ()):
            if not isinstance(case, dict) or not (_folder() / case.get("input", "-")).is_file():
                continue
            for name, (keys, *_) in CANONICAL.items():
                if _number(case, keys) is not None:
                    yield name, case
            if "vs" in case["case"] and "score" in case:
                yield "depara", case


def _parameters(found, names):
    absent = pytest.mark.skip(reason=f"nothing golden in {_folder()} (ZOO_GOLDEN names another)")
    return [pytest.param(*each, id=name) for each, name in zip(found, names, strict=True)] or [
        pytest.param(*[None] * 2, marks=absent, id="absent")
    ]


CASES = list(_cases())
FILES = [(path, None) for path in sorted(_folder().glob("*.npz"))]


@pytest.fixture
def catalogue(zoo_host):
    return Catalogue(zoo_host)


def _score(catalogue, path, names):
    return score_arrays(path, names, catalogue=catalogue, permutations=0, folds=0)


@pytest.mark.golden
@pytest.mark.parametrize(
    ("name", "case"), _parameters(CASES, [f"{name}-{case['case']}" for name, case in CASES])
)
def test_golden_value_of_the_file_itself(catalogue, name, case):
    try:
        load_target(catalogue.spec("estimator", name))
    except PluginError as error:
        pytest.skip(str(error))
    scored = _score(catalogue, _folder() / case["input"], [name])
    assert not scored.failures
    (record,) = scored.records
    if name == "depara":
        pair = case["case"].replace(" vs ", "|")
        expected = case["score"]["lambda_0.25"]
        assert record.details[f"score {pair}"] == pytest.approx(expected, abs=1e-9)
        return
    keys, relative, absolute = CANONICAL[name]
    if name == "hscore" and record.saturated:
        assert np.isfinite(record.value)
        return
    assert record.value == pytest.approx(_number(case, keys), rel=relative, abs=absolute)


@pytest.mark.golden
@pytest.mark.parametrize(("path", "_unused"), _parameters(FILES, [path.stem for path, _ in FILES]))
def test_golden_file_is_valid_input_to_all_that_can_read_it(catalogue, path, _unused):
    cheap = [
        name
        for name, spec in catalogue.specs("estimator").items()
        if spec.cost != "expensive" and spec.reads_features
    ]
    scored = _score(catalogue, path, cheap)
    assert not scored.failures
    assert [record.estimator for record in scored.records] == cheap
    assert any(record.value is not None for record in scored.records)
    for record in scored.records:
        assert (record.value is None) == bool(record.not_applicable)
        if record.value is not None:
            assert np.isfinite(record.value)
