"""Patience has rules: what is tried again, how long, and when it ends."""

from __future__ import annotations

import time
from email.utils import formatdate
from types import SimpleNamespace

import httpx2
import pytest

from zoo.hub.retry import Retry, retry_after


class Answer(Exception):
    def __init__(self, status: int, **headers: str) -> None:
        super().__init__(status)
        self.response = SimpleNamespace(status_code=status, headers=headers, history=[])


def failing(*errors: Exception):
    left = list(errors)

    def action() -> str:
        if left:
            raise left.pop(0)
        return "done"

    return action


def patient(waits: list[float], **options) -> Retry:
    return Retry(sleep=waits.append, jitter=lambda: 1.0, **options)


def test_waits_double_up_to_a_bound():
    waits: list[float] = []

    patient(waits).call(failing(*[Answer(503)] * 5))

    assert waits == [1.0, 2.0, 4.0, 8.0, 10.0]


def test_jitter_takes_off_up_to_half():
    waits: list[float] = []

    Retry(sleep=waits.append, jitter=lambda: 0.0).call(failing(Answer(503)))

    assert waits == [0.5]


def test_the_last_failure_comes_out_unchanged():
    last = Answer(502)

    with pytest.raises(Answer) as caught:
        patient([]).call(failing(*[Answer(503)] * 5, last))
    assert caught.value is last


@pytest.mark.parametrize("error", [Answer(404), Answer(401), Answer(403), ValueError("a defect")])
def test_what_cannot_be_cured_is_not_tried_again(error):
    waits: list[float] = []

    with pytest.raises(type(error)):
        patient(waits).call(failing(error))
    assert waits == []


@pytest.mark.parametrize(
    "error",
    [
        httpx2.ReadError("reset"),
        httpx2.ReadTimeout("slow"),
        httpx2.ConnectTimeout("slow"),
        httpx2.RemoteProtocolError("cut"),
        Answer(408),
        Answer(429),
        Answer(500),
    ],
)
def test_what_passes_is_tried_again(error):
    assert patient([]).call(failing(error)) == "done"


def test_nobody_there_is_found_out_soon():
    waits: list[float] = []

    with pytest.raises(httpx2.ConnectError):
        patient(waits).call(failing(*[httpx2.ConnectError("refused")] * 9))
    assert len(waits) == 2


def test_a_failure_after_progress_starts_afresh():
    waits: list[float] = []
    received = iter(range(100))

    patient(waits).call(failing(*[Answer(503)] * 20), progress=lambda: next(received))

    assert waits == [1.0] * 20


def test_the_deadline_ends_it():
    waits: list[float] = []

    with pytest.raises(Answer):
        patient(waits, deadline=4.0).call(failing(*[Answer(503)] * 5))
    assert waits == [1.0, 2.0]


def test_the_server_s_wish_is_read_in_every_form():
    assert retry_after({"Retry-After": "3"}) == 3
    assert 50 < (retry_after({"Retry-After": formatdate(time.time() + 60, usegmt=True)}) or 0) < 61
    assert retry_after({"Retry-After": "soon"}) is None
    assert retry_after({"RateLimit": '"api";r=0;t=55'}) == 55
    assert retry_after({"RateLimit": '"api";r=9;t=55'}) is None
    assert retry_after({}) is None
