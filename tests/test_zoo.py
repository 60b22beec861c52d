"""Whole zoos: torchvision's published figures, and every model counted or refused with a reason."""

from __future__ import annotations

import csv
import importlib
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cache
from pathlib import Path

import pytest

from costcalc import units
from costcalc.attribution import Attribution
from costcalc.errors import ENVIRONMENT, CostcalcError
from costcalc.foreign import models, prepared

models.declare_operators()  # before torchvision, beside a torch that it was not built for
timm = importlib.import_module("timm")
zoo = importlib.import_module("torchvision.models")

PUBLISHED = list(csv.DictReader((Path(__file__).parent / "data" / "zoo.csv").read_text().splitlines()))
LISTED = tuple(zoo.list_models())  # classification, detection, segmentation, video, optical flow
# torchvision publishes the parameters of the weights: those of the 512-pixel transformer are of that size
SIZED = {"vit_l_16": "image_size"}
VALUES = "needs the values of a tensor (aten::item), and counting computes none"
REFUSED = {
    "keypointrcnn_resnet50_fpn": f"roi_heads (RoIHeads): {VALUES}",
    "maskrcnn_resnet50_fpn": f"the model (MaskRCNN): {VALUES}",
    "maskrcnn_resnet50_fpn_v2": f"the model (MaskRCNN): {VALUES}",
}
# one of every family, of some two
TIMM = """
    beit_base_patch16_224 botnet26t_256 caformer_s18 cait_s24_224 coat_lite_small coatnet_nano_cc_224
    convit_small convmixer_768_32 convnext_atto convnextv2_atto cpubone_b0_bfrobust crossvit_18_240
    cs3darknet_focus_s csatv2 cspnext_s davit_small deepseek_vit_412m deit3_small_patch16_224
    deit_tiny_distilled_patch16_224 densenet121 dla34 dpn48b ecaresnet26t edgenext_small
    efficientformer_l1 efficientformerv2_s0 efficientnet_b0 efficientnetv2_rw_t efficientvim_m1
    efficientvit_b0 efficientvit_m0 ese_vovnet19b_slim eva02_small_patch14_224 eva02_tiny_patch14_224
    fasternet_s fastvit_s12 flexivit_small focalnet_base_srf gcvit_small gemma4_vit_167m gernet_s
    ghostnet_050 gmlp_s16_224 hardcorenas_a hgnet_small hiera_small_224 hieradet_small hrnet_w18
    hrnet_w18_small iformer_s inception_next_atto inception_resnet_v2 inception_v3 inception_v4
    lcnetv2_small legacy_senet154 legacy_xception levit_384_s8 lowformer_b0 mambaout_base_short_rw
    maxvit_nano_rw_256 mixer_s32_224 mobilenetv3_small_050 mobilenetv4_conv_small_035 mobilenetv5_300m
    mobilevit_s mobilevitv2_050 mvitv2_small naflexvit_base_patch16_siglip nasnetalarge nest_small
    nextvit_small nf_regnet_b0 pit_s_224 pnasnet5large poolformerv2_s12 pvt_v2_b0 qwen3_vit_88m
    rdnet_small regnetx_002 regnety_040_sgn repghostnet_050 repvit_m0_9 res2net50_14w_8s resmlp_12_224
    resnest14d resnet18 resnetv2_18 resnext50_32x4d rexnet_100 samvit_base_patch16 selecsls42
    sequencer2d_s shvit_s1 skresnet18 starnet_s1 swiftformer_s swin_s3_base_224 swinv2_cr_small_224
    swinv2_small_window8_256 tiny_vit_5m_224 tnt_s_legacy_patch16_224 tresnet_l twins_pcpvt_small vgg11
    visformer_small vit_base_r26_s32_224 vit_relpos_small_patch16_224 vit_tiny_patch16_224
    vitamin_small_224 volo_d1_224 xception41 xcit_nano_12_p8_224 xcit_tiny_12_p16_224
""".split()


@dataclass(frozen=True)
class Found:
    """What is kept of a count: an execution of a large model takes more memory than that of its answer."""

    macs: int
    params: int
    uncounted: tuple[str, ...]
    assumed: tuple[str, ...]
    adds_up: bool


@cache
def counted(name: str, side: int = 0, batch: int = 1) -> Found:
    """A model of a zoo, on its usual input or on an image of that side."""
    arguments = {SIZED[short]: str(side)} if side and (short := name.partition(":")[2]) in SIZED else {}
    execution = prepared(name, arguments, [f"3x{side}x{side}"] if side else [], batch).run()
    found = Attribution(execution)
    total = found.table.total
    adds_up = (
        sum(part.cost.macs for part in found.blocks())
        == total.macs
        == sum(each.macs for each in found.operators)
    )
    names = tuple(each.name for each in found.uncounted)
    return Found(total.macs, total.params, names, execution.assumed, adds_up)


def rounded(macs: int, published: str) -> Decimal:
    """In the unit and to the decimals of a published figure."""
    number = Decimal(published[:-1])
    exponent = units.PREFIXES[published[-1]]
    return Decimal(macs).scaleb(-exponent).quantize(number, ROUND_HALF_EVEN)


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: f"{row['model']}-{row['side']}")
def test_torchvisions_published_figures_are_met(row: dict[str, str]) -> None:
    found = counted(f"torchvision:{row['model']}", int(row["side"]))
    assert found.params == int(row["params"])
    assert rounded(found.macs, row["macs"]) == Decimal(row["macs"][:-1])
    figure, half = units.published(row["macs"])
    assert abs(found.macs - figure) <= half


def test_all_published_figures_are_there() -> None:
    assert len(PUBLISHED) == 45
    assert len({(row["model"], row["side"]) for row in PUBLISHED}) == 45


@pytest.mark.parametrize("name", LISTED)
def test_a_model_of_torchvision_is_counted_or_refused_with_the_reason(name: str) -> None:
    if name in REFUSED:
        with pytest.raises(CostcalcError) as caught:
            counted(f"torchvision:{name}")
        assert str(caught.value) == f"torchvision:{name}: {REFUSED[name]}"
        assert caught.value.exit_code == ENVIRONMENT
        return
    found = counted(f"torchvision:{name}")
    assert found.macs > 0
    assert found.adds_up
    assert not found.uncounted
    # how many boxes there are depends on values: as many as there can be
    detects = zoo.get_model_builder(name).__module__.startswith("torchvision.models.detection.")
    assert set(found.assumed) <= ({"aten::index", "aten::nonzero", "torchvision::nms"} if detects else set())
    assert bool(found.assumed) is detects


def test_every_kind_of_torchvision_is_there() -> None:
    kinds = {zoo.get_model_builder(name).__module__.split(".")[2] for name in LISTED}
    assert {"detection", "segmentation", "video", "optical_flow", "quantization", "resnet"} <= kinds
    assert set(REFUSED) <= set(LISTED)


@pytest.mark.parametrize("name", TIMM)
def test_a_model_of_timm_is_counted(name: str) -> None:
    found = counted(f"timm:{name}")
    assert found.macs > 0
    assert found.params > 0
    assert found.adds_up
    assert not found.uncounted
    assert not found.assumed


def test_every_family_of_timm_is_there() -> None:
    assert len(set(TIMM)) >= 100
    missing = [
        family
        for family in timm.list_modules()
        if not any(timm.models.is_model_in_modules(name, [family]) for name in TIMM)
    ]
    assert missing == []


def test_the_figures_of_the_goal() -> None:
    assert counted("torchvision:resnet50").macs == 4_089_184_256
    assert counted("torchvision:vit_b_16").macs == 17_563_828_224


@pytest.mark.parametrize(
    "name",
    [
        "torchvision:resnet50",
        "torchvision:vit_b_16",
        "torchvision:swin_t",
        "torchvision:swin_v2_t",
        "timm:levit_128s",
    ],
)
def test_a_sample_costs_the_same_in_a_batch(name: str) -> None:
    """Also where tables of positions are computed once for all samples."""
    alone = counted(name)
    assert counted(name, batch=32).macs == alone.macs
    assert counted(name, batch=3) == alone


def test_arguments_reach_the_factory() -> None:
    ten = prepared("torchvision:resnet18", {"num_classes": "10"}).run()
    found = Attribution(ten)
    assert found.whole.output_shape == (10,)
    assert found.part("fc").cost.macs == 512 * 10
    assert (
        Attribution(prepared("timm:resnet18", {"in_chans": "1"}).run()).part("conv1").cost.macs
        == 112 * 112 * 64 * 49
    )
