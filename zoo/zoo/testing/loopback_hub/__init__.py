"""A Hub on this machine that real clients accept, and that can be told to fail.

    with LoopbackHub() as hub:
        hub.add("org/model", Path("some/checkpoint"))
        hub.fail(r"GET /cdn/.*model.safetensors", kind="reset", times=1)
        HfApi(endpoint=hub.url).model_info("org/model")
        print(hub.requests)

It serves models and data sets for reading: listing, trees, refs, and files with ranges, entity
tags and the redirect of large files to another host.
"""

from __future__ import annotations

from zoo.testing.loopback_hub.faults import Fault, FaultKind
from zoo.testing.loopback_hub.hub import LoopbackHub
from zoo.testing.loopback_hub.repositories import Kind, Repository
from zoo.testing.loopback_hub.server import Request

__all__ = ["Fault", "FaultKind", "Kind", "LoopbackHub", "Repository", "Request"]
