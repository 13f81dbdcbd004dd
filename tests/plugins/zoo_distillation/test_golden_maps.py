"""Every golden case of the methods that compare maps, in float64."""

from __future__ import annotations

import re

import pytest

from zoo.types import Classroom, FeatureShape, Lesson, Meeting, Stage
from zoo_distillation.at import AttentionTransfer, attentions, summed_lengths
from zoo_distillation.fitnet import Hint
from zoo_distillation.nst import NeuronSelectivity
from zoo_distillation.review_fusion import Fusion, context_loss, hierarchical_loss
from zoo_distillation.reviewkd import KnowledgeReview
from zoo_distillation.vid import VariationalInformation

#: The published names of parameters -> ours.
NAMES = (
    (r"^log_scale$", "raw_variance"),
    (r"^regressor\.", "mean."),
    (r"^conv\.", "layer."),
    (r"^bn\.", "norm."),
    (r"(^|\.)conv1\.", r"\1embed."),
    (r"(^|\.)conv2\.", r"\1project."),
    (r"(^|\.)att_conv\.0\.", r"\1attend."),
)


def ours(name):
    for pattern, replacement in NAMES:
        name = re.sub(pattern, replacement, name)
    return name


class Case:
    """One file: its inputs with gradients, and what has been compared with it."""

    def __init__(self, golden):
        self.golden = golden
        self.checked = set()
        self.inputs = {
            name: tensor.requires_grad_(tensor.is_floating_point())
            for name, tensor in golden.tensors("in_").items()
        }

    def listed(self, name):
        found = [each for each in self.inputs if re.fullmatch(rf"{name}(_\d+)?", each)]
        return [self.inputs[each] for each in sorted(found, key=lambda each: each.split("_")[1:])]

    def lesson(self):
        pairs = zip(self.listed("student"), self.listed("teacher"), strict=True)
        meetings = tuple(Meeting(student=own, teachers=(other,)) for own, other in pairs)
        return Lesson(meetings=meetings, progress=1.0)

    def built(self, method):
        """Build the module of a method for the shapes of the file."""
        stages = tuple(
            Stage(student=shape(each.student), teachers=(shape(each.teachers[0]),))
            for each in self.lesson().meetings
        )
        return method.build(Classroom(stages=stages)).double()

    def parameters(self):
        return {ours(name): value for name, value in self.golden.tensors("param_").items()}

    def equal(self, name, value):
        self.checked.add(name)
        self.golden.close(value, name)

    def equal_gradients(self, module=None):
        for name in self.golden.arrays:
            if name.startswith("grad_"):
                self.equal(name, self.inputs[name.removeprefix("grad_")].grad)
            if name.startswith("gradparam_"):
                inner = ours(name.removeprefix("gradparam_"))
                self.equal(name, module.get_parameter(inner).grad)

    def assert_complete(self):
        expected = {name for name in self.golden.arrays if not name.startswith(("in_", "param_"))}
        assert self.checked == expected


@pytest.fixture
def case(golden_case):
    return Case(golden_case)


def shape(features):
    grid = tuple(features.shape[2:]) or None
    return FeatureShape(tap="map", width=features.shape[1], grid=grid)


@pytest.mark.golden("fitnet")
def test_golden_hints(case):
    config = case.golden.meta["config"]
    module = case.built(Hint(relu=config["use_relu"]))
    before = {name: value.clone() for name, value in case.parameters().items()}
    module.regressor.load_state_dict(before)
    case.equal("out_regressed", module.regressor(case.inputs["student"]))
    loss = module(case.lesson())["hint"]
    case.equal("out_loss", loss)
    loss.backward()
    case.equal_gradients(module.regressor)
    case.assert_complete()


@pytest.mark.golden("attention_transfer")
def test_golden_attention_transfer(case):
    power = case.golden.meta.get("config", {}).get("p", 2)
    lesson = case.lesson()
    loss = case.built(AttentionTransfer(p=power))(lesson)["attention"]
    if "out_paper_sum" in case.golden.arrays:
        (meeting,) = lesson.meetings
        own, other = attentions(meeting.student, meeting.teachers[0], power)
        case.equal("out_paper_sum", summed_lengths(own, other))
        case.equal("out_code", loss)
        paper = case.built(AttentionTransfer(p=power, mode="paper"))(lesson)["attention"]
        expected = case.golden.arrays["out_paper_sum"] / (2 * own.numel())
        case.golden.close(paper, expected, "paper")
    else:
        for number, meeting in enumerate(lesson.meetings):
            alone = case.built(AttentionTransfer(p=power))(Lesson(meetings=(meeting,)))
            case.equal(f"out_per_pair_{number}", alone["attention"])
        case.equal("out_loss", loss)
    loss.backward()
    case.equal_gradients()
    case.assert_complete()


@pytest.mark.golden("nst")
def test_golden_neuron_selectivity(case):
    loss = case.built(NeuronSelectivity())(case.lesson())["selectivity"]
    case.equal("out_loss", loss)
    loss.backward()
    case.equal_gradients()
    case.assert_complete()


@pytest.mark.golden("vid")
def test_golden_variational_information(case):
    module = case.built(VariationalInformation())
    (gaussian,) = module.gaussians
    gaussian.load_state_dict(case.parameters())
    loss = module(case.lesson())["information"]
    case.equal("out_loss", loss)
    loss.backward()
    case.equal_gradients(gaussian)
    case.assert_complete()


@pytest.mark.golden("reviewkd_abf")
def test_golden_fusion_of_a_review(case):
    config = case.golden.meta["config"]
    fusion = Fusion(
        config["in_channel"],
        config["mid_channel"],
        config["out_channel"],
        (config["out_shape"], config["out_shape"]),
        deepest="y" not in case.inputs,
    ).double()
    fusion.load_state_dict(case.parameters())
    output, residual = fusion(case.inputs["x"], case.inputs.get("y"))
    case.equal("out_y_out", output)
    case.equal("out_x_residual", residual)
    # The gradients of the files are those of this sum; nothing in them says so.
    (output.square().mean() + residual.square().mean()).backward()
    case.equal_gradients(fusion)
    case.assert_complete()


@pytest.mark.golden("reviewkd_chain")
def test_golden_chain_of_reviews(case):
    module = case.built(KnowledgeReview())
    fusions = module.chain.fusions
    deepest = len(fusions) - 1

    def place(name):
        number, inner = name.split(".", 1)
        return f"{deepest - int(number)}.{inner}"

    fusions.load_state_dict({place(ours(name)): value for name, value in case.parameters().items()})
    for number, output in enumerate(module.chain(case.listed("student"))):
        case.equal(f"out_results_{number}", output)
    loss = module(case.lesson())["review"]
    case.equal("out_loss", loss)
    loss.backward()
    case.equal_gradients(fusions)
    case.assert_complete()


@pytest.mark.golden("reviewkd_hcl")
def test_golden_hierarchical_context(case):
    students, teachers = case.listed("student"), case.listed("teacher")
    for number, (own, other) in enumerate(zip(students, teachers, strict=True)):
        case.equal(f"out_per_stage_{number}", context_loss(own, other))
    loss = hierarchical_loss(students, teachers)
    case.equal("out_loss", loss)
    loss.backward()
    case.equal_gradients()
    case.assert_complete()
