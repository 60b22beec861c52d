"""Calibrations fitted by pen, kept in a file, found again; and files that are none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rooflines import ROUND, measurement, run, work

from costcalc.errors import CostcalcError
from costcalc.latency.runs import Mode, Run
from costcalc.roofline import calibration, devices, model
from costcalc.roofline.calibration import Anchor, Calibration

# an H100 moves 3.35 TB/s: 0.5 ms for that many elements of two bytes
HALF_MS = work(reads=1_675_000_000 // 2, launches=10)


def fitted(found: Run) -> Calibration:
    return calibration.fitted(found, launch_s=4e-6, copy_bytes_s=3e12, dense_flop_s=7e14)


def test_the_factor_is_the_median_of_the_anchors() -> None:
    found = fitted(
        run(
            measurement("a", [HALF_MS], [0.6e-3, 0.7e-3, 0.8e-3]),
            measurement("b", [HALF_MS], [0.9e-3]),
            measurement("c", [HALF_MS, HALF_MS], [1.2e-3]),
        )
    )
    ratios = {anchor.name: anchor.ratio for anchor in found.anchors}
    assert ratios == {"a": pytest.approx(1.4), "b": pytest.approx(1.8), "c": pytest.approx(1.2)}
    assert found.kappa == pytest.approx(1.4)
    assert (found.launch_s, found.copy_bytes_s, found.dense_flop_s) == (4e-6, 3e12, 7e14)
    assert (found.device_name, found.on, found.driver) == ("NVIDIA H100 80GB HBM3", "cuda:0", "1.0")
    assert (found.dtype, found.layout, found.mode) == ("fp16", "channels_last", "eager")
    assert found.created == "2026-01-01T00:00:00Z"


def test_what_waits_for_its_host_tells_nothing_of_the_device() -> None:
    waiting = work(reads=1000, launches=200)  # 0.8 ms of the host
    found = fitted(run(measurement("a", [HALF_MS], [0.7e-3]), measurement("b", [waiting], [0.9e-3])))
    assert [anchor.name for anchor in found.anchors] == ["a"]
    with pytest.raises(CostcalcError, match=r"wait for the host .* larger --batch") as error:
        fitted(run(measurement("b", [waiting], [0.9e-3])))
    assert error.value.exit_code == 3


def test_what_was_not_measured_is_no_anchor() -> None:
    found = fitted(run(measurement("a", [HALF_MS], [0.7e-3]), measurement("b", [HALF_MS], [], status="oom")))
    assert [anchor.name for anchor in found.anchors] == ["a"]
    nothing = measurement("view", [work(launches=0)], [1e-3])
    with pytest.raises(CostcalcError, match="no anchor"):
        fitted(run(nothing))


@pytest.mark.parametrize(("mode", "host"), [("eager", 0), ("graph", 40e-6), ("compile", 0)])
def test_the_nodes_of_a_graph_are_taken_off(mode: Mode, host: float) -> None:
    found = fitted(run(measurement("a", [HALF_MS], [0.7e-3]), mode=mode))
    assert found.anchors[0].host_s == pytest.approx(host)
    assert found.kappa == pytest.approx((0.7e-3 - host) / 0.5e-3)


@pytest.mark.parametrize("mode", ["eager", "graph", "compile"])
def test_a_prediction_gives_the_anchor_back(mode: Mode) -> None:
    found = fitted(run(measurement("a", [HALF_MS], [0.7e-3]), mode=mode))
    again = model.predicted([HALF_MS], devices.named("h100"), "fp16", mode, found)
    assert again.seconds == pytest.approx(0.7e-3)


def on_a_cpu() -> Calibration:
    found = run(
        measurement("a", [work(macs=10**9, launches=50)], [0.3], gpu=False),
        device_name="A CPU",
        device="cpu",
        layout="nchw",
        driver=None,
    )
    return calibration.fitted(found, launch_s=1e-3, copy_bytes_s=1e10, dense_flop_s=1e10)


def test_a_cpu_is_what_was_measured_of_it() -> None:
    found = on_a_cpu()
    cpu = found.device()
    assert (cpu.key, cpu.name, cpu.bandwidth) == ("cpu", "A CPU", 1e10)
    assert cpu.peak("fp32") == cpu.peak("fp32", matrix=False) == 1e10
    with pytest.raises(CostcalcError, match="A CPU has no fp16; it has fp32"):
        cpu.peak("fp16")
    # the process computed for 0.3 s, of which 50 operators took 0.05 s to start; the roofline is 0.2 s
    assert found.kappa == pytest.approx(0.25 / 0.2)


def test_a_gpu_is_what_its_datasheet_says_or_what_was_measured() -> None:
    assert fitted(run(measurement("a", [HALF_MS], [0.7e-3]))).device() is devices.named("h100")
    other = fitted(run(measurement("a", [HALF_MS], [0.7e-3]), device_name="NVIDIA Abacus")).device()
    assert (other.key, other.peak("fp16"), other.bandwidth) == ("NVIDIA Abacus", 7e14, 3e12)
    assert other.dtypes == ("fp32", "fp16")


def entry(**changed: Any) -> Calibration:
    made = {
        "device_name": "X",
        "on": "cuda:0",
        "driver": "1",
        "torch": "2.13",
        "dtype": "fp16",
        "layout": "nchw",
        "mode": "eager",
        "threads": 1,
        "created": "",
        "anchors": (Anchor(name="a", batch=1, measured_s=1.5, host_s=0, roofline_s=1),),
        "launch_s": 1e-6,
        "copy_bytes_s": 1e9,
        "dense_flop_s": 1e12,
    }
    return Calibration.model_validate({**made, **changed})


def test_what_is_stored_is_found_again(tmp_path: Path) -> None:
    path = str(tmp_path / "new" / "folder" / "calibration.json")
    with pytest.raises(CostcalcError, match="there is no such file"):
        calibration.load(path)
    assert calibration.store(entry(), path) == path
    assert calibration.load(path) == (entry(),)
    others = [
        entry(**{field: value})
        for field, value in {
            "device_name": "Y",
            "driver": None,
            "torch": "2.14",
            "dtype": "fp32",
            "layout": "channels_last",
            "mode": "graph",
            "threads": 2,
        }.items()
    ]
    for other in others:
        calibration.store(other, path)
    assert calibration.load(path) == (entry(), *others)
    # the same key again replaces the entry, and becomes the latest
    again = entry(launch_s=9e-6, created="later", on="cuda:1")
    calibration.store(again, path)
    assert calibration.load(path) == (*others, again)
    assert sorted(found.name for found in (tmp_path / "new" / "folder").iterdir()) == ["calibration.json"]


def test_the_latest_that_fits_is_taken() -> None:
    entries = [
        entry(driver="1"),
        entry(driver="2"),
        entry(mode="graph"),
        entry(dtype="fp32"),
        entry(layout="channels_last"),
        entry(device_name="Y"),
    ]
    assert calibration.find("X", "fp16", "eager", "nchw", entries) is entries[1]
    assert calibration.find("X", "fp16", "graph", "nchw", entries) is entries[2]
    assert calibration.find("Z", "fp16", "eager", "nchw", entries) is None
    assert calibration.find("X", "bf16", "eager", "nchw", entries) is None
    assert calibration.find("X", "fp16", "compile", "nchw", entries) is None
    assert calibration.find("Y", "fp16", "eager", "channels_last", entries) is None


def test_a_cpu_that_was_not_measured_cannot_be_predicted() -> None:
    entries = [entry(), entry(on="cpu", dtype="fp32"), entry(on="cpu", dtype="fp32", threads=2)]
    assert calibration.of_cpu("fp32", "eager", "nchw", entries) is entries[2]
    with pytest.raises(
        CostcalcError, match="`costcalc calibrate --device cpu --dtype fp32 --layout nchw --mode compile`"
    ) as error:
        calibration.of_cpu("fp32", "compile", "nchw", entries)
    assert error.value.exit_code == 3


def test_the_file_is_in_the_cache_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    wanted = tmp_path / "costcalc" / "calibration.json"
    assert calibration.store(entry()) == str(wanted)
    assert calibration.load() == (entry(),)
    assert json.loads(wanted.read_text())["schema"] == "costcalc.calibration/1"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert calibration.place() == tmp_path / "home" / ".cache" / "costcalc" / "calibration.json"


def broken(change: Callable[[dict[str, Any]], object]) -> str:
    found = {"schema": "costcalc.calibration/1", "entries": [entry().model_dump(mode="json")]}
    change(found)
    return json.dumps(found)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no JSON"),
        ("{", "no JSON"),
        ("\x00\xff", "no JSON"),
        ("[]", "its schema is None"),
        ('{"schema": "costcalc.calibration/2", "entries": []}', "'costcalc.calibration/2'"),
        ('{"schema": "costcalc.calibration/1"}', "entries: Field required"),
        (broken(lambda found: found["entries"][0].pop("launch_s")), "entries.0.launch_s"),
        (broken(lambda found: found["entries"][0].update(launch_s=0)), "entries.0.launch_s"),
        (broken(lambda found: found["entries"][0].update(dense_flop_s=float("inf"))), "dense_flop_s"),
        (broken(lambda found: found["entries"][0].update(dtype="fp12")), "entries.0.dtype"),
        (broken(lambda found: found["entries"][0].update(anchors=[])), "entries.0.anchors"),
        (broken(lambda found: found["entries"][0]["anchors"][0].update(roofline_s=-1)), "roofline_s"),
        (broken(lambda found: found["entries"][0]["anchors"][0].update(host_s=1.5)), "anchors.0"),
    ],
)
def test_a_broken_file_is_named_and_left_alone(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "calibration.json"
    file.write_bytes(text.encode("latin-1"))
    for touch in (lambda: calibration.load(str(file)), lambda: calibration.store(entry(), str(file))):
        with pytest.raises(CostcalcError, match=r"is no calibration file: .*; give another") as error:
            touch()
        assert str(file) in str(error.value)
        assert said in str(error.value)
        assert error.value.exit_code == 3
    assert file.read_bytes() == text.encode("latin-1")


def test_keys_of_later_versions_are_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "calibration.json"
    file.write_text(broken(lambda found: found["entries"][0].update(weather="fair")))
    assert calibration.load(str(file)) == (entry(),)


def test_a_file_that_cannot_be_written_stays_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "calibration.json"
    calibration.store(entry(), str(file))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(CostcalcError, match=r"calibration\.json: cannot be written: No space left") as error:
        calibration.store(entry(launch_s=9e-6), str(file))
    assert error.value.exit_code == 3
    assert [found.name for found in tmp_path.iterdir()] == ["calibration.json"]
    assert calibration.load(str(file)) == (entry(),)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(CostcalcError, match="cannot be read: Is a directory"):
        calibration.load(str(tmp_path))


def test_a_calibration_of_the_round_device_is_relative_to_it() -> None:
    # no datasheet: what was measured are the peaks
    assert entry(device_name=ROUND.name).device().peak("fp16") == ROUND.peak("fp16")
