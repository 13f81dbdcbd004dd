"""Transferability estimators: how well a checkpoint would transfer, without training it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.hookspecs import hookimpl
from zoo.types.specs import EstimatorSpec, LabelEncoderSpec

if TYPE_CHECKING:
    from zoo.types.probe import Task

EVERY_TASK: tuple[Task, ...] = ("classification", "multi-label", "regression", "text")
_DEALT = "samples are dealt to folds by their place, so that every model is tested on the same ones"


@hookimpl
def zoo_estimators() -> list[EstimatorSpec]:
    """Every estimator of the field; by default those that stay meaningful with few samples."""
    return [
        EstimatorSpec(
            name="logme",
            target="zoo_transferability.logme:LogME",
            summary="log evidence of a Bayesian linear head, maximised exactly",
            tasks=EVERY_TASK,
            reference="You et al., ICML 2021, arXiv 2102.11005",
            expected_failures={
                "folds": "a fold keeps the t of all samples, where the evidence has no slope"
            },
        ),
        EstimatorSpec(
            name="reg_hscore",
            target="zoo_transferability.hscore:RegularisedHScore",
            summary="between-class over total variance, Ledoit-Wolf covariance",
            tasks=("classification", "multi-label", "regression"),
            reference="Ibrahim et al., ECML 2022, arXiv 2110.06893",
        ),
        EstimatorSpec(
            name="hscore",
            target="zoo_transferability.hscore:HScore",
            summary="between-class over total variance; says nothing once N <= D",
            tasks=("classification", "multi-label", "regression"),
            reference="Bao et al., ICIP 2019",
            default=False,
        ),
        EstimatorSpec(
            name="knn",
            target="zoo_transferability.knn:KNN",
            summary="nearest neighbours, each sample predicted by the others",
            tasks=EVERY_TASK,
            reference="Bolya et al., NeurIPS 2021, arXiv 2111.06977 (baseline)",
        ),
        EstimatorSpec(
            name="ridge_loo",
            target="zoo_transferability.ridge_loo:RidgeLOO",
            summary="a ridge head's leave-one-out accuracy or R2, in closed form",
            tasks=EVERY_TASK,
            reference="Allen, Technometrics 1974 (PRESS); Golub et al., 1979 (GCV)",
            expected_failures={"folds": "a fold keeps the penalty that all samples chose"},
        ),
        EstimatorSpec(
            name="emms",
            target="zoo_transferability.emms:EMMS",
            summary="how well the features explain label embeddings, mixture solved exactly",
            tasks=EVERY_TASK,
            needs=("features",),
            wants=("labels", "label_embeddings"),
            reference="Meng et al., NeurIPS 2023, arXiv 2308.06262",
            default=False,
            expected_failures={
                "folds": "a fold keeps the form and the penalty that all samples chose"
            },
        ),
        EstimatorSpec(
            name="depara",
            target="zoo_transferability.depara:DEPARA",
            summary="attribution graph beside a reference model, or edges beside the label graph",
            tasks=EVERY_TASK,
            needs=("features",),
            wants=("labels", "label_embeddings", "reference", "attributions"),
            reference="Song et al., CVPR 2020, arXiv 2003.07496",
            default=False,
        ),
        EstimatorSpec(
            name="transrate",
            target="zoo_transferability.transrate:TransRate",
            summary="coding rate of the features less that within classes",
            reference="Huang et al., ICML 2022, arXiv 2106.09362",
            default=False,
        ),
        EstimatorSpec(
            name="sfda",
            target="zoo_transferability.sfda:SFDA",
            summary="Fisher discriminant, asked again after its own mistakes",
            cost="moderate",
            reference="Shao et al., ECCV 2022, arXiv 2207.03036",
            default=False,
        ),
        EstimatorSpec(
            name="gbc",
            target="zoo_transferability.gbc:GBC",
            summary="overlap of Gaussian classes, Bhattacharyya",
            reference="Pandy et al., CVPR 2022, arXiv 2111.12780",
            default=False,
        ),
        EstimatorSpec(
            name="leep",
            target="zoo_transferability.leep:LEEP",
            summary="log likelihood of labels given the source head, averaged",
            needs=("labels", "logits"),
            reference="Nguyen et al., ICML 2020, arXiv 2002.12462",
            default=False,
        ),
        EstimatorSpec(
            name="nce",
            target="zoo_transferability.leep:NCE",
            summary="conditional entropy of labels given the source classes",
            needs=("labels", "logits"),
            reference="Tran et al., ICCV 2019, arXiv 1908.08142",
            default=False,
        ),
        EstimatorSpec(
            name="nleep",
            target="zoo_transferability.nleep:NLEEP",
            summary="LEEP over a Gaussian mixture of the features",
            cost="expensive",
            reference="Li et al., CVPR 2021, arXiv 2011.11200",
            default=False,
        ),
        EstimatorSpec(
            name="parc",
            target="zoo_transferability.parc:PARC",
            summary="rank correlation of feature and label distances, exact ties",
            tasks=EVERY_TASK,
            wants=("label_embeddings",),
            cost="moderate",
            reference="Bolya et al., NeurIPS 2021, arXiv 2111.06977",
            default=False,
        ),
        EstimatorSpec(
            name="rsa",
            target="zoo_transferability.similarity:RSA",
            summary="rank correlation of distances with those of a reference model",
            tasks=EVERY_TASK,
            needs=("features", "reference"),
            cost="moderate",
            reference="Dwivedi and Roig, CVPR 2019, arXiv 1904.11740",
            default=False,
        ),
        EstimatorSpec(
            name="dds",
            target="zoo_transferability.similarity:DDS",
            summary="debiased kernel alignment with a reference model",
            tasks=EVERY_TASK,
            needs=("features", "reference"),
            reference="Dwivedi et al., ECCV 2020, arXiv 2008.02107",
            default=False,
        ),
        EstimatorSpec(
            name="lfc",
            target="zoo_transferability.lfc:LFC",
            summary="correlation of the feature kernel with same-class pairs",
            reference="Deshpande et al., 2021, arXiv 2102.00084",
            default=False,
        ),
        EstimatorSpec(
            name="energy",
            target="zoo_transferability.energy:Energy",
            summary="mean log-sum-exp of the features; reads no labels",
            tasks=EVERY_TASK,
            needs=("features",),
            reference="Gholami et al., ICCV 2023 (ETran)",
            default=False,
        ),
        EstimatorSpec(
            name="ncti",
            target="zoo_transferability.ncti:Collapse",
            summary="ratio of between- to within-class scatter: neural collapse as a diagnostic",
            reference="Wang et al., ICCV 2023 (NCTI)",
            default=False,
        ),
        EstimatorSpec(
            name="pactran",
            target="zoo_transferability.pactran:PACTran",
            summary="PAC-Bayes bound of a Gaussian linear head: fit and flatness",
            cost="expensive",
            reference="Ding et al., ECCV 2022, arXiv 2203.05126",
            default=False,
        ),
        EstimatorSpec(
            name="linear_probe",
            target="zoo_transferability.linear_probe:LinearProbe",
            summary="a trained linear head, cross-validated: the expensive reference",
            tasks=("classification", "multi-label", "regression"),
            cost="expensive",
            reference="Alain and Bengio, 2016, arXiv 1610.01644",
            default=False,
            expected_failures={"order-free": _DEALT},
        ),
        EstimatorSpec(
            name="prior",
            target="zoo_transferability.prior:Prior",
            summary="size and pre-training data alone: what the others have to beat",
            tasks=("classification", "multi-label", "regression"),
            needs=("entry",),
            cost="free",
        ),
        EstimatorSpec(
            name="combined",
            target="zoo_transferability.combined:Combined",
            summary="evidence and prior in one score, weights learned from public tables",
            tasks=EVERY_TASK,
            needs=("scores", "entry"),
            cost="free",
        ),
    ]


@hookimpl
def zoo_label_encoders() -> list[LabelEncoderSpec]:
    """Ways to give labels a meaning; by default those that need no download."""
    return [
        LabelEncoderSpec(
            name="one_hot",
            target="zoo_transferability.label_encoders:OneHot",
            summary="every class as far from every other; no download",
            tasks=("classification",),
            default=True,
        ),
        LabelEncoderSpec(
            name="ngrams",
            target="zoo_transferability.label_encoders:NGrams",
            summary="how the labels are spelt: weighted character n-grams; no download",
            default=True,
        ),
        LabelEncoderSpec(
            name="numbers",
            target="zoo_transferability.label_encoders:Numbers",
            summary="labels that are numbers, such as stars, ages or boxes; no download",
        ),
        LabelEncoderSpec(
            name="sentence",
            target="zoo_transferability.label_encoders:sentence",
            summary="a small sentence encoder, 90 MB",
            reference="Reimers and Gurevych, EMNLP 2019, arXiv 1908.10084",
        ),
        LabelEncoderSpec(
            name="clip_text",
            target="zoo_transferability.label_encoders:clip_text",
            summary="the text tower of CLIP B/32, 600 MB",
            reference="Radford et al., ICML 2021, arXiv 2103.00020",
        ),
        LabelEncoderSpec(
            name="clip_g",
            target="zoo_transferability.label_encoders:clip_g",
            summary="the text tower of CLIP g/14, 5 GB",
            reference="Cherti et al., CVPR 2023, arXiv 2212.07143",
        ),
        LabelEncoderSpec(
            name="bert_large",
            target="zoo_transferability.label_encoders:bert_large",
            summary="BERT large, mean over the tokens, 1.3 GB",
            reference="Devlin et al., NAACL 2019, arXiv 1810.04805",
        ),
        LabelEncoderSpec(
            name="gpt2_medium",
            target="zoo_transferability.label_encoders:gpt2_medium",
            summary="GPT-2 medium, mean over the tokens, 1.5 GB",
            reference="Radford et al., 2019",
        ),
        LabelEncoderSpec(
            name="paper",
            target="zoo_transferability.label_encoders:clip_g",
            summary="the three of the EMMS paper: clip_g, bert_large, gpt2_medium",
            members=("clip_g", "bert_large", "gpt2_medium"),
            reference="Meng et al., NeurIPS 2023, arXiv 2308.06262",
        ),
    ]
