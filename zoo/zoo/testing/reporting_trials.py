"""Cases to try reporters on: drawn scores that are really ranked, a graph of forty nouns, pictures.

Nothing here opens a checkpoint or asks the network.
"""

from __future__ import annotations

import copy
import io
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import NotApplicable
from zoo.explaining.ledger import Ledger
from zoo.ranking import ModelScores, rank
from zoo.testing.noun_graph import sample_graph
from zoo.types.features import Features
from zoo.types.model import ModelEntry
from zoo.types.provenance import Provenance
from zoo.types.ranking import ProbeSummary, Ranking
from zoo.types.reporting import Case, Classifier, LabelSpace, Maps, TransferRecord
from zoo.types.score import Score, ScoreRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    import numpy.typing as npt

    from zoo.types.explaining import Triple

    Draw = np.random.Generator

#: What a case can be made without; ``scores`` are those of all but one estimator.
PARTS = (
    "against", "labels", "graph", "history", "features", "maps", "classifier", "entries", "layers",
    "ranking", "scores", "encoder",
)  # fmt: skip
#: Two that are compared, and two more.
MODELS = ("./zoo/alpha", f"hub:zoo/beta-50@{'7c0ffee' * 5}12345", "./zoo/gamma", "./zoo/delta")
ESTIMATORS = ("separation", "neighbours", "ridge")
LABELS = ("dog", "cat", "daisy", "rose", "truck", "bottle")
#: What the heads of the first two were trained on.
HEADS = {
    MODELS[0]: ("beagle", "wolf", "tabby", "tulip", "daisy", "car", "bicycle", "jar", "horse"),
    MODELS[1]: ("robin", "finch", "horse", "oak", "car", "truck", "hammer", "chair"),
}
_LAYERS = ("blocks.first", "blocks.second", "norm")
_WIDTH, _FOLDS = 16, 10


def sample_case(
    *,
    seed: int = 0,
    subject: str = "ranking",
    shuffled: bool = False,
    lacking: Collection[str] = (),
    ledger: Ledger | None = None,
    without: Iterable[Triple] = (),
    labels: Sequence[str] = LABELS,
) -> Case:
    """Make a case; the same arguments make the same one.

    Args:
        seed: of everything that is drawn.
        subject: ``ranking``, or ``class`` for a class that no model saw.
        shuffled: the labels say nothing: scores are noise, features belong to other classes.
        lacking: what cannot be had, of :data:`PARTS`.
        ledger: where the reporter writes; a new one without.
        without: triples that the graph does not hold.
        labels: names of the classes.
    """
    models = MODELS[:1] if "against" in lacking else MODELS
    ranked = subject == "ranking" and "ranking" not in lacking
    return Case(
        ledger=Ledger() if ledger is None else ledger,
        model=models[0],
        against=models[1] if subject == "ranking" and len(models) > 1 else "",
        ranking=_ranking(seed, models, shuffled, tuple(lacking), tuple(labels)) if ranked else None,
        origin=("ranking.json of run sample", f"{seed:064x}"),
        target=LabelSpace(name="sample", labels=() if "labels" in lacking else tuple(labels)),
        spaces={
            model: LabelSpace(name=model, labels=head, source=f"{model}/config.json")
            for model, head in HEADS.items()
        },
        entries={} if "entries" in lacking else {model: _entry(model) for model in models},
        cards={} if "entries" in lacking else copy.deepcopy(_CARDS),
        graph=None if "graph" in lacking else sample_graph(without),
        history=() if "history" in lacking else _history(seed),
        unseen=("terrier",) if subject == "class" else (),
        seed=seed,
        read_features=_reader("features", lacking, lambda m: _features(seed, m, shuffled)),
        read_maps=_reader("maps", lacking, lambda model: _maps(seed, model)),
        read_classifier=_reader("classifier", lacking, _classifier),
        encode=_reader("encoder", lacking, encode),
        encoder="" if "encoder" in lacking else "letters",
    )


def encode(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Turn texts into vectors of unit length, (N, 64) by their pairs of letters."""
    vectors = np.zeros((len(texts), 64), dtype=np.float32)
    for row, text in enumerate(texts):
        framed = f" {text.lower()} "
        for place in range(len(framed) - 1):
            vectors[row, zlib.crc32(framed[place : place + 2].encode()) % 64] += 1
    unit: npt.NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def _reader(part: str, lacking: Collection[str], read: Callable[[Any], Any]) -> Callable[..., Any]:
    def refuse(_: object) -> Any:
        raise NotApplicable(f"this case has no {part} to read")

    def known(asked: Any) -> Any:
        return refuse(asked) if isinstance(asked, str) and asked not in MODELS else read(asked)

    return refuse if part in lacking else known


def _drawing(*words: object) -> Draw:
    return np.random.default_rng(zlib.crc32(repr(words).encode()))


def _classes(seed: int) -> npt.NDArray[np.int64]:
    """Give the labels of the samples: all classes, some rarer than others."""
    draw = _drawing("labels", seed)
    counts = 6 + draw.integers(0, 10, len(LABELS))
    return np.repeat(np.arange(len(LABELS)), counts)


@lru_cache(maxsize=64)
def _ranking(
    seed: int,
    models: tuple[str, ...],
    shuffled: bool,
    lacking: tuple[str, ...],
    labels: tuple[str, ...],
) -> Ranking:
    draw = _drawing("scores", seed, shuffled)
    layers = _LAYERS[-1:] if "layers" in lacking else _LAYERS
    names = ESTIMATORS[:1] if "scores" in lacking else ESTIMATORS
    scored = [
        ModelScores(
            model=model,
            records=tuple(
                _score(draw, model, layer, name, shuffled) for layer in layers for name in names
            ),
            default_layer=layers[-1],
            entry=None if "entries" in lacking else _entry(model),
            dimensions=dict.fromkeys(layers, _WIDTH),
            seconds=round(float(draw.uniform(1, 9)), 1),
            device="cpu",
        )
        for model in models
    ]
    samples = len(_classes(seed))
    priors = {model: Score(-float(place), note="size") for place, model in enumerate(models)}
    ranked = rank(scored, samples=samples, classes=len(labels), priors=priors)
    probe = ProbeSummary(
        name="sample",
        source="sample",
        task="classification",
        modality="image",
        samples=samples,
        classes=len(labels),
        fingerprint=f"{seed:064x}",
        rows=samples,
        labels=() if "labels" in lacking else labels,
    )
    return Ranking(
        run="sample",
        probe=probe,
        ranking=ranked.ranking,
        prior=ranked.prior,
        excluded=(),
        failures=(),
        provenance=Provenance(
            command=(), started="2026-01-01T00:00:00Z", versions={}, seed=0, device="cpu"
        ),
        warnings=ranked.warnings,
        agreement=ranked.agreement,
        prior_agreement=ranked.prior_agreement,
    )


def _score(draw: Draw, model: str, layer: str, name: str, shuffled: bool) -> ScoreRecord:
    noise = draw.standard_normal()
    depth = _LAYERS.index(layer)
    strength = 6 + 2 * MODELS.index(model) * noise + depth * draw.standard_normal()
    z = float(noise if shuffled else strength)
    value = 0.4 + 0.05 * z
    folds = value + 0.01 * draw.standard_normal(_FOLDS)
    return ScoreRecord(
        model=model,
        layer=layer,
        estimator=name,
        value=value,
        null_mean=0.4,
        null_sd=0.05,
        z=z,
        folds=tuple(folds.tolist()),
    )


def _entry(model: str) -> ModelEntry:
    place = MODELS.index(model)
    return ModelEntry(
        ref=model,
        modality="image",
        architecture="ResNetForImageClassification",
        parameters=(4_200_000, 25_600_000, 900_000, 11_000_000)[place],
        bytes=(17_000_000, 102_000_000, 3_700_000, 45_000_000)[place],
        license=("apache-2.0", None, "cc-by-nc-4.0", "mit")[place],
        labels=len(HEADS.get(model, ())) or None,
        tags={"pretraining": "imagenet-1k"} if place == 0 else {},
    )


_CARDS = {
    MODELS[0]: {
        "license": "apache-2.0",
        "datasets": ["imagenet-1k"],
        "base_model": "zoo/alpha-base",
        "tags": ["vision", "<script>alert('card')</script>"],
    },
    MODELS[1]: {},
}


def _history(seed: int) -> tuple[TransferRecord, ...]:
    draw = _drawing("history", seed)
    targets: dict[str, tuple[str, ...]] = {
        "pets": ("dog", "cat"),
        "flowers": ("daisy", "rose", "tulip"),
        "roads": ("car", "truck"),
        "trees": ("oak",),
        "kitchen": ("bottle", "jar"),
    }
    heads = (*HEADS.values(), ("tiger", "cow"), ("oak", "tulip"), ("hammer",))
    return tuple(
        TransferRecord(
            source=f"./zoo/teacher-{'abcde'[place]}",
            target=target,
            value=float(draw.uniform(0.5, 0.95)),
            origin="transfers.csv",
            quantities={name: float(draw.standard_normal()) for name in ESTIMATORS},
            source_labels=head,
            target_labels=labels,
        )
        for target, labels in targets.items()
        for place, head in enumerate(heads)
    )


def _features(seed: int, model: str, shuffled: bool) -> Features:
    labels = _classes(seed)
    centres = _drawing("centres", model).standard_normal((len(LABELS), _WIDTH))
    noise = _drawing("features", seed, model).standard_normal((len(labels), _WIDTH))
    values = (1.6 - 0.5 * (MODELS.index(model) % 2)) * centres[labels] + 1.8 * noise
    if shuffled:
        labels = _drawing("shuffle", seed).permutation(labels)
    values = values.astype(np.float32)
    head = _classifier(model) if model in HEADS else None
    logits = None if head is None else values @ head.weight.T
    return Features(values=values, labels=labels, model=model, layer="norm", logits=logits)


def _classifier(model: str) -> Classifier:
    if model not in HEADS:
        raise NotApplicable(f"{model} names no classes of its own")
    head = HEADS[model]
    weight = _drawing("head", model).standard_normal((len(head), _WIDTH)).astype(np.float32)
    space = LabelSpace(name=model, labels=head, source=f"{model}/config.json")
    return Classifier(weight=weight, bias=None, space=space, source=f"{model}#head.weight")


def _maps(seed: int, model: str) -> Maps:
    labels = _classes(seed)
    samples = np.linspace(0, len(labels) - 1, 4).astype(np.int64)
    values = _drawing("maps", seed, model).gamma(0.7, size=(len(samples), 7, 7))
    return Maps(
        model=model,
        layer="norm",
        method="gradient times activation",
        samples=samples,
        values=values,
        images=[_picture(int(each)) for each in samples],
        labels=[LABELS[labels[each]] for each in samples],
    )


@lru_cache(maxsize=128)
def _picture(number: int) -> bytes:
    from PIL import Image

    content = _drawing("picture", number).integers(0, 255, (12, 16, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(content).resize((64, 48)).save(out, format="PNG")
    return out.getvalue()
