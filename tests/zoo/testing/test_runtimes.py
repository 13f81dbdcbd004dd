"""Whether a runtime's optional methods for training can be called."""

from __future__ import annotations

from zoo.testing.runtimes import check_trains


class Trainer:
    def open_teacher(self, checkpoint, options, modality): ...

    def open_student(self, checkpoint, options, modality, request): ...

    def layers(self, checkpoint, modality, student=None): ...


def test_a_runtime_that_does_not_train_has_nothing_to_promise():
    assert check_trains(object()) == []


def test_a_runtime_that_trains_passes():
    assert check_trains(Trainer()) == []


def test_what_is_missing_is_named():
    class Half:
        def open_teacher(self, checkpoint, options, modality): ...

    assert check_trains(Half(), "half") == [
        "half: has open_teacher, and lacks open_student, layers."
    ]


def test_a_method_that_cannot_be_called_is_named_with_how_it_is_called():
    class Old(Trainer):
        def open_student(self, checkpoint, options): ...

        def step_cost(self, checkpoint, modality, batch): ...

    first, second = check_trains(Old())
    assert first.startswith(
        "Old: open_student is called as open_student(checkpoint, options, modality, request): "
    )
    assert "step_cost(checkpoint, modality, batch, *, student, taps)" in second
