"""A runtime of numpy alone, whose checkpoints misbehave as their ``fake.json`` says."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from zoo.errors import CheckpointError, NotApplicable, OutOfMemoryError
from zoo.types import EncodedInput, Tap


def behaviour(checkpoint):
    return json.loads(Path(checkpoint.folder, "fake.json").read_text())


def log(checkpoint, what):
    with Path(checkpoint.folder).parent.joinpath("calls.log").open("a") as file:
        file.write(f"{what} {Path(checkpoint.folder).name} {os.getpid()}\n")


class FakeRuntime:
    def identity(self):
        return "fake 1"

    def input_key(self, checkpoint, modality):
        return behaviour(checkpoint)["input_key"]

    def prepare(self, checkpoint, inputs):
        facts = behaviour(checkpoint)
        log(checkpoint, "prepare")
        time.sleep(facts.get("slow_prepare", 0))
        if facts.get("die_in_prepare"):
            os.kill(os.getpid(), signal.SIGKILL)
        sizes = [4 + (index % 3 if facts.get("ragged") else 0) for index in range(len(inputs))]
        return [
            np.full((size, 4, 3), image.data[0], dtype=np.uint8)
            for size, image in zip(sizes, inputs, strict=True)
        ]

    def open(self, checkpoint, options):
        log(checkpoint, "open")
        facts = behaviour(checkpoint)
        if facts.get("tells"):
            told = {**os.environ, "precision": options.precision, "cache": options.cache}
            Path(checkpoint.folder).parent.joinpath("told.json").write_text(json.dumps(told))
        if facts.get("broken"):
            raise CheckpointError("the weights are cut short.", "Fetch it again.")
        if facts.get("library_error"):
            raise _LibraryError("one", "two")
        if facts.get("exits"):
            sys.exit(7)
        kind = AttributingBackbone if facts.get("attributes") else FakeBackbone
        kind = PlacedBackbone if facts.get("runs_on") else kind
        return kind(checkpoint, facts)


class RivalRuntime(FakeRuntime):
    """Opens the same checkpoints, and behaves as the key ``rival`` of their ``fake.json`` says."""

    def identity(self):
        return "rival 1"

    def input_key(self, checkpoint, modality):
        return self._facts(checkpoint)["input_key"]

    def opening_seconds(self, checkpoint, options):
        assert options.cache.endswith("graphs")
        return self._facts(checkpoint).get("opening", 0.0)

    def open(self, checkpoint, options):
        log(checkpoint, "open-rival")
        facts = self._facts(checkpoint)
        if facts.get("die_in_open"):
            os.kill(os.getpid(), signal.SIGKILL)
        if facts.get("broken"):
            raise CheckpointError("a part cannot be exported.", "Use another runtime.")
        return RivalBackbone(checkpoint, facts)

    def _facts(self, checkpoint):
        facts = behaviour(checkpoint)
        return {**facts, **facts.get("rival", {})}


class _LibraryError(Exception):
    """Cannot be unpickled, like many libraries' own."""

    def __init__(self, first, second):
        super().__init__(f"{first} {second}")


class FakeBackbone:
    def __init__(self, checkpoint, facts):
        self.checkpoint, self.facts = checkpoint, facts
        self.taps = (Tap(name="early", dimension=2), Tap(name="late", dimension=3))
        self.taps += (Tap(name="logits"),) if facts.get("head", True) else ()
        self.default_tap = "late"
        self.budget = facts.get("budget", 10_000)

    def encode(self, inputs):
        return [
            EncodedInput(cost=item.size if hasattr(item, "size") else len(item), data=item)
            for item in inputs
        ]

    def extract(self, batch, taps):
        facts = self.facts
        log(self.checkpoint, "extract")
        if facts.get("prints"):
            print("a library chats on stdout", flush=True)
            os.write(1, b"so does its native code\n")
        if facts.get("die"):
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(facts.get("slow", 0))
        if len(batch) > facts.get("fits", 10**9):
            raise OutOfMemoryError(f"{len(batch)} do not fit.")
        first = np.array(
            [
                np.asarray(each.data).flat[0] if hasattr(each.data, "flat") else len(each.data)
                for each in batch
            ],
            dtype=np.float32,
        )
        rows = {
            "early": np.stack([first, first**2], axis=1),
            "late": np.stack([first, np.sin(first), np.cos(first)], axis=1),
            "logits": np.stack([first, -first], axis=1),
        }
        if facts.get("nan"):
            rows[facts["nan"]][first == 3] = np.nan
        return {tap: rows[tap] for tap in taps}

    def close(self):
        log(self.checkpoint, "close")


class RivalBackbone(FakeBackbone):
    def __init__(self, checkpoint, facts):
        super().__init__(checkpoint, facts)
        self.taps = tuple(tap for tap in self.taps if tap.name != facts.get("lacks"))

    def extract(self, batch, taps):
        log(self.checkpoint, "extract-rival")
        rows = super().extract(batch, taps)
        return {tap: rows[tap] * (1 + self.facts.get("error", 0.0)) for tap in taps}


class PlacedBackbone(FakeBackbone):
    """Says where it really runs."""

    @property
    def device(self):
        return self.facts["runs_on"]


class AttributingBackbone(FakeBackbone):
    """Attributes a sample to four cells: its value, over the number of the tap."""

    @property
    def attribution_note(self):
        return self.facts.get("note", "")

    def attribute(self, batch, taps, method):
        facts = self.facts
        log(self.checkpoint, f"attribute-{len(batch)}")
        if facts.get("die_in_attribute"):
            os.kill(os.getpid(), signal.SIGKILL)
        if facts.get("no_gradient"):
            raise NotApplicable("no gradient of late reaches the input.")
        if len(batch) > facts.get("fits_backward", 10**9):
            raise OutOfMemoryError(f"{len(batch)} do not fit.")
        values = np.array([np.asarray(each.data).flat[0] for each in batch], dtype=np.float32)
        names = [tap.name for tap in self.taps]
        rows = {tap: np.tile(values[:, None], 4) / (1 + names.index(tap)) for tap in taps}
        if facts.get("nan_map"):
            rows[facts["nan_map"]][0] = np.nan
        return rows


def _attributed(features):
    maps = features.extras.get("attributions", np.empty((0, 0)))
    return float(np.isfinite(maps).all(axis=1).sum())


class ReadingEstimator:
    """Says what it was given."""

    def score(self, features):
        from zoo.types import Score

        given = {name: array.shape for name, array in features.extras.items()}
        reference = features.reference
        same = reference is not None and bool((reference.values == features.values).all())
        details = {
            "attributed": _attributed(features),
            "attributions": float(np.nansum(features.extras.get("attributions", 0.0))),
            "extras": float(len(given)),
            "same": float(same),
        }
        if reference is not None:
            details["compared"] = _attributed(reference)
        return Score(float(features.values.mean()), details=details)


class FakeEstimator:
    def __init__(self, *, scale=1.0):
        self.scale = scale

    def score(self, features):
        from zoo.types import Score

        return Score(self.scale * float(features.values.mean()))
