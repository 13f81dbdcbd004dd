"""``zoo``: the command table, and the one place where exceptions become exit codes."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from zoo.errors import ExitCode
from zoo_cli.errors import explain, show
from zoo_cli.lazy import Entry, LazyGroup

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo_cli.invocation import Invocation

_COMMANDS = "zoo_cli.commands"
_RANK = "Find a checkpoint"
_BUILD = "Build a model"
_USE = "Use a checkpoint"
_THINGS = "Look at things"
_HOUSE = "Keep house"

TABLE = {
    "recommend": Entry(f"{_COMMANDS}.recommend:recommend", "Rank models for your data.", _RANK),
    "score": Entry(f"{_COMMANDS}.score:score", "Score features that you bring.", _RANK),
    "layers": Entry(
        f"{_COMMANDS}.layers:layers", "Score every layer of a model: where to cut it.", _RANK
    ),
    "explain": Entry(
        f"{_COMMANDS}.explain:explain", "Say why a model, with evidence for every sentence.", _RANK
    ),
    "evaluate": Entry(
        f"{_COMMANDS}.evaluate:evaluate", "Measure scores against known results.", _RANK
    ),
    "amalgamate": Entry(
        f"{_COMMANDS}.amalgamate:amalgamate", "Make one student of several teachers.", _BUILD
    ),
    "distill": Entry(
        f"{_COMMANDS}.distill:distill", "Move what teachers know into a student.", _BUILD
    ),
    "finetune": Entry(
        f"{_COMMANDS}.finetune:finetune", "Train a model on, with your labels.", _BUILD
    ),
    "grow": Entry(
        f"{_COMMANDS}.grow:grow", "Make a model wider or deeper; it computes the same.", _BUILD
    ),
    "resume": Entry(f"{_COMMANDS}.resume:resume", "Go on with an interrupted model.", _BUILD),
    "calibrate": Entry(
        f"{_COMMANDS}.calibrate:calibrate", "Make the probabilities of a model honest.", _BUILD
    ),
    "predict": Entry(f"{_COMMANDS}.predict:predict", "Label data with a model's own head.", _USE),
    "export": Entry(f"{_COMMANDS}.export:export", "Write a model that runs without PyTorch.", _USE),
    "taps": Entry(f"{_COMMANDS}.taps:taps", "Name the points of a model to read.", _USE),
    "models": Entry(f"{_COMMANDS}.models:models", "List, show, pull and compare models.", _THINGS),
    "registry": Entry(
        f"{_COMMANDS}.registry:registry", "Add, remove, lock, verify and diff entries.", _THINGS
    ),
    "probes": Entry(
        f"{_COMMANDS}.probes:probes", "Show what Zoo understands of your data.", _THINGS
    ),
    "runs": Entry(f"{_COMMANDS}.runs:runs", "List, show, compare and rerun past runs.", _THINGS),
    "graph": Entry(
        f"{_COMMANDS}.graph:graph", "Fetch, import, show and query the knowledge graph.", _THINGS
    ),
    "plugins": Entry(
        f"{_COMMANDS}.plugins:plugins", "Write, list, check, install and remove plugins.", _THINGS
    ),
    "cache": Entry(f"{_COMMANDS}.cache:cache", "Show and prune what Zoo keeps.", _HOUSE),
    "doctor": Entry(f"{_COMMANDS}.doctor:doctor", "Check this machine.", _HOUSE),
    "config": Entry(
        f"{_COMMANDS}.config:config", "Show settings and where each comes from.", _HOUSE
    ),
    "completion": Entry(
        f"{_COMMANDS}.completion:completion", "Print the completion script of a shell.", _HOUSE
    ),
}
MORE = (
    ("zoo COMMAND --help", "Options and examples of one command."),
    ("zoo recommend --demo", "See a ranking now: packaged data and models, no network."),
    ("zoo doctor", "Something does not work: start here."),
)


@click.group(
    cls=LazyGroup,
    table=TABLE,
    more=MORE,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="zoo-reuse", message="zoo %(version)s")
def zoo() -> None:
    """Data in; a ranked, costed, pinned list of checkpoints to start from out."""


def main() -> None:
    """Run the command line and leave with its exit code."""
    sys.exit(run(sys.argv[1:], alone=True))


def run(arguments: Sequence[str], *, alone: bool = False) -> int:
    """Run one command line in this process; every failure becomes a sentence and a code.

    Args:
        arguments: what a person types after ``zoo``.
        alone: the process is ours, and ends with the command.
    """
    from zoo_cli.invocation import Invocation

    invocation = Invocation(alone=alone)
    try:
        result = zoo.main(
            args=list(arguments), prog_name="zoo", standalone_mode=False, obj=invocation
        )
    except BrokenPipeError:
        _discard_output(invocation)
        return ExitCode.DONE
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 -- the table has a line for each
        explained = explain(error)
        if explained.code == ExitCode.INTERRUPTED:
            explained = replace(
                explained,
                message=invocation.parting or explained.message,
                hint=invocation.resume or explained.hint,
            )
        show(explained, error)
        try:
            invocation.report(explained, arguments)
        except OSError:  # nobody reads, or the disk is full: the code says the rest
            _discard_output(invocation)
        return explained.code
    return result if isinstance(result, int) else ExitCode.DONE


def _discard_output(invocation: Invocation) -> None:
    """Keep the interpreter from complaining at exit that the reader has gone."""
    stream = invocation.stream or sys.stdout
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
