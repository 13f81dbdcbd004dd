"""Every golden case of CRD, HKD and DEMI, in float64."""

from __future__ import annotations

import pytest
import torch

from zoo_distillation.crd import MemoryContrast
from zoo_distillation.demi import conditional_bound, information_bound
from zoo_distillation.hkd import GraphEncoder, HolisticContrast, adjacency, graph_distances
from zoo_distillation.memory import Negatives

#: The published names of parameters and buffers -> ours.
CRD = {
    "embed_s.linear.": "student.",
    "embed_t.linear.": "teacher.",
    "contrast.memory_v1": "student_memory",
    "contrast.memory_v2": "teacher_memory",
}
HKD = CRD | {
    "gnn_s.conv1.lin.": "student_graph.linear.",
    "gnn_t.conv1.lin.": "teacher_graph.linear.",
    "contrast.memory_l": "student_memory",
    "contrast.memory_ab": "teacher_memory",
}


def ours(name, names):
    """Translate a published name."""
    for theirs, own in names.items():
        if name.startswith(theirs):
            return own + name.removeprefix(theirs)
    return name


def load(module, golden, names):
    """Fill a module with the published parameters and give it back in float64."""
    given = {ours(name, names): value for name, value in golden.tensors("param_").items()}
    module = module.double()
    missing, unknown = module.load_state_dict(given, strict=False)
    assert set(missing) <= {"log_constants"}
    assert set(unknown) <= {"contrast.params"}
    return module


def steps_of(golden):
    """Give the ends of the names of successive calls, in order."""
    found = sorted(name for name in golden.arrays if name.startswith("in_fs"))
    return [name.removeprefix("in_fs") for name in found]


def negatives_of(golden, memory, *, positive_first):
    """Build what is not used for drawing: golden cases name their negatives."""
    drawn = next(v for k, v in golden.arrays.items() if k.startswith("in_contrast_idx"))
    return Negatives(len(golden.arrays[f"param_{memory}"]), drawn.shape[1] - positive_first)


def check_step(golden, step, module, student, names):
    """Compare what a call left behind: gradients and memories."""
    if f"grad_fs{step}" in golden.arrays:
        golden.close(student.grad, f"grad_fs{step}")
    parameters = dict(module.named_parameters())
    for name in golden.arrays:
        if name.startswith("gradparam_") and name.endswith(step):
            published = name.removeprefix("gradparam_").removesuffix(step)
            golden.close(parameters[ours(published, names)].grad, name)
    buffers = dict(module.named_buffers())
    for name in golden.arrays:
        if name.startswith("out_memory") and name.endswith(f"_after{step}"):
            published = "contrast." + name.removeprefix("out_").removesuffix(f"_after{step}")
            golden.close(buffers[ours(published, names)], name)


@pytest.mark.golden("crd")
def test_contrastive_distillation_gives_the_golden_losses_gradients_and_memories(golden_case):
    config = golden_case.meta["config"]
    module = load(
        MemoryContrast(
            config["s_dim"],
            config["t_dim"],
            config["feat_dim"],
            negatives_of(golden_case, "contrast.memory_v1", positive_first=True),
            temperature=config["nce_t"],
            momentum=config["nce_m"],
        ),
        golden_case,
        CRD,
    )
    for step in steps_of(golden_case):
        student = golden_case.tensor(f"in_fs{step}").requires_grad_()
        rows, chosen = (golden_case.tensor(f"in_{n}{step}") for n in ("idx", "contrast_idx"))
        assert torch.equal(chosen[:, 0], rows)
        teacher = golden_case.tensor(f"in_ft{step}")
        module.zero_grad()
        loss = module.contrast(student, teacher, rows, chosen[:, 1:])
        loss.backward()
        golden_case.close(loss, f"out_loss{step}")
        for number, network in ((0, 1), (1, 2)):
            golden_case.close(module.log_constants[number].exp(), f"out_Z_v{network}{step}")
        check_step(golden_case, step, module, student, CRD)


@pytest.mark.golden("hkd_loss", "hkd_small")
def test_holistic_distillation_gives_the_golden_losses_gradients_and_memories(golden_case):
    config = golden_case.meta["config"]
    width, student_width = golden_case.arrays["param_embed_s.linear.weight"].shape
    module = load(
        HolisticContrast(
            student_width,
            golden_case.arrays["param_embed_t.linear.weight"].shape[1],
            width,
            negatives_of(golden_case, "contrast.memory_l", positive_first=False),
            neighbours=config["knn"],
            temperature=config["T"],
        ),
        golden_case,
        HKD,
    )
    before = {name: value.clone() for name, value in module.named_buffers()}
    for step in steps_of(golden_case):
        student = golden_case.tensor(f"in_fs{step}").requires_grad_()
        teacher, rows, chosen = (
            golden_case.tensor(f"in_{name}{step}") for name in ("ft", "idx", "contrast_idx")
        )
        logits = tuple(
            golden_case.tensor(f"in_logits_{network}{step}")
            if f"in_logits_{network}{step}" in golden_case.arrays
            else torch.zeros(len(rows), 2)
            for network in "st"
        )
        module.zero_grad()
        losses = module.contrast(student, teacher, logits, rows, chosen)
        loss = torch.stack(list(losses.values())).sum()
        loss.backward()
        golden_case.close(loss, f"out_loss{step}")
        check_step(golden_case, step, module, student, HKD)
        if len(rows) < config["knn"]:
            assert all(torch.equal(v, before[k]) for k, v in module.named_buffers())


@pytest.mark.golden("hkd_encoder", "hkd_knn")
def test_the_graph_of_holistic_distillation_and_its_network_are_golden(golden_case):
    distances = graph_distances(golden_case.tensor("in_logits"))
    graph = adjacency(distances, golden_case.meta["config"]["knn"])
    if "out_distance" in golden_case.arrays:
        golden_case.close(distances, "out_distance")
        golden_case.close(graph, "out_adj")
    if "out_z" in golden_case.arrays:
        nodes = golden_case.tensor("in_h")
        encoder = GraphEncoder(nodes.shape[1]).double()
        given = golden_case.tensors("param_conv1.lin.")
        encoder.linear.load_state_dict(given)
        golden_case.close(encoder(nodes, graph), "out_z")


@pytest.mark.golden("demi")
def test_decomposed_information_gives_the_golden_bounds_and_gradients(golden_case):
    part, rest = (golden_case.tensor(f"in_{name}").requires_grad_() for name in ("psi", "phi"))
    first, second = information_bound(part), conditional_bound(part, rest)
    golden_case.close(first, "out_nce")
    golden_case.close(second, "out_conditional")
    golden_case.close(first + second, "out_total")
    (first + second).backward()
    golden_case.close(part.grad, "grad_psi")
    golden_case.close(rest.grad, "grad_phi")
