"""A page as a session: its blocks, in order, in a folder and a home of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from page_blocks import ROOT, Block
from page_outputs import differences

#: Seconds that one command may take.
PATIENCE = 900


@dataclass
class Session:
    """Where a page is played.

    Attributes:
        folder: where its first command runs.
        environment: what its commands see.
        names: word of the page -> program that prints what stands for it here, such as the name
            of a run.
        thin: folder or file of samples -> how many of them are kept, as soon as there are more.
        started: files that command lines of the page start themselves.
        log: command -> seconds.
    """

    folder: Path
    environment: dict[str, str]
    names: dict[str, str] = field(default_factory=dict)
    thin: dict[str, int] = field(default_factory=dict)
    started: frozenset[str] = frozenset()
    log: list[tuple[str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.here = self.folder

    def play(self, block: Block) -> None:
        """Run, write or read one block; raises AssertionError where it does something else."""
        if block.not_run:
            return
        player = getattr(self, f"_{block.language}", None)
        if player:
            player(block)
        self._thin_out()

    def run(self, typed: str) -> tuple[int, str]:
        """Run one command line in bash; ``cd`` lasts, as it does at a prompt."""
        place = self.folder / ".here"
        script = f'{self._named(typed)}\ncode=$?\npwd > "{place}"\nexit $code'
        started = time.monotonic()
        done = subprocess.run(
            ["bash", "-c", script],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            cwd=self.here,
            env=self.environment,
            timeout=PATIENCE,
        )
        self.log.append((typed, time.monotonic() - started))
        if place.exists():
            self.here = Path(place.read_text("utf-8").strip())
        return done.returncode, done.stdout

    def _console(self, block: Block) -> None:
        for typed, shown in block.commands():
            if block.skipped and f"{typed} ".startswith(f"{block.skipped} "):
                continue
            code, real = self.run(typed)
            wanted = _code(block, shown)
            told = f"line {block.line}: $ {typed}\n{real}"
            assert code == wanted, f"{told}\nended with {code}, not with {wanted}"
            wrong = differences(block.mark, shown, real)
            assert not wrong, f"{told}\n" + "\n".join(wrong)

    _sh = _console

    def _python(self, block: Block) -> None:
        compile(block.text, f"line {block.line}", "exec")
        self._write(block)
        if block.file and (block.info == "python" or block.file in self.started):
            return  # a module, or a program that a command line of the page starts
        program = self.here / (block.file or ".block.py")
        program.write_text(block.text, encoding="utf-8")
        code, real = self.run(f'python "{program}"')
        assert code == 0, f"line {block.line}: {real}"

    def _toml(self, block: Block) -> None:
        tomllib.loads(block.text)
        self._write(block)

    def _json(self, block: Block) -> None:
        json.loads(block.text)
        self._write(block)

    def _yaml(self, block: Block) -> None:
        assert isinstance(yaml.safe_load(block.text), dict)
        self._write(block)

    def _turtle(self, block: Block) -> None:
        self._write(block)

    def _write(self, block: Block) -> None:
        if block.file:
            path = self.here / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
            if "@hookimpl" in block.text and path.parent == self.folder:
                self._install(path.stem)

    def _install(self, module: str) -> None:
        """Make a plugin of a module beside: what ``pip install -e .`` leaves behind."""
        record = self.folder / f"{module}-0.1.0.dist-info"
        record.mkdir(exist_ok=True)
        name = module.replace("_", "-")
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1.0\n"
        (record / "METADATA").write_text(metadata, encoding="utf-8")
        entry = f"[zoo.v1]\n{name.removeprefix('zoo-')} = {module}\n"
        (record / "entry_points.txt").write_text(entry, encoding="utf-8")

    def _named(self, typed: str) -> str:
        for word, program in self.names.items():
            if word in typed.split() or f":{word}" in typed:
                found = subprocess.run(
                    ["bash", "-c", program],
                    capture_output=True,
                    text=True,
                    check=True,
                    cwd=self.here,
                    env=self.environment,
                )
                typed = typed.replace(word, next(iter(found.stdout.split()), word))
        return typed

    def _thin_out(self) -> None:
        for name, kept in self.thin.items():
            place = self.here / name
            files = sorted(path for path in place.rglob("*") if path.is_file())
            step = max(1, len(files) // kept)
            keep = set(files[::step][:kept])
            for path in files:
                if path not in keep:
                    path.unlink()


def _code(block: Block, shown: list[str]) -> int:
    if block.mark.startswith("exit: "):
        return int(block.mark.removeprefix("exit: "))
    return 2 if any(line.startswith("Error: ") for line in shown) else 0


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Give what a command of a page sees: its own home, no network, quick settings."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("ZOO_", "HF_"))}
    return kept | {
        "HOME": str(folder),
        "ZOO_HOME": str(folder / ".zoo"),
        "ZOO_JOBS": "1",
        "ZOO_YES": "1",  # nobody sits at a terminal
        "HF_HUB_OFFLINE": "1",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH")))),
        "PYTHONWARNINGS": "ignore",
        "COLUMNS": "200",
        "LC_ALL": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "OMP_WAIT_POLICY": "PASSIVE",
        "ZOO_CLONE": str(ROOT),
        **more,
    }
