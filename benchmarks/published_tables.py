"""Read the public fine-tuning tables that ``learn_combined.py`` learns from.

Sizes are those of the model cards, in millions; where a table names a family only, its usual member
is meant. The tables are no part of Zoo: the folder holds these files as the repositories have them.

    finetune_cnn11x11_sfda_emms.csv, finetune_ssl_group2_sfda.csv   TencentARC/SFDA
    finetune_vit13x11_emms.csv                         OpenGVLab/Multitask-Model-Selector
    tllib_model_selection_scores.csv                   thuml/Transfer-Learning-Library
    model_spider_baseline_scores.csv                   zhangyikaii/Model-Spider
    medmnist/*.csv                                     DovileDo/transferability-in-medical-imaging
    parc_oracles_controlled.csv                        dbolya/parc
    hf_hub_finetune_accuracy_transfergraph.csv         zLizy/transferability_graph
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy.typing as npt

    Array = npt.NDArray[np.float64]
    Line = dict[str, str]

#: Millions of parameters.
SIZES = {
    "alexnet": 61.1, "convnext": 28.6, "deit_base": 86.6, "deit_small": 22.1, "deit_tiny": 5.72,
    "densenet": 7.98, "densenet121": 7.98, "densenet169": 14.15, "densenet201": 20.0,
    "dino_base": 85.8, "dino_small": 21.7, "efficientnet": 5.29, "googlenet": 6.62,
    "inception_v3": 27.2, "mnasnet": 4.38, "mnasnet1_0": 4.38, "mobilenet": 3.5,
    "mobilenet_v2": 3.5, "mocov3_small": 21.6, "pvt_medium": 44.2, "pvt_small": 24.5,
    "pvt_tiny": 13.2, "pvtv2_b2": 25.4, "pvtv2_b3": 45.2, "resnet": 11.7, "resnet101": 44.5,
    "resnet152": 60.2, "resnet18": 11.7, "resnet34": 21.8, "resnet50": 25.6, "shufflenet": 2.28,
    "swin_s": 49.6, "swin_t": 28.3, "vgg": 138.4,
}  # fmt: skip
#: Images of a source data set.
CORPORA = {
    "imagenet": 1.28e6, "imagenet-21k": 14.2e6, "radimagenet": 1.35e6, "medmnist": 5e5,
    "bloodmnist": 11959, "breastmnist": 546, "chestmnist": 78468, "dermamnist": 7007,
    "octmnist": 97477, "organamnist": 34581, "organcmnist": 13000, "organsmnist": 13940,
    "pathmnist": 89996, "pneumoniamnist": 4708, "retinamnist": 1080, "tissuemnist": 165466,
    "caltech101": 3e3, "cifar10": 5e4, "cub200": 6e3, "nabird": 2.4e4, "oxford_pets": 3.7e3,
    "stanford_dogs": 1.2e4, "voc2007": 5e3,
}  # fmt: skip
#: Estimators that Zoo has too, as the tables spell them.
ESTIMATORS = {
    "hscore", "logme", "leep", "nce", "nleep", "pactrandirichlet", "gbc", "lfc", "sfda", "parc",
    "lp",
}  # fmt: skip
_SPELLINGS = {
    "mnasnet": "mnasnet1_0", "mobilenetv2": "mobilenet_v2", "inceptionv3": "inception_v3",
    "pet": "pets", "oxfordiiitpets": "pets", "stanfordcars": "cars",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Case:
    """One data set of one table.

    Attributes:
        group: tables of the same models share it; they are left out together.
        models: n names.
        results: (n,) after fine-tuning.
        features: (n, 2) log10 parameters, log10 corpus over that of ImageNet-1k.
        scores: estimator -> (n,).
        for_prior: False where the same results stand in another table already.
    """

    table: str
    group: str
    set: str
    models: tuple[str, ...]
    results: Array
    features: Array
    scores: dict[str, Array] = field(default_factory=dict)
    for_prior: bool = True


def read_tables(folder: Path) -> list[Case]:
    """Read every table."""
    cnn = _lines(folder / "finetune_cnn11x11_sfda_emms.csv")
    spider = _lines(folder / "model_spider_baseline_scores.csv")
    return [
        *_wide("11 CNNs", "cnn", cnn),
        *_wide("13 ViTs", "vit", _lines(folder / "finetune_vit13x11_emms.csv")),
        *_wide("12 self-supervised", "ssl", _lines(folder / "finetune_ssl_group2_sfda.csv")),
        *_spider(cnn, spider),
        *_tllib(_lines(folder / "tllib_model_selection_scores.csv")),
        *_medmnist(folder / "medmnist", "model"),
        *_medmnist(folder / "medmnist", "dataset"),
        *_parc(_lines(folder / "parc_oracles_controlled.csv")),
        *_hub(_lines(folder / "hf_hub_finetune_accuracy_transfergraph.csv")),
    ]


def _lines(path: Path) -> list[Line]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _plain(name: str) -> str:
    text = name.lower().replace("-", "").replace(" ", "")
    return _SPELLINGS.get(text, text)


def _features(models: Sequence[tuple[float, float]]) -> Array:
    """Describe models by (parameters, images)."""
    values = np.array(models, dtype=np.float64) / (1.0, CORPORA["imagenet"])
    return np.log10(values)


def _of_size(models: Sequence[str]) -> Array:
    return _features([(SIZES.get(model, 25.6) * 1e6, CORPORA["imagenet"]) for model in models])


def _column(lines: Sequence[Line], name: str) -> Array:
    return np.array([float(line[name]) for line in lines])


def _wide(table: str, group: str, lines: Sequence[Line]) -> Iterator[Case]:
    models = tuple(line["model"] for line in lines)
    for name in list(lines[0])[1:]:
        yield Case(table, group, _plain(name), models, _column(lines, name), _of_size(models))


def _spider(cnn: Sequence[Line], lines: Sequence[Line]) -> Iterator[Case]:
    """Scores of one publication beside the fine-tuning results of another, same checkpoints."""
    results = {line["model"]: line for line in cnn}
    for name in list(cnn[0])[1:]:
        here = [line for line in lines if _plain(line["Dataset"]) == name]
        if not here:
            continue
        models = tuple(_plain(line["Model"]) for line in here)
        values = np.array([float(results[model][name]) for model in models])
        scores = _informative({key: _column(here, key) for key in list(here[0])[2:]})
        features = _of_size(models)
        yield Case(
            "10 CNNs, 8 scores", "cnn", name, models, values, features, scores, for_prior=False
        )


def _tllib(lines: Sequence[Line]) -> Iterator[Case]:
    for name in dict.fromkeys(line["dataset"] for line in lines):
        here = [line for line in lines if line["dataset"] == name]
        models = tuple(_plain(line["model"]) for line in here)
        scores = _informative(
            {key: _column(here, key) for key in ("HScore", "LEEP", "LogME", "NCE")}
        )
        values = _column(here, "finetuned_acc")
        yield Case("10 CNNs, TLlib", "cnn", _plain(name), models, values, _of_size(models), scores)


def _medmnist(folder: Path, kind: str) -> Iterator[Case]:
    """Nine ImageNet architectures, or one ResNet-18 from fifteen source data sets."""
    table = {"model": "MedMNIST, 9 CNNs", "dataset": "MedMNIST, 15 sources"}[kind]
    lines = _lines(folder / f"AUCs_{kind}.csv")
    for name in list(lines[0])[2:]:
        here = [line for line in lines if line[name]]
        sources = tuple(line["source"] for line in here)
        scores: dict[str, Array] = {}
        for estimator in ("logme", "leep", "nleep", "parc", "sfda", "lp"):
            # Their LogME drops a term of the evidence where a network is wider than the sample.
            if (estimator, kind) == ("logme", "model"):
                continue
            given = {line["source"]: line for line in _lines(folder / f"{estimator}_{kind}.csv")}
            if all(given.get(source, {}).get(name) for source in sources):
                scores[estimator] = _column([given[source] for source in sources], name)
        features = (
            _of_size(sources)
            if kind == "model"
            else _features([(11.7e6, CORPORA[source]) for source in sources])
        )
        values = _column(here, name)
        yield Case(table, f"medmnist {kind}", name, sources, values, features, _informative(scores))


def _parc(lines: Sequence[Line]) -> Iterator[Case]:
    for name in dict.fromkeys(line["Target Dataset"] for line in lines):
        here = [x for x in lines if x["Target Dataset"] == name and float(x["Oracle"]) > 0]
        models = tuple(f"{line['Architecture']}/{line['Source Dataset']}" for line in here)
        sizes = [
            (SIZES[line["Architecture"]] * 1e6, CORPORA[line["Source Dataset"]]) for line in here
        ]
        yield Case(
            "PARC, 4 CNNs, 8 sources",
            "parc",
            name,
            models,
            _column(here, "Oracle"),
            _features(sizes),
        )


def _hub(lines: Sequence[Line]) -> Iterator[Case]:
    """Hub classifiers with pre-trained weights.

    The data set food101 is left out, where nearly all results are at chance.
    """
    facts = {
        "model", "architectures", "pretraining_or_tuning_dataset", "model_type",
        "number_of_parameters",
    }  # fmt: skip
    for name in [key for key in lines[0] if key not in facts | {"food101"}]:
        here = [line for line in lines if line[name] and _pretrained(line)]
        models = tuple(line["model"] for line in here)
        sizes = [(float(line["number_of_parameters"]), CORPORA[_hub_corpus(line)]) for line in here]
        yield Case("176 Hub models", "hub", name, models, _column(here, name), _features(sizes))


def _pretrained(line: Line) -> bool:
    """Whether the size is known and is not that of a toy of random weights."""
    return float(line["number_of_parameters"] or 0) > 1e6


def _hub_corpus(line: Line) -> str:
    """What a card says; a small data set is what a model was fine-tuned on afterwards."""
    larger = line["pretraining_or_tuning_dataset"] == "imagenet-21k"
    named = any(part in line["model"] for part in ("22k", "21k", "google/vit", "WinKawaks/vit"))
    return "imagenet-21k" if larger or named else "imagenet"


def _informative(scores: dict[str, Array]) -> dict[str, Array]:
    """Keep the estimators that Zoo has and that do not give most models the same value."""
    return {
        name: values
        for name, values in scores.items()
        if _plain(name) in ESTIMATORS and len(set(values.tolist())) > len(values) // 2
    }
