"""Which of several runtimes a checkpoint runs in, and what is remembered of that in the store."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from zoo.catalogue import build
from zoo.engine.machine import describe_machine, may_have_gpu
from zoo.store import key
from zoo.types.runtimes import OpensSlowly, RuntimeOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.engine.preparation import Wanted
    from zoo.settings import Settings
    from zoo.store import Store
    from zoo.types.model import Checkpoint
    from zoo.types.specs import RuntimeSpec

#: A runtime takes over when it needs at most this share of the other's time.
FASTER = 0.9


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of the runtimes that open one checkpoint, on one machine.

    Attributes:
        runtime: the fastest; empty when nothing was measured yet.
        rates: runtime -> seconds a sample, of all that were measured and agree with each other.
        out: runtime -> why it may not be used.
        trying: a rival that was being opened; it stays where that killed the process.
    """

    runtime: str = ""
    rates: dict[str, float] = {}
    out: dict[str, str] = {}
    trying: str = ""

    def without(self, runtime: str, reason: str, first: str) -> Choice:
        """Give the choice once a runtime has turned out to be unusable."""
        rates = {name: rate for name, rate in self.rates.items() if name != runtime}
        best = min(rates, key=lambda name: rates[name], default=first)
        return Choice(runtime=best, rates=rates, out={**self.out, runtime: reason})


def choice_key(entrants: Sequence[Wanted], device: str, threads: int) -> str:
    """Name what is remembered: the checkpoint, the machine and the runtimes with their versions."""
    return key(
        kind="runtime",
        checkpoint=entrants[0].checkpoint.digest,
        input=entrants[0].input_key,
        runtimes=[[each.runtime.name, each.identity] for each in entrants],
        device=device,
        machine=describe_machine(),
        threads=threads,
    )


def device_asked(settings: Settings) -> str:
    """Say on which device a run will be, as far as that is known without a framework."""
    return settings.device if settings.device != "cpu" and may_have_gpu() else "cpu"


def read_choice(store: Store, name: str) -> Choice:
    """Look up a choice; an empty one when nothing is known."""
    found = store.records.read([name]).get(name)
    return Choice() if found is None else msgspec.json.decode(found, type=Choice)


def keep_choice(store: Store, name: str, choice: Choice) -> None:
    """Remember a choice.

    Raises:
        OSError: the store cannot be written.
    """
    store.records.write({name: msgspec.json.encode(choice)})


def opening_seconds(spec: RuntimeSpec, checkpoint: Checkpoint, options: RuntimeOptions) -> float:
    """Ask a runtime what opening costs beyond reading the weights; 0 where it does not say."""
    runtime = build(spec)
    if not isinstance(runtime, OpensSlowly):
        return 0.0
    return max(0.0, float(runtime.opening_seconds(checkpoint, options)))


class Entrants:
    """The runtimes that can open one checkpoint on a probe, and what is remembered of them.

    Attributes:
        first: the one to use where nothing is known.
        memory: key of what is remembered.
        settled: whether there is nothing to find out.
    """

    def __init__(
        self, wanted: Sequence[Wanted], store: Store, settings: Settings, modality: str
    ) -> None:
        """Look up what is remembered of them."""
        self.first, self._all, self._store = wanted[0], list(wanted), store
        self._options = RuntimeOptions(
            device="cpu" if settings.device == "auto" else settings.device,
            threads=settings.threads,
            precision=settings.precision,
            cache=str(store.graphs),
            extras={"modality": modality},
        )
        self.memory, self._choice, self.settled = "", Choice(), True
        if len(wanted) > 1:
            self.memory = choice_key(wanted, device_asked(settings), settings.threads)
            self._choice = read_choice(store, self.memory)
            self.settled = bool(self._choice.runtime) and not self._choice.trying

    def named(self, name: str) -> Wanted | None:
        """Find one by the name of its runtime."""
        return next((each for each in self._all if each.runtime.name == name), None)

    def in_order(self, samples: int) -> list[Wanted]:
        """Put the one in front that will be done first, opening included; leave out who is out.

        The usual order decides where nothing is known, and against a small lead.
        """
        usable = [each for each in self._all if each.runtime.name not in self._choice.out]
        seconds = {each.runtime.name: self._seconds(each, samples) for each in usable}
        first = self.first.runtime.name
        best = min(seconds, key=lambda name: seconds[name])
        if not self.settled or not seconds[best] <= FASTER * seconds[first]:
            best = first
        return sorted(usable, key=lambda each: each.runtime.name != best)

    def rule_out(self, runtime: str, reason: str) -> None:
        """Remember that one of them cannot be used."""
        choice = self._choice.without(runtime, reason, self.first.runtime.name)
        with suppress(OSError):  # then it is found out once more
            keep_choice(self._store, self.memory, choice)

    def _seconds(self, each: Wanted, samples: int) -> float:
        """Expect what a pass takes; infinite where nobody knows."""
        rate = self._choice.rates.get(each.runtime.name)
        if rate is None:
            return math.inf
        try:
            opening = opening_seconds(each.runtime, each.checkpoint, self._options)
        except (Exception, SystemExit):  # noqa: BLE001 -- a runtime that cannot say is no rival
            return math.inf
        return opening + samples * rate
