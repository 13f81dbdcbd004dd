"""Run commands in processes that are forked from one that has everything imported already.

Reads one JSON object a line: ``arguments`` of the command (or ``code`` of Python), ``folder`` to
work in, ``output``: where ``stdout`` and ``stderr`` are written, ``environment``, and perhaps a
``fault``: the signal that the command sends to itself as it makes the n-th call of a function.
Writes the exit code, negative for a signal, and the seconds of the processor that it took.
"""

from __future__ import annotations

import functools
import gc
import json
import os
import signal
import sys
import traceback
from importlib import import_module

from zoo_cli.main import run

WANTED = (
    "zoo.building.journey",
    "zoo.building.preflight",
    "zoo.building.recipes",
    "zoo.training.combined",
    "zoo.exporting",
    "zoo_runtimes.learning.network",
    "matplotlib.figure",
    "sklearn",
    "transformers.models.bert.modeling_bert",
    "transformers.models.mobilenet_v1.modeling_mobilenet_v1",
    "transformers.models.resnet.modeling_resnet",
    "transformers.models.vit.modeling_vit",
)


def main():
    for name in WANTED:
        import_module(name)
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if not child:
            obey(order)
        _, status, usage = os.wait4(child, 0)
        seconds = usage.ru_utime + usage.ru_stime
        print(os.waitstatus_to_exitcode(status), seconds, flush=True)


def obey(order):
    code = 70
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.setpgid(0, 0)
        os.environ.update(order["environment"])
        os.chdir(order["folder"])
        redirect(0, os.devnull, os.O_RDONLY)
        for number, name in ((1, "stdout"), (2, "stderr")):
            redirect(number, f"{order['output']}/{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        if order["fault"]:
            prepare(**order["fault"])
        if order["code"]:
            exec(order["code"], {})
            code = 0
        else:
            sys.argv = ["zoo", *order["arguments"]]
            code = run(order["arguments"])
    except BaseException:  # noqa: BLE001 -- a test shows it
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def redirect(number, path, flags):
    file = os.open(path, flags, 0o600)
    os.dup2(file, number)
    os.close(file)


def prepare(at, call, kind):
    """Let the n-th call of ``module:name`` be the last thing that happens before a signal."""
    module, _, path = at.partition(":")
    *holders, name = path.split(".")
    holder = functools.reduce(getattr, holders, import_module(module))
    function, left = getattr(holder, name), [call]

    @functools.wraps(function)
    def fatal(*arguments, **options):
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.Signals[kind])
        return function(*arguments, **options)

    setattr(holder, name, fatal)


if __name__ == "__main__":
    main()
