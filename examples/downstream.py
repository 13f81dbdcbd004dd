"""Does Zoo, as it is here, still carry the plugins of others? Found out as they would.

    python examples/downstream.py [--keep FOLDER] [PLUGIN ...]

Zoo's wheel is built and installed into a fresh environment, together with the plugins and what
they depend on, from the index. Then ``zoo plugins check`` and each plugin's own tests are run
there, away from their sources. A PLUGIN is a folder with a ``pyproject.toml``, or a requirement
such as ``zoo-margin>=1``, of which there are no tests to run. Without any, the examples are tried.
pip reads its own variables: ``PIP_CONSTRAINT=constraints.txt`` takes the versions that Zoo is
tested with.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
import venv
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Plugin:
    """A plugin as a person named it.

    Attributes:
        requirement: what pip installs.
        name: of the distribution.
        folder: its sources, or None.
    """

    requirement: str
    name: str
    folder: Path | None = None


def read(named: str) -> Plugin:
    """Understand a folder or a requirement."""
    folder = Path(named)
    if not (folder / "pyproject.toml").is_file():
        if folder.exists() or os.sep in named:
            sys.exit(f"{named} is no folder with a pyproject.toml.")
        return Plugin(named, re.split(r"[^\w.-]", named)[0])
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extra = "[test]" if "test" in project.get("optional-dependencies", {}) else ""
    return Plugin(f"{folder.resolve()}{extra}", project["name"], folder.resolve())


def step(title: str, *command: str | Path, folder: Path) -> bool:
    """Run a command, and say how it went; its words are shown where it fails."""
    started = time.monotonic()
    outside = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    environment = {key: value for key, value in os.environ.items() if key not in outside}
    environment |= {"ZOO_HOME": str(folder / "home"), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(
        [str(each) for each in command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    well = done.returncode == 0
    last = (done.stdout.strip().splitlines() or [""])[-1] if well else "FAILED"
    print(f"{title:<32} {time.monotonic() - started:6.1f} s  {last}", flush=True)
    if not well:
        print(done.stdout, flush=True)
    return well


def install(plugins: list[Plugin], folder: Path) -> Path | None:
    """Make the environment; give its Python, or None where something could not be installed."""
    wheels = folder / "wheels"
    building = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", wheels, ROOT)
    if not step("build Zoo's wheel", *building, folder=folder):
        return None
    venv.create(folder / "environment", with_pip=True)
    scripts = "Scripts" if os.name == "nt" else "bin"
    python = folder / "environment" / scripts / "python"
    zoo = next(wheels.glob("zoo_reuse-*.whl"))
    wanted = [each.requirement for each in plugins]
    pip = (python, "-m", "pip", "install", "--quiet", zoo)
    return python if step("install it with the plugins", *pip, *wanted, folder=folder) else None


def test(plugin: Plugin, python: Path, folder: Path) -> bool:
    """Ask for the plugin's promises, and run its tests against what was installed."""
    checking = (python, "-m", "zoo_cli", "plugins", "check", plugin.name)
    well = step(f"zoo plugins check {plugin.name}", *checking, folder=folder)
    if plugin.folder is None or not (plugin.folder / "tests").is_dir():
        print(f"{plugin.name}: there are no tests to run")
        return well
    alone = folder / plugin.name
    shutil.copytree(plugin.folder / "tests", alone / "tests")
    shutil.copy(plugin.folder / "pyproject.toml", alone)
    testing = (python, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    return step(f"tests of {plugin.name}", *testing, folder=alone) and well


def main() -> int:
    """Try every plugin; 1 if one of them is let down."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("plugins", nargs="*", metavar="PLUGIN", help="a folder or a requirement")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="make the environment there")
    asked = parser.parse_args()
    examples = sorted(str(each.parent) for each in ROOT.glob("examples/*/pyproject.toml"))
    plugins = [read(each) for each in asked.plugins or examples]
    if asked.keep:
        asked.keep.mkdir(parents=True)
        return _try(plugins, asked.keep.resolve())
    with tempfile.TemporaryDirectory(prefix="zoo-downstream-") as folder:
        return _try(plugins, Path(folder).resolve())


def _try(plugins: list[Plugin], folder: Path) -> int:
    python = install(plugins, folder)
    if python is None:
        return 1
    let_down = [each.name for each in plugins if not test(each, python, folder)]
    print(f"let down: {', '.join(let_down) or 'nobody'}")
    return int(bool(let_down))


if __name__ == "__main__":
    sys.exit(main())
