"""Every golden case of searched aggregation, of several teachers and of weighted contrast."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from zoo_distillation.aggregation import Aggregation, expressivity, learnability
from zoo_distillation.bilinear import compact_bilinear, count_sketch
from zoo_distillation.herocon import label_contrast, single_label_contrast, view_contrast
from zoo_distillation.sinkhorn import earth_mover


@pytest.mark.golden("dfa_")
def test_the_golden_bridge_loss_is_that_of_the_search(golden_case, make_shape):
    found = golden_case.tensors("in_teacher_feats_")
    layers = [found[str(number)] for number in range(len(found))]
    student = golden_case.tensor("in_student_feat").requires_grad_()
    group = Aggregation(
        make_shape("s", student.shape[1], tuple(student.shape[2:])),
        [make_shape("t", each.shape[1], tuple(each.shape[2:])) for each in layers],
        scale=0.3,
    ).double()
    with torch.no_grad():
        group.score.copy_(golden_case.tensor("in_beta") / group.scale)
        for part, name in ((group.to_teacher, "W_s2t"), (group.to_student, "W_t2s")):
            part.weight.copy_(golden_case.tensor(f"in_{name}"))
            part.bias.zero_()

    target = group(layers)
    own = learnability(target, group.in_teacher(student)).mean()
    tail = group.in_student(target, student).relu().mean((2, 3))
    logits = tail @ golden_case.tensor("in_W_tail").mT
    later = expressivity(logits, None, golden_case.tensor("in_target")).mean()
    config = golden_case.meta["config"]
    bridge = config["gamma_ts"] * later + config["gamma_st"] * own
    bridge.backward()

    golden_case.close(group.alpha(), "out_alpha")
    golden_case.close(target, "out_aggregate")
    golden_case.close(own, "out_loss_st")
    golden_case.close(later, "out_loss_ts")
    golden_case.close(bridge, "out_bridge")
    golden_case.close(group.score.grad / group.scale, "grad_beta")
    golden_case.close(student.grad, "grad_student_feat")


@pytest.mark.golden("graph_emd")
def test_the_golden_distances_are_the_limit_of_the_entropic_ones(golden_case):
    temperature = golden_case.meta["config"]["T"]
    teachers = (golden_case.tensor("in_teacher_logits") / temperature).log_softmax(-1)
    student = (golden_case.tensor("in_student_logits") / temperature).log_softmax(-1)
    cost = golden_case.tensor("in_cost")
    found = earth_mover(
        teachers, student, cost, epsilon=3e-4, iterations=1500, annealed=0.8, relaxation=1.95
    )
    golden_case.close(found, "out_emd")


@pytest.mark.golden("compact_bilinear")
def test_the_golden_sketch_of_a_pair(golden_case):
    size = golden_case.meta["config"]["D"]
    sketches = [
        count_sketch(
            golden_case.tensor(f"in_{name}"),
            golden_case.tensor(f"in_h{number}"),
            golden_case.tensor(f"in_s{number}"),
            size,
        )
        for number, name in ((1, "a"), (2, "b"))
    ]
    golden_case.close(compact_bilinear(*sketches), "out_pooled")


@pytest.mark.golden("herocon_")
def test_the_golden_contrasts_and_their_sum(golden_case):
    config = golden_case.meta["config"]
    labelled, labels = config["n_labelled"], golden_case.tensor("in_labels")
    joined, views = [], []
    for number, (view, project) in enumerate((("first_view.0", "e1"), ("second_view.0", "e2")), 1):
        rows = torch.cat([golden_case.tensor(f"in_{kind}_view{number}") for kind in "xu"])
        features = _linear(golden_case, view)(rows).relu()
        joined.append(features[:labelled])
        views.append(_linear(golden_case, project)(features))
        golden_case.close(views[-1], f"out_v{number}")
    joined = torch.cat(joined, 1)
    golden_case.close(joined, "out_z")

    weigh = _linear(golden_case, "weight_net.linear")
    logits = _linear(golden_case, "final_layer.0")(joined)
    classified = functional.binary_cross_entropy_with_logits(logits, labels)
    unlabelled = config["alpha"] * view_contrast(*views, weigh, constant=2 * labelled)
    known = config["beta"] * label_contrast(joined, labels, multi_label=config["multi_label"])
    golden_case.close(classified, "out_bce")
    golden_case.close(unlabelled, "out_unsup")
    golden_case.close(known, "out_sup")
    if not config["multi_label"]:
        columns = labels.argmax(1)
        single = single_label_contrast(joined, columns, labels.shape[1])
        golden_case.close(config["beta"] * single, "out_sup")
    (classified + unlabelled + known).backward()
    golden_case.close(weigh.weight.grad, "grad_weight_net")


def _linear(golden_case, name):
    found = golden_case.tensors(f"param_{name}.")
    layer = nn.Linear(found["weight"].shape[1], found["weight"].shape[0]).double()
    layer.load_state_dict(found)
    return layer
