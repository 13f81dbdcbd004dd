"""``zoo doctor``: everything that a run depends on, tried rather than believed."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from zoo.errors import ExitCode
from zoo_cli.context import zoo_command
from zoo_cli.output import Column

if TYPE_CHECKING:
    from zoo_cli.context import Context


@zoo_command("doctor", examples=("zoo doctor", "zoo doctor --json", "zoo doctor --offline"))
def doctor(context: Context) -> int:
    """Check this machine: Python, frameworks, devices, runtimes, Hub, store, plugins.

    Libraries are imported, devices and execution providers opened, and every runtime runs a
    packaged model, because metadata lies. Exit code 1 when a run would fail.
    """
    from zoo_cli.diagnosis import examine
    from zoo_cli.documents.house import Examination

    findings = tuple(examine(context))
    rows = [asdict(each) for each in findings]
    columns = (Column("check"), Column("status"), Column("detail", wrap=True))
    healthy = all(each.status != "fail" for each in findings)
    document = Examination(healthy=healthy, checks=findings)
    context.output.rows(columns, rows, document=document)
    for each in findings:
        context.output.hint(f"{each.check}: {each.hint}" if each.hint else "")
    context.__dict__.pop("host", None)  # broken plugins stand in the table
    return ExitCode.DONE if healthy else ExitCode.FAILED
