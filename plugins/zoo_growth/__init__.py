"""Growth: trained networks made wider and deeper, and what sets their weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.hookspecs import hookimpl
from zoo.types import FamilySpec, GrowerSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

_PACKAGE = "zoo_growth"


@hookimpl
def zoo_growers() -> Sequence[GrowerSpec]:
    """Advertise the ways to set the weights; importing nothing heavy."""
    return (
        GrowerSpec(
            name="net2net",
            target=f"{_PACKAGE}.net2net:Net2Net",
            summary="copies of channels, and noise that the function does not see",
            reference="Chen, Goodfellow and Shlens, ICLR 2016, arXiv 1511.05641",
            default=True,
        ),
        GrowerSpec(
            name="lemon",
            target=f"{_PACKAGE}.lemon:Lemon",
            summary="copies that share unevenly, and new layers whose units cancel in pairs",
            reference="Wang et al., ICLR 2024, arXiv 2310.07999",
        ),
        GrowerSpec(
            name="stack",
            target=f"{_PACKAGE}.stacking:Stacking",
            summary="new layers repeat all old ones, on top of them",
            reference="Gong et al., ICML 2019",
            preserving=False,
        ),
        GrowerSpec(
            name="interpolate",
            target=f"{_PACKAGE}.stacking:Interpolation",
            summary="new layers repeat the old one beside them",
            reference="Chang et al., ICLR 2018",
            preserving=False,
        ),
        GrowerSpec(
            name="fpi",
            target=f"{_PACKAGE}.fpi:Fpi",
            summary="copies of random channels everywhere, and stacked layers",
            reference="Chen et al., ACL 2022, arXiv 2110.07143",
            preserving=False,
        ),
        GrowerSpec(
            name="aki",
            target=f"{_PACKAGE}.aki:Aki",
            summary="as fpi, with what is added from the layer above",
            reference="Chen et al., ACL 2022, arXiv 2110.07143",
            preserving=False,
        ),
        GrowerSpec(
            name="ligo",
            target=f"{_PACKAGE}.ligo:Ligo",
            summary="learned combinations of channels and layers",
            reference="Wang et al., ICLR 2023, arXiv 2303.00980",
            preserving=False,
            needs="samples",
        ),
    )


@hookimpl
def zoo_families() -> Sequence[FamilySpec]:
    """Advertise the architectures; importing nothing heavy."""
    return (
        FamilySpec(
            name="vit",
            target=f"{_PACKAGE}.families.vit:Vit",
            summary="ViT, DeiT",
            reference="Dosovitskiy et al., ICLR 2021; Touvron et al., ICML 2021",
            model_types=("vit", "deit"),
            sizes=("hidden", "heads", "mlp", "depth"),
        ),
        FamilySpec(
            name="dinov2",
            target=f"{_PACKAGE}.families.dinov2:Dinov2",
            summary="DINOv2, with registers too",
            reference="Oquab et al., TMLR 2024; Darcet et al., ICLR 2024",
            model_types=("dinov2", "dinov2_with_registers"),
            sizes=("hidden", "heads", "mlp", "depth"),
        ),
        FamilySpec(
            name="swin",
            target=f"{_PACKAGE}.families.swin:Swin",
            summary="Swin Transformer",
            reference="Liu et al., ICCV 2021, arXiv 2103.14030",
            model_types=("swin",),
            sizes=("hidden", "heads", "mlp", "depth"),
        ),
        FamilySpec(
            name="bert",
            target=f"{_PACKAGE}.families.bert:Bert",
            summary="BERT, RoBERTa, XLM-RoBERTa, CamemBERT, ELECTRA",
            reference="Devlin et al., NAACL 2019; Liu et al., 2019; Clark et al., ICLR 2020",
            model_types=("bert", "roberta", "xlm-roberta", "camembert", "electra"),
            sizes=("hidden", "heads", "mlp", "depth"),
        ),
        FamilySpec(
            name="distilbert",
            target=f"{_PACKAGE}.families.distilbert:DistilBert",
            summary="DistilBERT",
            reference="Sanh et al., 2019, arXiv 1910.01108",
            model_types=("distilbert",),
            sizes=("hidden", "heads", "mlp", "depth"),
        ),
        FamilySpec(
            name="gpt2",
            target=f"{_PACKAGE}.families.gpt2:Gpt2",
            summary="GPT-2",
            reference="Radford et al., 2019",
            model_types=("gpt2",),
            sizes=("hidden", "heads", "mlp", "depth"),
        ),
        FamilySpec(
            name="llama",
            target=f"{_PACKAGE}.families.llama:Llama",
            summary="Llama, Mistral, Qwen2, Qwen3, Gemma, SmolLM",
            reference="Touvron et al., arXiv 2302.13971",
            model_types=("llama", "mistral", "qwen2", "qwen3", "gemma"),
            sizes=("hidden", "heads", "kv_heads", "mlp", "depth"),
        ),
        FamilySpec(
            name="resnet",
            target=f"{_PACKAGE}.families.resnet:ResNet",
            summary="ResNet, of basic and of bottleneck blocks",
            reference="He et al., CVPR 2016, arXiv 1512.03385",
            model_types=("resnet",),
        ),
        FamilySpec(
            name="regnet",
            target=f"{_PACKAGE}.families.regnet:RegNet",
            summary="RegNet X and Y",
            reference="Radosavovic et al., CVPR 2020, arXiv 2003.13678",
            model_types=("regnet",),
        ),
        FamilySpec(
            name="convnext",
            target=f"{_PACKAGE}.families.convnext:ConvNext",
            summary="ConvNeXt, ConvNeXt V2",
            reference="Liu et al., CVPR 2022; Woo et al., CVPR 2023",
            model_types=("convnext", "convnextv2"),
        ),
        FamilySpec(
            name="mobilenet",
            target=f"{_PACKAGE}.families.mobilenet:MobileNet",
            summary="MobileNet V1 and V2",
            reference="Howard et al., arXiv 1704.04861; Sandler et al., CVPR 2018",
            model_types=("mobilenet_v1", "mobilenet_v2"),
            sizes=(),
        ),
        FamilySpec(
            name="efficientnet",
            target=f"{_PACKAGE}.families.efficientnet:EfficientNet",
            summary="EfficientNet",
            reference="Tan and Le, ICML 2019, arXiv 1905.11946",
            model_types=("efficientnet",),
        ),
        FamilySpec(
            name="module",
            target=f"{_PACKAGE}.modules.family:OwnModule",
            summary="a module of your own, by its graph: zoo.grow_module in Python",
            reference="Chen, Goodfellow and Shlens, ICLR 2016, arXiv 1511.05641",
        ),
    )
