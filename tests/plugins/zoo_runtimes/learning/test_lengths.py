"""Texts of very different length in one batch are read as if there were no padding."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from zoo.types.runtimes import RuntimeOptions
from zoo.types.training import StudentRequest
from zoo_runtimes.learning.lengths import grouped

OPTIONS = RuntimeOptions()
LABELS = ("news", "question")
MIXED = ["a cat", "the dog and the bird " * 12, "it was good " * 6, "not bad"]
ALIKE = ["a cat here", "the dog here", "it was good", "not bad here"]


def mask_of(lengths):
    longest = max(lengths)
    return torch.tensor([[1] * each + [0] * (longest - each) for each in lengths])


@given(st.lists(st.integers(1, 200), min_size=1, max_size=40))
def test_every_row_is_in_one_group_and_a_group_is_of_like_length(lengths):
    groups = grouped(mask_of(lengths))
    assert sorted(torch.cat(groups).tolist()) == list(range(len(lengths)))
    assert 1 <= len(groups) <= 3
    for rows in groups[: len(groups) - 1] if len(groups) > 1 else []:
        within = [lengths[row] for row in rows]
        assert 2 * min(within) > max(within)


def test_texts_of_like_length_stay_together():
    assert len(grouped(mask_of([9, 10, 11, 12]))) == 1
    assert len(grouped(mask_of([100, 4, 5, 3]))) == 2


@pytest.mark.parametrize("name", ["bert", "distilbert", "gpt2"])
def test_a_mixed_batch_is_read_in_its_order_as_every_text_alone(name, runtime, tiny_checkpoint):
    teacher = runtime.open_teacher(tiny_checkpoint(name), OPTIONS, "text")
    taps = [layer.tap for layer in teacher.layers]
    whole = teacher.reader.collate(MIXED)
    assert len(grouped(whole["attention_mask"])) > 1
    with torch.no_grad():
        seen = teacher.observe(whole, taps)
        alone = [teacher.observe(teacher.reader.collate([text]), taps) for text in MIXED]
    torch.testing.assert_close(seen.logits, torch.cat([each.logits for each in alone]))
    for tap in taps:
        expected = torch.cat([each.features[tap] for each in alone])
        torch.testing.assert_close(seen.features[tap], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("texts", [MIXED, ALIKE])
def test_gradients_are_those_of_one_padded_pass(texts, runtime, tiny_checkpoint):
    request = StudentRequest(labels=LABELS, seed=1)
    student = runtime.open_student(tiny_checkpoint("bert"), OPTIONS, "text", request)
    inputs = student.reader.collate(texts)
    weights = [each for each in student.module.parameters() if each.requires_grad]
    losses = [
        student.observe(inputs, ()).logits.logsumexp(1).sum(),
        student.module(**inputs).logits.logsumexp(1).sum(),
    ]
    found, expected = (torch.autograd.grad(loss, weights, allow_unused=True) for loss in losses)
    for one, other in zip(found, expected, strict=True):
        if other is not None:
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
