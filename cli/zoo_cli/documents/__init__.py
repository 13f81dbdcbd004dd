"""What every command prints for ``--json``: its types, from which the JSON Schemas are made.

Where a document is a type of the core's own, it is named here; the others are in the modules of
this package. Nothing is imported before somebody asks for it.
"""

from __future__ import annotations

import importlib
from typing import Any

_HERE = "zoo_cli.documents"
_RANKING = "zoo.types.ranking:Ranking"
_BUILT = "zoo.types.built:BuiltModel"
_PLAN = f"{_HERE}.building:BuildingPlan"

ERROR = f"{_HERE}.base:ErrorDocument"

#: Command -> ``module:Type`` of each document that it may print.
DOCUMENTS: dict[str, tuple[str, ...]] = {
    "recommend": (
        _RANKING,
        f"{_HERE}.measuring:ExplainedRanking",
        f"{_HERE}.measuring:RankingPlan",
    ),
    "score": (f"{_HERE}.measuring:ScoredFeatures",),
    "layers": ("zoo.layers:LayerReport",),
    "explain": ("zoo.types.explaining:Report", "zoo.render.explanation_trace:Trace"),
    "evaluate": ("zoo.evaluation:Evaluation",),
    "amalgamate": (_BUILT, _PLAN, f"{_HERE}.building:LabelMapFile"),
    "distill": (_BUILT, _PLAN),
    "finetune": (_BUILT, _PLAN),
    "grow": ("zoo.growing.journey:GrowthReport", f"{_HERE}.building:GrowingPlan"),
    "resume": (_BUILT,),
    "calibrate": ("zoo.calibrating.fitting:CalibrationReport",),
    "predict": ("zoo.prediction:Predictions",),
    "export": (f"{_HERE}.measuring:ExportDocument",),
    "taps": ("zoo.outlines:Outline",),
    "models compare": ("zoo.comparison:AgreementMap",),
    "models list": (f"{_HERE}.models:ModelList",),
    "models show": (f"{_HERE}.models:ModelDocument",),
    "models pull": (f"{_HERE}.models:PulledModels",),
    "registry add": (f"{_HERE}.models:AddedModels",),
    "registry remove": (f"{_HERE}.models:RemovedModels",),
    "registry lock": (f"{_HERE}.models:LockedModels",),
    "registry verify": (f"{_HERE}.models:VerifiedRegistry",),
    "registry diff": (f"{_HERE}.models:RegistryDifference",),
    "probes show": (f"{_HERE}.measuring:ShownProbe", f"{_HERE}.measuring:ShownTargets"),
    "probes sample": (f"{_HERE}.measuring:SavedProbe",),
    "runs list": (f"{_HERE}.runs:RunList",),
    "runs show": (_RANKING,),
    "runs rerun": (_RANKING,),
    "runs remove": (f"{_HERE}.runs:RemovedRuns",),
    "runs compare": (f"{_HERE}.runs:ComparedRuns", "zoo.evaluation:Evaluation"),
    "graph fetch": (f"{_HERE}.graph:GraphList",),
    "graph import": (f"{_HERE}.graph:GraphList",),
    "graph export": (f"{_HERE}.graph:GraphFile",),
    "graph list": (f"{_HERE}.graph:GraphList",),
    "graph show": ("zoo.graph.neighbourhood:Neighbourhood", f"{_HERE}.graph:Senses"),
    "graph query": (
        f"{_HERE}.graph:Solutions",
        f"{_HERE}.graph:YesOrNo",
        f"{_HERE}.graph:Triples",
    ),
    "graph remove": (f"{_HERE}.graph:RemovedGraphs",),
    "graph complete": ("zoo.completing.journey:CompletionReport",),
    "graph predictions": (f"{_HERE}.graph:PredictionList",),
    "graph accept": (f"{_HERE}.graph:AcceptedPrediction",),
    "plugins new": (f"{_HERE}.plugins:NewPlugin",),
    "plugins list": (f"{_HERE}.plugins:PluginList", f"{_HERE}.plugins:HookList"),
    "plugins show": (f"{_HERE}.plugins:SpecCards",),
    "plugins check": (f"{_HERE}.plugin_checks:CheckReport",),
    "plugins install": (f"{_HERE}.plugins:InstalledPlugins",),
    "plugins uninstall": (f"{_HERE}.plugins:UninstalledPlugins",),
    "cache show": (f"{_HERE}.house:CacheDocument",),
    "cache prune": (f"{_HERE}.house:PrunedCache",),
    "doctor": (f"{_HERE}.house:Examination",),
    "config show": (f"{_HERE}.house:SettingsDocument",),
    "config path": (f"{_HERE}.house:SettingsPaths",),
    "completion": (f"{_HERE}.house:CompletionScript",),
}


def document_types(command: str) -> tuple[Any, ...]:
    """Import the types of what a command prints, such as those of ``runs list``."""
    return tuple(map(load, DOCUMENTS[command]))


def load(target: str) -> Any:
    """Import what ``module:Type`` names."""
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)
