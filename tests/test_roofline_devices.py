"""The table of devices against the arithmetic it follows from, and the names that drivers give."""

from __future__ import annotations

import pytest

from costcalc.errors import CostcalcError
from costcalc.roofline import devices
from costcalc.roofline.devices import DEVICES


@pytest.mark.parametrize("key", DEVICES)
def test_every_peak_follows_from_its_units_and_clock(key: str) -> None:
    device = DEVICES[key]
    peaks = {**device.tensor, "simd": device.simd}
    assert peaks.keys() == device.derivations.keys()
    for word, peak in peaks.items():
        assert device.derivations[word].flop_s == pytest.approx(peak, rel=0.01), word


@pytest.mark.parametrize("key", DEVICES)
def test_every_bandwidth_follows_from_its_bus(key: str) -> None:
    device = DEVICES[key]
    if key == "h100-pcie":  # printed as 2 TB/s, and not to the digit
        assert device.pins is None
        return
    assert device.pins is not None
    bits, rate = device.pins
    assert bits * rate / 8 == pytest.approx(device.bandwidth, rel=0.01)


@pytest.mark.parametrize("key", DEVICES)
def test_every_device_is_documented_and_dense(key: str) -> None:
    device = DEVICES[key]
    assert device.source
    assert device.key == key
    assert device.l2
    assert 2**20 <= device.l2 <= 2**27
    # 2:4-sparse figures are twice the dense ones: no matrix unit does more than 4096 FLOPs in a clock
    assert all(each.flop <= 4096 for each in device.derivations.values())
    if "tf32" in device.tensor:
        assert device.tensor["fp16"] == pytest.approx(2 * device.tensor["tf32"], rel=0.01)
        assert device.tensor["bf16"] == device.tensor["fp16"]


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("NVIDIA H200", "h200"),
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("NVIDIA H100 PCIe", "h100-pcie"),
        ("NVIDIA A100-SXM4-80GB", "a100"),
        ("NVIDIA A100-SXM4-40GB", "a100-40"),
        ("NVIDIA A100 80GB PCIe", "a100-pcie"),
        ("Tesla T4", "t4"),
        ("NVIDIA GeForce RTX 3090", "rtx3090"),
        ("NVIDIA GeForce RTX 4090", "rtx4090"),
        ("NVIDIA GeForce RTX 5090", "rtx5090"),
    ],
)
def test_a_driver_is_understood(name: str, key: str) -> None:
    assert devices.of_name(name) is devices.named(key)


@pytest.mark.parametrize("name", ["NVIDIA H100", "NVIDIA GeForce RTX 4090 Laptop GPU", "", "h200"])
def test_no_name_is_guessed(name: str) -> None:
    assert devices.of_name(name) is None


def test_no_two_devices_share_a_name() -> None:
    names = [alias for device in DEVICES.values() for alias in device.aliases]
    assert len(names) == len(set(names))


def test_an_unknown_device_is_told_with_the_nearest() -> None:
    with pytest.raises(CostcalcError, match=r"no device 'h20'; did you mean 'h200'\?") as error:
        devices.named("h20")
    assert error.value.exit_code == 2
    with pytest.raises(CostcalcError, match="no device 'abacus'; there are h200, h100, "):
        devices.named("abacus")
    assert devices.named("H200") is devices.named("h200")


def test_a_type_that_a_device_does_not_have_is_refused() -> None:
    turing = devices.named("t4")
    assert turing.dtypes == ("fp32", "fp16")
    with pytest.raises(CostcalcError, match="NVIDIA T4 has no bf16; it has fp32, fp16") as error:
        turing.peak("bf16")
    assert error.value.exit_code == 2
    with pytest.raises(CostcalcError, match="no tf32"):
        turing.peak("tf32", matrix=False)


def test_matrix_units_are_for_matrices_and_for_no_ieee_fp32() -> None:
    ada = devices.named("rtx4090")
    assert ada.peak("fp16") == 165.2e12  # with FP32 accumulation: half of what is printed first
    assert ada.peak("tf32") == ada.peak("fp32") == 82.6e12
    assert ada.peak("fp16", matrix=False) == 82.6e12
    hopper = devices.named("h200")
    assert hopper.peak("fp32") == hopper.peak("fp32", matrix=False) == pytest.approx(66.9e12)
