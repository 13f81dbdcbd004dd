"""What must not be imported before somebody needs it."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {
    "torch", "transformers", "onnxruntime", "numpy", "rich", "huggingface_hub", "pyarrow",
    "datasets", "scipy", "sklearn", "matplotlib", "jinja2", "pebble",
}  # fmt: skip

PROBE = """
import sys
from zoo_cli.main import run
run(sys.argv[1:])
print("\\nMODULES", *sys.modules)
"""


def imported(*arguments: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments], capture_output=True, text=True, check=True
    )
    return set(done.stdout.rpartition("MODULES")[2].split())


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("--version",),
        ("recommend", "--help"),
        ("plugins", "list"),
        ("config", "show"),
        ("completion", "--help"),
        ("nonsense",),
    ],
    ids=" ".join,
)
def test_help_and_listings_import_nothing_heavy(arguments):
    assert not imported(*arguments) & HEAVY


def test_help_does_not_even_import_the_host():
    assert not imported("--help") & {"zoo.host", "zoo.settings", "importlib.metadata"}
