"""Every golden case of common-feature learning and of layer-wise amalgamation, in float64."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from zoo.types.training import FeatureShape, Lesson, Meeting, Stage
from zoo_amalgamation.cfl import CommonFeatureLearning, reconstruction
from zoo_amalgamation.layerwise import LayerWise
from zoo_amalgamation.mmd import discrepancies, mmd

pytestmark = pytest.mark.golden

ROOT = Path(__file__).parents[3]
FOLDER = Path(os.environ.get("ZOO_GOLDEN", ROOT.parent / "shared" / "golden")) / "distillation"
FILES = sorted(path for kind in ("cfl", "layerwise") for path in FOLDER.glob(f"{kind}_*.npz"))

#: The published names of parameters -> ours.
NAMES = (
    (r"^align_t\.", "adapt_teachers."),
    (r"^align_s\.", "adapt_student."),
    (r"^dec_t\.", "decoders."),
    (r"\.conv1\.", ".first."),
    (r"\.bn1\.", ".first_norm."),
    (r"\.conv2\.", ".second."),
    (r"\.bn2\.", ".second_norm."),
    (r"\.downsample\.0\.", ".shortcut."),
    (r"^enc\.", "encoder."),
    (r"^dec\.", "decoder."),
    (r"^fam\.", "adapter."),
)


class Golden:
    """One file, with the arrays by the part before their name."""

    def __init__(self, path):
        with np.load(path) as arrays:
            self.meta = json.loads(str(arrays["meta"]))
            self.arrays = {name: arrays[name] for name in arrays.files if name != "meta"}
        self.config = self.meta["config"]
        self.checked = set()

    def input(self, name, *, grad=False):
        return torch.tensor(self.arrays[f"in_{name}"], requires_grad=grad)

    def inputs(self, name, *, grad=False):
        count = sum(bool(re.fullmatch(rf"in_{name}_\d+", each)) for each in self.arrays)
        return tuple(self.input(f"{name}_{number}", grad=grad) for number in range(count))

    def parameters(self, prefix=""):
        start = f"param_{prefix}"
        return {
            ours(name.removeprefix(start)): torch.tensor(value)
            for name, value in self.arrays.items()
            if name.startswith(start)
        }

    def equal(self, name, value):
        self.checked.add(name)
        np.testing.assert_allclose(
            torch.as_tensor(value).detach().numpy(),
            self.arrays[name],
            rtol=self.meta["rtol"],
            atol=self.meta["atol"],
            err_msg=name,
        )

    def equal_each(self, name, values):
        for number, value in enumerate(values):
            self.equal(f"{name}_{number}", value)

    def equal_gradients(self, module):
        for name in self.arrays:
            if name.startswith("gradparam_"):
                inner = ours(name.removeprefix("gradparam_"))
                self.equal(name, module.get_parameter(inner).grad)

    def assert_complete(self):
        expected = {each for each in self.arrays if not each.startswith(("in_", "param_"))}
        assert self.checked == expected


def ours(name):
    for pattern, replacement in NAMES:
        name = re.sub(pattern, replacement, name)
    return name


def stage_of(student, teachers):
    def shape(features):
        grid = tuple(features.shape[2:]) or None
        return FeatureShape(tap="last", width=features.shape[1], grid=grid)

    return Stage(student=shape(student), teachers=tuple(map(shape, teachers)))


def soft_cross_entropy(student, teachers):
    return functional.cross_entropy(student, torch.cat(teachers, dim=1).softmax(dim=1))


def extras_of(golden, student, teachers, prefix=""):
    """Build the module of the method with the widths, the layers and the weights of the file."""
    parameters = golden.parameters(prefix)
    blocks = {name.split(".")[1] for name in parameters if name.startswith("extractor.")}
    normalised = any("running_mean" in name for name in parameters)
    method = CommonFeatureLearning(
        width=parameters["decoders.0.0.weight"].shape[1],
        blocks=len(blocks),
        block="batch_norm" if normalised else "official",
    )
    extras = method.build([stage_of(student, teachers)]).double()
    extras.spaces[0].load_state_dict(parameters)
    return extras


def check_mmd(golden):
    options = {"sigmas": golden.config["sigmas"], "normalise": golden.config["normalized"]}
    first = golden.input("f1", grad=True)
    second = golden.input("f2") if "in_f2" in golden.arrays else first[golden.input("perm")]
    value = mmd(first, second, **options)
    golden.equal("out_mmd", value)
    if "grad_f1" in golden.arrays:
        value.backward()
        golden.equal("grad_f1", first.grad)


def check_loss(golden):
    student, decoded = golden.input("hs", grad=True), golden.inputs("ft_rec", grad=True)
    sigmas = golden.config["sigmas"]
    apart = discrepancies(student, golden.inputs("ht"), sigmas=sigmas).sum()
    error = reconstruction(decoded, golden.inputs("ft"))
    (apart + error).backward()
    golden.equal("out_mmd", apart)
    golden.equal("out_mse", error)
    golden.equal("out_total", apart + error)
    golden.equal("grad_hs", student.grad)
    golden.equal_each("grad_ft_rec", [each.grad for each in decoded])


def check_block(golden):
    student, teachers = golden.input("fs", grad=True), golden.inputs("ft")
    extras = extras_of(golden, student, teachers)
    extras.train(golden.config.get("mode", "train") == "train")
    before = {name: value.clone() for name, value in extras.state_dict().items()}
    losses = extras(Lesson(meetings=(Meeting(student=student, teachers=teachers),)))
    total = losses["mmd"] + losses["reconstruction"]
    if "in_student_logits" in golden.arrays:
        logits = golden.input("student_logits", grad=True)
        soft = soft_cross_entropy(logits, golden.inputs("teacher_logits"))
        golden.equal("out_cf", total)
        golden.equal("out_soft_ce", soft)
        total = soft + golden.config["loss_weight"] * total
        golden.equal("out_total", total)
        total.backward()
        golden.equal("grad_student_logits", logits.grad)
    else:
        golden.equal("out_mmd", losses["mmd"])
        golden.equal("out_mse", losses["reconstruction"])
        total.backward()
    golden.equal("grad_fs", student.grad)
    golden.equal_gradients(extras.spaces[0])
    if "out_bn_running_mean_after" in golden.arrays:
        norm = extras.spaces[0].extractor[0].first_norm
        golden.equal("out_bn_running_mean_after", norm.running_mean)
        golden.equal("out_bn_running_var_after", norm.running_var)
    extras.load_state_dict(before)
    common = extras.spaces[0](student, teachers)
    golden.equal("out_hs", common.student)
    golden.equal_each("out_ht", common.teachers)
    golden.equal_each("out_rec", common.reconstructions)


def check_trajectory(golden):
    images, teachers = golden.input("X"), golden.inputs("ft")
    parameters = golden.parameters("student.")
    convolution = nn.Conv2d(*reversed(parameters["conv.weight"].shape[:2]), 3, padding=1).double()
    head = nn.Linear(*reversed(parameters["fc.weight"].shape)).double()
    for name, module in (("conv", convolution), ("fc", head)):
        module.load_state_dict({key: parameters[f"{name}.{key}"] for key in ("weight", "bias")})
    extras = extras_of(golden, convolution(images), teachers, "cfl.")
    adam = golden.config["adam"]
    optimiser = torch.optim.Adam(
        [
            {"params": convolution.parameters(), "lr": adam["lr_backbone"]},
            {"params": head.parameters(), "lr": adam["lr_fc"]},
            {"params": extras.parameters(), "lr": adam["lr_cfl"]},
        ],
        weight_decay=adam["weight_decay"],
        betas=adam["betas"],
        eps=adam["eps"],
    )
    history = []
    for _ in range(golden.config["steps"]):
        features = convolution(images).relu()
        soft = soft_cross_entropy(head(features.mean((2, 3))), golden.inputs("teacher_logits"))
        losses = extras(Lesson(meetings=(Meeting(student=features, teachers=teachers),)))
        common = golden.config["loss_weight"] * (losses["mmd"] + losses["reconstruction"])
        total = soft + common
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        history.append(torch.stack([total, soft, common]).detach())
    golden.equal("out_history", torch.stack(history))
    golden.equal("out_fc_weight_after", head.weight)
    golden.equal("out_conv_bias_after", convolution.bias)
    golden.equal("out_align_s_after", extras.spaces[0].adapt_student[0].weight)


def check_layerwise(golden):
    student, teachers = golden.input("fs", grad=True), golden.inputs("ft")
    extras = LayerWise().build([stage_of(student, teachers)]).double()
    (block,) = extras.codes
    block.load_state_dict(golden.parameters())
    code, adapted, decoded = block.features(student, teachers)
    golden.equal("out_rep", code)
    golden.equal("out_fs_mapped", adapted)
    golden.equal_each("out_ft_rec", decoded)
    losses = extras(Lesson(meetings=(Meeting(student=student, teachers=teachers),)))
    golden.equal("out_loss_amal", losses["amalgamation"])
    golden.equal("out_loss_recons", losses["reconstruction"])
    sum(losses.values()).backward()
    golden.equal("grad_fs", student.grad)
    golden.equal_gradients(block)


#: An array that tells what a case is about -> how it is checked.
CHECKS = {
    "in_f1": check_mmd,
    "in_hs": check_loss,
    "param_align_s.0.weight": check_block,
    "param_cfl.align_s.0.weight": check_trajectory,
    "param_enc.weight": check_layerwise,
}


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_golden_values_and_every_gradient(path):
    golden = Golden(path)
    (check,) = [check for name, check in CHECKS.items() if name in golden.arrays]
    check(golden)
    golden.assert_complete()


def test_golden_files_are_there():
    if not FILES:
        pytest.skip(f"nothing golden in {FOLDER} (ZOO_GOLDEN names another)")
