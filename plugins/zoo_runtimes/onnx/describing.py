"""A page about an exported folder for whoever finds it. Imports no framework."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoo_runtimes.onnx.manifest import Manifest

README = "README.md"

_PAGE = """# {model}, exported to ONNX

| | |
| --- | --- |
| original | `{model}` |
| digest of its files | `{digest}` |
| licence | {licence} |
| reads | {modality} |
| {head_name} | {head} |
| precision | {precision} |
| operators | ONNX opset {opset} |
| made by | {exporter} |

Predict with it; this needs neither torch nor the original{but}:

    zoo predict FOLDER DATA

or rank it beside others: `zoo recommend DATA -m FOLDER`. `zoo_export.json` says how inputs are
prepared and what the outputs mean; `{graph}` computes every tap below, pooled, as an output of the
same name.

## Compared with the original

On {samples} real inputs, one at a time and in batches{agreement}:

| tap | width | largest difference | over the largest value |
| --- | ---: | ---: | ---: |
{rows}
"""


def readme(manifest: Manifest) -> str:
    """Say what the folder holds, where it comes from and how right it is."""
    entry, head = manifest.entry, manifest.head
    agreement = manifest.agreement
    agreed = "" if agreement is None else f"; {agreement:.1%} have the same first label"
    numbers = manifest.images is not None and manifest.images.standard
    by_itself = numbers or manifest.texts is not None
    rows = [
        f"| {tap.tap} | {tap.dimension} | {tap.difference:.2g} | {tap.relative:.1e} |"
        for tap in manifest.parity
    ]
    return _PAGE.format(
        model=entry.ref,
        digest=manifest.digest,
        licence=entry.license or "not stated by the original",
        modality=f"{manifest.modality}s",
        head_name="labels" if head else "head",
        head=f"{len(head.labels)} ({head.kind})" if head else "none: it gives features",
        precision=manifest.precision,
        opset=manifest.opset,
        exporter=manifest.exporter,
        but="" if by_itself else " (but transformers, which prepares its inputs)",
        graph=manifest.graph,
        samples=manifest.samples,
        agreement=agreed,
        rows="\n".join(rows),
    )
