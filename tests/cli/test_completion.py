from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(zoo, shell):
    result = zoo("completion", shell)
    assert result.code == 0
    assert "_ZOO_COMPLETE" in result.out


def test_another_shell_is_wrong_usage(zoo):
    assert zoo("completion", "tcsh").code == 2


def complete(words: str) -> list[str]:
    environment = dict(
        os.environ,
        _ZOO_COMPLETE="bash_complete",
        COMP_WORDS=words,
        COMP_CWORD=str(len(words.split())),
    )
    program = "from zoo_cli.main import zoo; zoo.main(prog_name='zoo')"
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    return [line.partition(",")[2] for line in done.stdout.split()]


def test_commands_and_subcommands_complete():
    assert {"recommend", "plugins", "doctor"} <= set(complete("zoo"))
    assert {"list", "check"} <= set(complete("zoo plugins"))
