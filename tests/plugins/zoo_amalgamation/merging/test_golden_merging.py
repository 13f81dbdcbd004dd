"""Every golden case of merging, with all the outputs that its file holds."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from zoo_amalgamation.merging.dare import rescale_masked
from zoo_amalgamation.merging.linear import Linear
from zoo_amalgamation.merging.slerp import Slerp
from zoo_amalgamation.merging.task_arithmetic import TaskArithmetic
from zoo_amalgamation.merging.ties import Ties, trim

pytestmark = pytest.mark.golden

_SHARED = Path(__file__).parents[5] / "shared" / "golden"
FOLDER = Path(os.environ.get("ZOO_GOLDEN", _SHARED)) / "distillation"


def _parameters(pattern):
    found = sorted(FOLDER.glob(pattern))
    absent = pytest.mark.skip(reason=f"nothing golden in {FOLDER} (ZOO_GOLDEN names another)")
    return [pytest.param(path, id=path.stem) for path in found] or [
        pytest.param(None, marks=absent, id="absent")
    ]


def _linear(inputs, config):
    weights = config["weights"]
    yield "normalized", Linear(weights=weights).merge("w", inputs["models"], None)
    plain = Linear(weights=weights, normalize=False)
    yield "unnormalized", plain.merge("w", inputs["models"], None)


def _slerp(inputs, config):
    for t in config["t"]:
        pair = [inputs["a"], inputs["b"]]
        yield f"t{round(100 * t):03d}", Slerp(t=t).merge("w", pair, None)
    # The file does not say where this one lies: the line between its inputs does.
    yield "lerp_fallback", Slerp(t=0.3).merge("w", [inputs["a"], inputs["near"]], None)


def _task_arithmetic(inputs, config):
    weights, models, base = config["weights"], inputs["models"], inputs["base"]
    merger = TaskArithmetic(weights=weights, scale=config["lambda_"], normalize=config["normalize"])
    yield "merged", merger.merge("w", models, base)
    # The file's second output is made with the default lambda.
    yield "normalized", TaskArithmetic(weights=weights, normalize=True).merge("w", models, base)


def _ties(inputs, config):
    models, base = inputs["models"], inputs["base"]
    options = {each: config[each] for each in ("weights", "density")} | {"scale": config["lambda_"]}
    yield "merged", Ties(**options).merge("w", models, base)
    yield "count", Ties(**options, consensus="count").merge("w", models, base)
    for number, (model, density) in enumerate(zip(models, config["density"], strict=True)):
        yield f"trimmed_{number}", trim(model - base, density)


def _dare_mask(inputs, config):
    change, mask, density = inputs["delta"], inputs["mask"], config["density"]
    for name in ("none", "l1", "l2", "linf"):
        yield f"norm_{name}", rescale_masked(change, mask, density, name)
    yield "paper_inverse_density", rescale_masked(change, mask, density, "inverse")


@pytest.mark.parametrize("path", _parameters("merge_*.npz"))
def test_golden_merge_gives_every_output_of_its_file(path):
    with np.load(path) as arrays:
        meta = json.loads(str(arrays["meta"]))
        inputs = {
            name.removeprefix("in_"): torch.from_numpy(arrays[name])
            for name in arrays.files
            if name.startswith("in_")
        }
        expected = {
            name.removeprefix("out_"): arrays[name]
            for name in arrays.files
            if name.startswith("out_")
        }
    listed = sorted(
        (name for name in inputs if name.startswith("models_")), key=lambda n: int(n[7:])
    )
    inputs["models"] = [inputs[name] for name in listed]
    merge = {
        "merge_linear": _linear,
        "merge_slerp": _slerp,
        "merge_task_arithmetic": _task_arithmetic,
        "merge_ties": _ties,
        "merge_dare_mask": _dare_mask,
    }[path.stem]
    found = dict(merge(inputs, meta["config"]))
    assert found.keys() == expected.keys()
    for name, value in found.items():
        assert value.dtype == torch.float64
        np.testing.assert_allclose(
            value.numpy(), expected[name], rtol=meta["rtol"], atol=meta["atol"], err_msg=name
        )
