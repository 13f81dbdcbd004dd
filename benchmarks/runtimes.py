"""Images and sentences a second of every engine, side by side, and beside the bare engine.

    python benchmarks/runtimes.py                                # the packaged checkpoints
    python benchmarks/runtimes.py --random resnet18 vit_tiny distilbert --compile 120
    python benchmarks/runtimes.py --models FOLDER... --json figures.jsonl
    python benchmarks/runtimes.py --random resnet18 --device cuda

Zoo's own ``extract`` turns prepared inputs into every tap. The bare engine is called with the same
settings for nothing but the network's own output: a plain call of the module, or a plain run of the
same session. It starts from the same prepared inputs, normalised or padded in the plainest way, as
any loop over them has to: the ratio of the two should be 0.9 or more. Behind it stands the ratio to
the bare engine on tensors that are ready made.

Every checkpoint has a process of one thread. Engines take turns, and every figure is the median of
the turns. Rates are a second of processor time (of wall time on a GPU), because other work on the
machine disturbs that less; the rate of wall time stands beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from bare_engines import COMPILED, ENGINES, RANDOM, build_random

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from bare_engines import Opened

    Turn = Sequence[tuple[float, float]]

TARGET = 0.9
_NOUNS = {"image": "images/s", "text": "sentences/s"}
_SMI = ("nvidia-smi", "--query-gpu=utilization.gpu,memory.used", "--format=csv,noheader,nounits")


@dataclass(frozen=True, kw_only=True)
class Job:
    """What one process measures."""

    model: str
    engines: tuple[str, ...]
    batches: tuple[int, ...]
    device: str
    repeats: int
    seconds: float
    cache: str


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One engine on one checkpoint with one batch size.

    Attributes:
        rate: items a second through ``extract`` with every tap; None where Zoo has no such way.
        plain: items a second through the bare engine, from the same prepared inputs.
        bare: items a second through the bare engine, on ready tensors.
        ratio: of ``rate`` to ``plain``, median of the turns.
        ready: of ``rate`` to ``bare``.
        wall: items a second of wall time, of ``extract`` or else the bare engine.
        start: seconds until it ran for the first time: loading, exporting, compiling.
        again: the same with everything in the cache.
        utilisation: of the GPU, in percent.
        memory: bytes of the GPU that were taken at the peak.
        failure: why there are no figures.
    """

    model: str
    engine: str
    modality: str = "image"
    batch: int = 0
    taps: int = 0
    rate: float | None = None
    plain: float | None = None
    bare: float | None = None
    ratio: float | None = None
    ready: float | None = None
    wall: float | None = None
    start: float | None = None
    again: float | None = None
    utilisation: float | None = None
    memory: int | None = None
    failure: str = ""


def clock(call: Callable[[], Any], times: int, *, gpu: bool) -> tuple[float, float]:
    """Seconds of one call, by the processor (on a GPU by the wall) and by the wall."""
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(times):
        call()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return (wall if gpu else cpu) / times, wall / times


def take_turns(
    engines: Mapping[str, Sequence[Callable[[], Any]]], *, repeats: int, seconds: float, gpu: bool
) -> dict[str, list[Turn]]:
    """Time every call of every engine in each repeat; its calls alternate in who is first.

    Returns:
        Name -> one turn a repeat: (seconds, wall seconds) of each call, in the order given.
    """
    times = {}
    for name, calls in engines.items():
        slowest = max(clock(call, 2, gpu=gpu)[1] for call in calls)
        times[name] = max(1, round(seconds / max(slowest, 1e-6)))
    found: dict[str, list[Turn]] = {name: [] for name in engines}
    for repeat in range(repeats):
        for name, calls in engines.items():
            order = list(range(len(calls)))[:: 1 if repeat % 2 else -1]
            timed = {index: clock(calls[index], times[name], gpu=gpu) for index in order}
            found[name].append([timed[index] for index in range(len(calls))])
    return found


def summarise(turns: Sequence[Turn], items: int) -> dict[str, float]:
    """Medians of (extract, plain, bare) or (bare) turns: items a second, ratios within a turn."""
    figures = {
        "wall": items / statistics.median(turn[0][1] for turn in turns),
        "bare": items / statistics.median(turn[-1][0] for turn in turns),
    }
    if len(turns[0]) > 1:
        figures["rate"] = items / statistics.median(turn[0][0] for turn in turns)
        figures["plain"] = items / statistics.median(turn[1][0] for turn in turns)
        figures["ratio"] = statistics.median(turn[1][0] / turn[0][0] for turn in turns)
        figures["ready"] = statistics.median(turn[-1][0] / turn[0][0] for turn in turns)
    return figures


def watch_gpu(call: Callable[[], Any], seconds: float, device: str) -> dict[str, Any]:
    """Call for some seconds; mean utilisation and peak memory, as the driver counts them."""
    number = device.partition(":")[2] or "0"
    done, seen = Event(), []

    def look() -> None:
        while not done.wait(0.1):
            asked = subprocess.run([*_SMI, "-i", number], capture_output=True, check=False)
            percent, _, mebibytes = asked.stdout.decode().strip().partition(",")
            if percent.strip().isdigit():
                seen.append((int(percent), int(mebibytes) * 2**20))

    watcher = Thread(target=look)
    watcher.start()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        call()
    done.set()
    watcher.join()
    if not seen:
        return {}
    mean = statistics.mean(percent for percent, _ in seen)
    return {"utilisation": mean, "memory": max(memory for _, memory in seen)}


def measure(job: Job) -> Iterator[Measured]:
    """Open every engine on one checkpoint, and time them all."""
    from bare_engines import draw_inputs, find_checkpoint, open_engine

    from zoo.errors import ZooError
    from zoo_runtimes.torch_runtime import TorchRuntime

    checkpoint = find_checkpoint(job.model, job.cache)
    modality = checkpoint.entry.modality or "image"
    inputs = draw_inputs(modality, max(job.batches))
    prepared = TorchRuntime().prepare(checkpoint, inputs) if modality == "image" else inputs
    opened: dict[str, Opened] = {}
    for engine in job.engines:
        try:
            opened[engine] = open_engine(engine, checkpoint, device=job.device, cache=job.cache)
        except ZooError as error:
            yield Measured(model=job.model, engine=engine, failure=error.message)
    for batch in job.batches:
        yield from _measure_batch(job, opened, modality, prepared[:batch])


def _measure_batch(
    job: Job, opened: Mapping[str, Opened], modality: str, prepared: Sequence[Any]
) -> Iterator[Measured]:
    gpu = job.device != "cpu"
    calls: dict[str, list[Callable[[], Any]]] = {}
    first: dict[str, float] = {}
    for name, engine in opened.items():
        backbone = engine.backbone
        encoded = backbone.encode(prepared)
        taps = [tap.name for tap in backbone.taps]
        plain, ready = engine.bare(encoded)
        calls[name] = [ready]
        if name != COMPILED:
            extract = partial(backbone.extract, encoded, taps)
            calls[name] = [extract, plain, ready]
        _, first[name] = clock(calls[name][0], 1, gpu=gpu)
    turns = take_turns(calls, repeats=job.repeats, seconds=job.seconds, gpu=gpu)
    for name, engine in opened.items():
        figures: dict[str, Any] = {**summarise(turns[name], len(prepared))}
        if gpu:
            figures |= watch_gpu(calls[name][0], 2.0, job.device)
        yield Measured(
            model=job.model,
            engine=name,
            modality=modality,
            batch=len(prepared),
            taps=len(engine.backbone.taps),
            start=engine.start + first[name],
            again=engine.again,
            **figures,
        )


def in_process(job: Job, limit: float | None = None) -> Iterator[Measured]:
    """Measure in a process with one thread; what takes longer than the limit is a failure."""
    from zoo.engine.process import worker_environment

    environment = {**os.environ, **worker_environment(1), "TORCHINDUCTOR_COMPILE_THREADS": "1"}
    with tempfile.TemporaryFile() as answers:
        command = [sys.executable, __file__, "--job", json.dumps(asdict(job))]
        process = subprocess.Popen(
            command, stdout=answers, env=environment, start_new_session=os.name == "posix"
        )
        reason = ""
        try:
            code = process.wait(limit)
            reason = f"its process ended with {code}" if code else ""
        except subprocess.TimeoutExpired:
            reason = f"not done after {limit:g} s"
        finally:
            _end(process)
        answers.seek(0)
        found = [Measured(**json.loads(line)) for line in answers.read().splitlines()]
    yield from found
    if reason:
        names = set(job.engines) - {each.engine for each in found}
        yield from (
            Measured(model=job.model, engine=name, failure=reason) for name in sorted(names)
        )


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process that still runs, and the compilers that it started."""
    if process.poll() is None and os.name == "posix":
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def line_of(each: Measured) -> str:
    """Give one measurement as a line of text."""
    name = f"{Path(each.model).name:<28}{each.engine:<15}"
    if each.failure:
        return f"{name}  - {each.failure}"
    ratio = "   -    -" if each.ratio is None else f"{each.ratio:.2f} {each.ready:.2f}"
    rate = each.bare if each.rate is None else each.rate
    line = f"{name}{each.batch:>5} {rate:>9.1f} {each.wall:>9.1f} {each.bare:>9.1f}  {ratio}"
    line += f" {each.start:>8.1f}" + (f" ({each.again:.1f})" if each.again is not None else "")
    if each.memory is not None:
        line += f"   {each.utilisation:.0f} %, {each.memory / 1e9:.2f} GB"
    return line


def table(found: Sequence[Measured]) -> str:
    """Lay out rates and ratios side by side, in Markdown: a row a checkpoint and batch size."""
    engines = [name for name in ENGINES if any(each.engine == name for each in found)]
    lines = [f"| checkpoint | batch | {' | '.join(engines)} |"]
    lines.append("|---|---:|" + "---:|" * len(engines))
    cells = {(each.model, each.batch, each.engine): each for each in found if not each.failure}
    for model, batch in dict.fromkeys((model, batch) for model, batch, _ in cells):
        row = [cells.get((model, batch, engine)) for engine in engines]
        modality = next(each.modality for each in row if each is not None)
        values = " | ".join(_cell(each) for each in row)
        lines.append(f"| {Path(model).name}, {_NOUNS[modality]} | {batch} | {values} |")
    return "\n".join(lines)


def _cell(each: Measured | None) -> str:
    if each is None or each.bare is None:
        return "-"
    rate = each.bare if each.rate is None else each.rate
    text = f"{rate:,.0f}" if rate >= 100 else f"{rate:.1f}"
    return text if each.ratio is None else f"{text} ({each.ratio:.2f}; {each.ready:.2f})"


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    add = parser.add_argument
    add("--models", nargs="+", default=[], help="folders or references")
    add("--random", nargs="+", default=[], choices=RANDOM, metavar="NAME", help=", ".join(RANDOM))
    plain = [name for name in ENGINES if name != COMPILED]
    add("--engines", nargs="+", default=plain, choices=plain, help="of them all")
    add("--compile", type=float, metavar="SECONDS", help="torch.compile too, if it is done by then")
    add("--batch", type=int, nargs="+", default=[1, 32])
    add("--device", default="cpu")
    add("--repeats", type=int, default=7)
    add("--seconds", type=float, default=0.3, help="of one turn of one engine")
    add("--cache", default="", help="folder of exported graphs; by default exported now")
    add("--json", type=Path, help="write the figures to this file too, a line each")
    add("--job", help=argparse.SUPPRESS)
    return parser.parse_args()


def jobs(arguments: argparse.Namespace, folder: Path) -> Iterator[tuple[Job, float | None]]:
    """Give what to measure, and how long each may take."""
    from zoo import embedded

    models = [
        str(Path(each).absolute()) if Path(each).is_dir() else each for each in arguments.models
    ]
    models += [str(build_random(name, folder / "random")) for name in arguments.random]
    for model in models or [f"embedded:{name}" for name in embedded.names()]:
        job = Job(
            model=model,
            engines=tuple(arguments.engines),
            batches=tuple(arguments.batch),
            device=arguments.device,
            repeats=arguments.repeats,
            seconds=arguments.seconds,
            cache=str(Path(arguments.cache).absolute() if arguments.cache else folder / "cache"),
        )
        yield job, None
        if arguments.compile:
            yield Job(**{**asdict(job), "engines": (COMPILED,)}), arguments.compile


def main() -> int:
    """Measure, print, and fail below the promised ratio."""
    arguments = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # or the measuring process would stay
    if arguments.job:
        for each in measure(Job(**json.loads(arguments.job))):
            print(json.dumps(asdict(each)), flush=True)
        return 0
    if arguments.device != "cpu" and not _has_gpu():
        print(f"skipped: this machine has no {arguments.device} that PyTorch can use")
        return 0
    unit = "processor" if arguments.device == "cpu" else "wall"
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"items a second of {unit} time{load}\n")
    print(
        f"{'checkpoint':<28}{'engine':<15}batch   extract      wall      bare ratio ready start s"
    )
    found = []
    with tempfile.TemporaryDirectory(prefix="zoo-runtimes-") as temporary:
        for job, limit in jobs(arguments, Path(temporary)):
            for each in in_process(job, limit):
                print(line_of(each), flush=True)
                found.append(each)
    if arguments.json:
        arguments.json.write_text("".join(json.dumps(asdict(each)) + "\n" for each in found))
    print("\n" + table(found))
    below = [each for each in found if each.ratio is not None and each.ratio < TARGET]
    print(f"\n{len(below)} of {sum(each.ratio is not None for each in found)} below {TARGET}")
    return int(bool(below))


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


if __name__ == "__main__":
    sys.exit(main())
