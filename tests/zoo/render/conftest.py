"""One ranking with everything in it, and one with nothing."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from zoo.types import Failure, Provenance
from zoo.types.ranking import (
    EstimatorCell,
    Exclusion,
    LayerScore,
    PriorRow,
    ProbeSummary,
    Ranking,
    RankingRow,
)

COMMIT = "1f2e3d4c5b6a79881f2e3d4c5b6a79881f2e3d4c"
MODELS = (
    (f"hub:microsoft/resnet-50@{COMMIT}", 0.86, 25_600_000, 102_500_000, "apache-2.0"),
    (f"hub:facebook/dinov2-small@{COMMIT}", 0.83, 22_100_000, 88_200_000, "apache-2.0"),
    ("hub:google/mobilenet_v2_1.0_224", 0.71, 3_500_000, 14_200_000, "other"),
    ("./checkpoints/our-vit", 0.55, 5_700_000, 22_900_000, None),
    ("embedded:digits-convnext", 0.31, 96_000, 390_000, "apache-2.0"),
    ("embedded:shapes-resnet", 0.08, 64_000, 262_000, "apache-2.0"),
)


def _row(index: int) -> RankingRow:
    model, score, parameters, size, license_ = MODELS[index]
    estimators = {
        "logme": EstimatorCell(value=score - 0.3, z=60.0 * score, seconds=0.4),
        "reg_hscore": EstimatorCell(
            value=7 * score, z=41.0 * score, seconds=0.2, saturated=index == 5
        ),
        "knn": EstimatorCell(value=0.4 + 0.5 * score, z=38.0 * score, seconds=0.1),
        "ridge_loo": EstimatorCell(value=None, note="needs two samples a class")
        if index == 4
        else EstimatorCell(value=0.45 + 0.5 * score, z=44.0 * score, seconds=0.3),
    }
    layers = tuple(
        LayerScore(layer=f"block.{n}", score=round(0.2 + 0.1 * n - 0.012 * n * n, 3))
        for n in range(9)
    )
    ties = {0: (1,), 1: (0,), 4: (5,), 5: (4,)}.get(index, ())
    return RankingRow(
        model=model,
        rank=index + 1,
        score=score,
        interval=(max(0.0, score - 0.06), min(1.0, score + 0.05)),
        tied=bool(ties),
        tied_with=tuple(MODELS[each][0] for each in ties),
        layer="block.4",
        layers=layers if index < 5 else (),
        estimators=estimators,
        parameters=parameters,
        bytes=size,
        license=license_,
        seconds=18.3 / (index + 1),
        agree=max(0, 4 - index),
        counted=4,
        signal=index != 5,
    )


@pytest.fixture
def ranking() -> Ranking:
    """A ranking that uses every field."""
    return Ranking(
        run="2026-11-20-a1f3",
        probe=ProbeSummary(
            name="flowers <b>102</b>",
            source="photos/flowers",
            task="classification",
            modality="image",
            samples=1000,
            rows=4812,
            classes=5,
            fingerprint="9f" * 32,
            split="train",
            notes=("3 files are no images and were skipped.",),
        ),
        ranking=tuple(_row(index) for index in range(len(MODELS))),
        prior=tuple(
            PriorRow(model=MODELS[i][0], rank=n + 1, score=1 - n / 6, reason="25.6 M weights")
            for n, i in enumerate((1, 0, 3, 2, 4, 5))
        ),
        excluded=(
            Exclusion(model="hub:org/huge", reason="over --max-size"),
            Exclusion(model="hub:org/larger", reason="over --max-size"),
            Exclusion(model="hub:org/gated", reason="gated"),
        ),
        failures=(
            Failure(
                stage="load",
                model="hub:org/broken-tokenizer",
                error="tokenizer.json is not valid JSON.",
                hint="zoo registry verify",
            ),
        ),
        warnings=("Only 38 samples of class 'tulip': its intervals are wide.",),
        provenance=Provenance(
            command=("zoo", "recommend", "photos/flowers", "--html", "my report.html"),
            started="2026-11-20T14:03:22+00:00",
            versions={"python": "3.11.7", "zoo-reuse": "0.1.0", "torch": "2.13.0"},
            seed=0,
            device="cpu",
            revisions={f"hub:microsoft/resnet-50@{COMMIT}": COMMIT},
        ),
        agreement=0.81,
        prior_agreement=0.52,
        seconds=127.0,
    )


@pytest.fixture
def empty_ranking(ranking: Ranking) -> Ranking:
    """A ranking of nothing: every model failed."""
    return replace(ranking, ranking=(), prior=(), agreement=None, prior_agreement=None)
