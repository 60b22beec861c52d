"""Latency at the front door: what is shown of runs and predictions, exit codes, files, errors."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import made_up
import pytest

import costcalc
from costcalc import CostcalcError, bench, cli, schema
from costcalc.api import timing
from costcalc.latency import runs
from costcalc.latency.runs import Round, Run
from costcalc.roofline import calibration, devices

Call = Callable[..., tuple[int, str, str]]
Capture = pytest.CaptureFixture[str]
HERE = Path(__file__).parent


@pytest.fixture
def call(capsys: Capture) -> Call:
    def run(*argv: str) -> tuple[int, str, str]:
        code = cli.main(list(argv))
        out, err = capsys.readouterr()
        return code, out, err

    return run


def poor() -> Run:
    """A run with everything to be doubted: no memory, an interruption, heat, blocks that do not add up."""
    run = made_up.run(("reduced",), processes=1, batches=(1, 2, 4), mode="eager")
    small, middle, large = run.measurements
    (process,) = middle.processes
    hot = {"reasons": ("HwThermal", "SwPowerCap"), "sm_mhz": 900, "other_processes": 1}
    rounds = tuple(
        each.model_copy(
            update={
                "gpu_s": tuple(s * (1 + 0.2 * (index % 2)) for s in each.gpu_s or ()),
                "telemetry": each.telemetry and each.telemetry.model_copy(update=hot if index < 2 else {}),
                "discarded": index < 2,
            }
        )
        for index, each in enumerate(process.rounds)
    )
    assert process.blocks
    off = {name: tuple(2 * s for s in seconds) for name, seconds in process.blocks.seconds.items()}
    poor_process = process.model_copy(
        update={
            "rounds": rounds,
            "stopped": "timeout",
            "settled": False,
            "blocks": process.blocks.model_copy(update={"seconds": off}),
            "pressure": 60.0,
            "load": 9.0,
        }
    )
    out_of = {"status": "oom", "reason": "OutOfMemoryError: made up", "processes": ()}
    cut = small.processes[0].model_copy(update={"rounds": small.processes[0].rounds[:1], "blocks": None})
    return run.model_copy(
        update={
            "measurements": (
                small.model_copy(update={"status": "interrupted", "reason": "Ctrl-C", "processes": (cut,)}),
                middle.model_copy(update={"processes": (poor_process,)}),
                large.model_copy(update=out_of),
            )
        }
    )


RUNS: dict[str, Callable[[], Run]] = {
    "gpu": lambda: made_up.run(("naive", "reduced"), batches=(1, 32)),
    "slower": lambda: made_up.run(("naive", "reduced"), batches=(1, 32), slower=1.1, seed=1),
    "cpu": lambda: made_up.run(("reduced",), device="cpu", batches=(1,)),
    "poor": poor,
}


@pytest.mark.parametrize("name", RUNS)
def test_made_up_runs_are_as_they_were_made(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"data/made-up-{name}.json", runs.written(RUNS[name]()))


@pytest.mark.parametrize("name", RUNS)
def test_a_run_file_keeps_everything_and_its_schema(name: str, tmp_path: Path) -> None:
    run, path = RUNS[name](), tmp_path / "run.json"
    timing.Bench(run, None).save(str(path))
    assert runs.read(str(path)).model_dump() == run.model_dump()
    assert list(tmp_path.iterdir()) == [path]  # nothing half-written beside it
    found = json.loads(path.read_text())
    jsonschema.validate(found, schema.of("run"))
    found["of a later version"] = {"any": "thing"}
    path.write_text(json.dumps(found))
    assert runs.read(str(path)).identity() == run.identity()


def test_a_run_file_is_compressed_where_its_name_says_so(call: Call, tmp_path: Path) -> None:
    plain, small = tmp_path / "run.json", tmp_path / "run.json.gz"
    for path in (plain, small, small):  # the same twice, to the byte
        before = small.read_bytes() if small.exists() else None
        runs.write(RUNS["gpu"](), str(path))
    assert small.read_bytes() == before
    assert 5 * small.stat().st_size < plain.stat().st_size
    assert runs.read(str(small)) == runs.read(str(plain))
    for broken in (plain.read_bytes(), small.read_bytes()[:-20], small.read_bytes()[:20] + b"?" * 999):
        small.write_bytes(broken)
        code, out, err = call("bench", "show", str(small))
        assert (code, out) == (2, "")
        assert "no gzip, but named so" in err


def test_what_marks_take_and_what_beats_the_roofline_is_said(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shown(seconds: float) -> str:
        run = made_up.run(("googlenet",), processes=1, batches=(64,))
        (each,) = run.measurements
        (process,) = each.processes
        assert process.blocks is not None
        times = {**process.blocks.seconds, "dropout": (1.25e-6,), "conv2": (seconds,)}
        blocks = process.blocks.model_copy(update={"seconds": times})
        process = process.model_copy(update={"blocks": blocks})
        each = each.model_copy(update={"processes": (process,)})
        replaced(monkeypatch, run.model_copy(update={"measurements": (each,)}))
        return " ".join(call("bench", "googlenet")[1].split())

    assert "A mark between blocks takes time itself, 1.250 µs" in shown(1.5e-3)
    assert "Above 100 % of the roofline" not in shown(1.5e-3)
    assert "Above 100 % of the roofline: convolutions by FFT" in shown(0.5e-3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "no JSON"),
        ("[]", "its schema is None"),
        ('{"schema": "costcalc.run/2"}', "reads costcalc.run/1"),
        ('{"schema": "costcalc.run/1"}', "command: Field required"),
        (None, "cannot be read"),
    ],
)
def test_files_that_are_no_runs(text: str | None, message: str, call: Call, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    if text is not None:
        path.write_text(text)
    for command in (["bench", "show"], ["bench", "compare", str(path)], ["validate"]):
        code, out, err = call(*command, str(path))
        assert (code, out) == (2, "")
        assert message in err
        assert "run.json" in err


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        (["predict", "googlenet"], 2, "--on"),
        (["predict", "googlenet", "--on", "h20"], 2, "did you mean 'h200'"),
        (["predict", "googlenet", "--on", ""], 2, "takes an architecture and a device"),
        (["predict", "googlenet", "--on", "nothing"], 2, "there are h200"),
        (["predict", "googlenet", "--on", "t4", "--dtype", "bf16"], 2, "has no bf16"),
        (["predict", "googlenet", "--on", "t4", "--dtype", "fp8"], 2, "there are fp32, tf32, fp16, bf16"),
        (["predict", "googlenet", "--on", "t4", "--mode", "egaer"], 2, "did you mean 'eager'"),
        (["predict", "googlenet", "--on", "t4", "--batch", "0"], 2, "whole numbers from 1 on"),
        (["predict", "googlenet", "--on", "t4", "--batch", "1,,x"], 2, "whole numbers from 1 on"),
        (["predict", "googlenet", "--on", "t4", "--batch", "8,8"], 2, "given twice"),
        (["predict", "gogglenet", "--on", "t4"], 2, "did you mean 'googlenet'"),
        (["predict", "naive", "--on", "t4,a100", "--layers"], 2, "of one architecture on one device"),
        (["predict", "naive", "--on", "cpu"], 3, "costcalc calibrate --device cpu"),
        (["budget", "naive", "--latency", "5ms"], 2, "belong together"),
        (["budget", "naive", "--on", "t4", "--limit", "1G"], 2, "belong together"),
        (["budget", "naive", "--on", "t4", "--latency", "5"], 2, "is not a time"),
        (["budget", "naive", "--on", "t4", "--latency", "0ms"], 2, "no time at all"),
        (["bench", "gogglenet"], 2, "did you mean 'googlenet'"),
        (["bench", "naive", "--mode", "graph", "--device", "cpu"], 2, "graph"),
        (["bench", "naive", "--device", "cuda"], 3, "costcalc predict NAME --on h200"),
        (["bench", "naive", "--device", "gpu"], 2, "gpu"),
        (["bench", "naive", "--dtype", "fp23"], 2, "did you mean 'fp32'"),
        (["bench", "naive", "--layout", "nhwc"], 2, "did you mean 'nchw'"),
        (["bench", "naive", "--precision", "2"], 2, "write a share"),
        (["bench", "naive", "--max-time", "5"], 2, "is not a time"),
        (["bench", "naive", "--max-time", "1s", "--min-time", "2s"], 2, "longer than --max-time"),
        (["bench", "naive", "--save", "no/such/folder/run.json"], 2, "cannot be written"),
        (["bench", "naive", "--threads", "0"], 2, "whole number from 1 to"),
        (["bench"], 2, "SPEC"),
        (["bench", "--fromat", "text", "naive"], 2, "--format"),
    ],
)
def test_errors(argv: list[str], code: int, message: str, call: Call) -> None:
    found, out, err = call(*argv)
    assert (found, out) == (code, "")
    assert message in err


@pytest.mark.parametrize(("limit", "code", "word"), [("1s", 0, "WITHIN"), ("1us", 1, "EXCEEDED")])
def test_a_limit_on_the_latency(limit: str, code: int, word: str, call: Call) -> None:
    found, out, _ = call("budget", "naive", "--latency", limit, "--on", "t4", "--json")
    assert found == code
    result = json.loads(out)
    jsonschema.validate(result, schema.of("budget"))
    assert result["result"]["summary"][0].startswith(word)
    assert bool(costcalc.predict("naive", on=["t4"]).within(limit)) == (code == 0)


def test_a_limit_within_the_range_of_a_prediction_gets_no_verdict(call: Call) -> None:
    (guess,) = (each.prediction for each in costcalc.predict("naive", on=["t4"]).found)
    for seconds, code in (
        (guess.low * 0.999, 1),
        (guess.low, 3),
        (guess.high * 0.999, 3),
        (guess.high * 1.001, 0),
    ):
        limit = f"{seconds * 1e6:.6f}us"
        assert call("budget", "naive", "--latency", limit, "--on", "t4")[0] == code
    # a limit that is exceeded for sure is a finding all the same
    assert (
        call("budget", "naive", "--limit", "1", "--latency", f"{guess.seconds * 1e6:.3f}us", "--on", "t4")[0]
        == 1
    )


def test_predictions_of_a_spec_and_of_the_same_model_are_the_same() -> None:
    mine, theirs = costcalc.predict(
        "googlenet-torchvision", "torchvision:googlenet", on=["a100"], batch=[4], dtype="fp16"
    ).found
    assert mine.prediction.roofline_s == pytest.approx(theirs.prediction.roofline_s)
    assert [each.macs for each in mine.work if each.macs] == [each.macs for each in theirs.work if each.macs]


def test_an_order_is_claimed_only_where_the_ratio_warrants_it(call: Call) -> None:
    _, out, _ = call("compare", "naive", "reduced", "--on", "t4", "--batch", "32", "--by", "formula")
    assert "FASTER on t4 at batch 32: reduced" in out
    _, out, _ = call("compare", "naive", "naive@module=inception_4a", "--on", "t4", "--by", "formula")
    assert "TOO CLOSE TO CALL on t4 at batch 1" in out


def replaced(monkeypatch: pytest.MonkeyPatch, run: Run) -> list[object]:
    """A bench that gives this run; what it was asked for."""
    asked: list[object] = []

    def given(*arguments: object) -> Run:
        asked.append(arguments)
        return run

    monkeypatch.setattr(bench, "run", given)
    return asked


def test_a_run_is_saved_and_shown_as_it_is_shown_again(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = replaced(monkeypatch, RUNS["gpu"]())
    path = tmp_path / "run.json"
    code, out, _ = call("bench", "naive", "reduced", "--batch", "1,32", "--save", str(path))
    assert code == 0
    assert call("bench", "show", str(path))[1] == out
    ((subjects, batches, how, *_),) = asked  # type: ignore[misc]
    assert [each.name for each in subjects] == ["naive", "reduced"]
    assert (batches, how.processes, how.layout) == ((1, 32), 5, "nchw")


def test_exit_codes_of_a_bench(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run.json"
    replaced(monkeypatch, RUNS["poor"]())
    assert call("bench", "reduced", "--save", str(path), "--strict")[0] == 130  # interrupted, and saved
    assert runs.read(str(path)).measurements[0].status == "interrupted"
    run = RUNS["poor"]()
    replaced(monkeypatch, run.model_copy(update={"measurements": run.measurements[1:2]}))
    assert call("bench", "reduced")[0] == 0
    assert call("bench", "reduced", "--strict")[0] == 4
    replaced(monkeypatch, RUNS["gpu"]())
    assert call("bench", "naive", "reduced", "--strict")[0] == 0


def test_sixteen_bits_are_laid_out_channels_last(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = replaced(monkeypatch, RUNS["cpu"]())
    call("bench", "reduced", "--dtype", "bf16")
    call("bench", "reduced", "--dtype", "bf16", "--layout", "nchw", "--batch", "auto")
    layouts = [(how.layout, batches) for _, batches, how, *_ in asked]  # type: ignore[misc]
    assert layouts == [("channels_last", (1,)), ("nchw", None)]


def test_faster_than_the_roofline_is_doubted() -> None:
    for slower, is_doubted in ((1.0, False), (0.5, True)):  # of 1.6 times the roofline
        run = made_up.run(("naive",), slower=slower)
        (doubts,) = timing.Bench(run, devices.named("h100")).doubts
        serious = {doubt.code for doubt in doubts if doubt.serious}
        assert ("above_roofline" in serious) == is_doubted


def test_a_verdict_against_an_earlier_run(call: Call, tmp_path: Path) -> None:
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    runs.write(RUNS["gpu"](), str(old))
    runs.write(RUNS["slower"](), str(new))
    code, out, _ = call("bench", "compare", str(old), str(new), "--json")
    assert code == 1
    result = json.loads(out)["result"]
    assert {row["verdict"] for row in result["verdicts"]["rows"]} == {"SLOWER"}
    assert call("bench", "compare", str(new), str(old))[0] == 0
    assert call("bench", "compare", str(old), str(old))[0] == 0
    assert call("bench", "compare", str(old), str(new), "--min-effect", "0.2")[0] == 0
    runs.write(RUNS["cpu"](), str(new))
    code, _, err = call("bench", "compare", str(old), str(new))
    assert code == 2
    assert "--allow-mismatch" in err


def probe(device: str) -> bench.Probe:
    run = made_up.run(timing.ANCHORS[:1], device=device)
    return bench.Probe(5e-6, 1e10, 5e10, device, run.environment)


def test_a_calibration_is_stored_and_used(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    asked = replaced(monkeypatch, made_up.run(timing.ANCHORS, device="cpu", batches=(1,), processes=1))
    monkeypatch.setattr(bench, "probe", lambda how: probe("cpu"))
    code, out, _ = call("calibrate", "--device", "cpu", "--json")
    assert code == 0
    found = json.loads(out)
    jsonschema.validate(found, schema.of("calibrate"))
    ((subjects, batches, *_),) = asked  # type: ignore[misc]
    assert ([each.name for each in subjects], batches) == (list(timing.ANCHORS), (1,))
    (entry,) = calibration.load()
    assert found["result"]["kappa"] == entry.kappa
    code, out, _ = call("predict", "googlenet", "--on", "cpu", "--json")
    assert code == 0
    (row,) = json.loads(out)["result"]["predictions"]["rows"]
    assert row["seconds"] == pytest.approx(entry.kappa * row["roofline_s"] + row["host_s"])
    (row,) = json.loads(out)["result"]["devices"]["rows"]
    assert (row["calibrated"], row["name"]) == ("yes", made_up.CPU)
    code, out, _ = call("validate", str(HERE / "data" / "made-up-cpu.json"))
    assert code == 0
    assert made_up.CPU in out


def test_a_calibration_that_was_cut_short_stores_nothing(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(bench, "probe", lambda how: probe("cpu"))
    whole = made_up.run(timing.ANCHORS, device="cpu", batches=(1,), processes=1)
    for status, code in (("interrupted", 130), ("oom", 3)):
        *done, last = whole.measurements
        cut = last.model_copy(update={"status": status, "reason": "made up"})
        replaced(monkeypatch, whole.model_copy(update={"measurements": (*done, cut)}))
        assert call("calibrate", "--device", "cpu")[0] == code
        assert calibration.load() == ()


def test_the_python_door(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = replaced(monkeypatch, RUNS["cpu"]())
    found = costcalc.measure("reduced", device="cpu", batch=[1])
    assert found.run.settings.device == "cpu"
    assert "Made-up CPU" in str(found)
    ((*_, command, _),) = asked  # type: ignore[misc]
    assert command == "costcalc.measure('reduced')"
    for wrong in ({"batch": [0]}, {"threads": 0}, {"dtype": "int8"}, {"mode": "fast"}):
        with pytest.raises(CostcalcError):
            costcalc.measure("reduced", **wrong)  # type: ignore[arg-type]
    with pytest.raises(CostcalcError, match="nothing to measure"):
        costcalc.measure()
    with pytest.raises(CostcalcError, match="nothing to validate"):
        costcalc.validate()
    again = costcalc.compare_runs(*[str(HERE / "data" / f"made-up-{name}.json") for name in ("gpu", "gpu")])
    assert bool(again)
    assert {pair.verdict for pair in again.judgement.pairs} == {"SAME"}
    assert Round(wall_s=(1.0,)).gpu_s is None


def test_models_are_predicted_at_the_prompt_too(call: Call) -> None:
    code, out, _ = call("predict", "nets:Words", "--input", "16:int64", "--input", "mask=16", "--on", "t4")
    assert code == 0
    assert "nets:Words on t4 at batch 1" in out


BROKEN_RUNS: dict[str, Callable[[dict[str, Any]], object]] = {
    "no number": lambda run: first(run)["wall_s"].__setitem__(0, float("nan")),
    "no end": lambda run: first(run)["cpu_s"].__setitem__(0, float("inf")),
    "negative": lambda run: first(run)["cpu_s"].__setitem__(0, -1.0),
    "nothing": lambda run: first(run)["cpu_s"].__setitem__(0, 0.0),
    "too long": lambda run: first(run)["cpu_s"].__setitem__(0, 1e308),
    "too short": lambda run: first(run)["cpu_s"].__setitem__(0, 5e-324),
    "no samples": lambda run: first(run).update(wall_s=[]),
    "no calls": lambda run: first(run).update(calls=0),
    "no passes of a block": lambda run: run["measurements"][0]["processes"][0]["blocks"].update(
        seconds={"a": []}
    ),
    "no measurements": lambda run: run.update(measurements=[]),
    "no batch": lambda run: run["measurements"][0].update(batch=0),
    "endless load": lambda run: run["measurements"][0]["processes"][0].update(load=float("inf")),
}


def first(run: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = run["measurements"][0]["processes"][0]["rounds"][0]
    return found


@pytest.mark.parametrize("name", BROKEN_RUNS)
def test_a_broken_run_is_told_as_such(name: str, call: Call, tmp_path: Path) -> None:
    run = json.loads(runs.written(RUNS["cpu"]()))
    BROKEN_RUNS[name](run)
    path = tmp_path / "run.json"
    path.write_text(json.dumps(run))
    for command in (["bench", "show"], ["bench", "compare", str(path)], ["validate"]):
        code, out, err = call(*command, str(path))
        assert (code, out) == (2, "")
        assert "measurements" in err


def test_a_run_of_which_nothing_was_measured(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    (each,) = RUNS["cpu"]().measurements
    for status, reason, code, word in (
        ("error", "ValueError: made up", 1, "ERROR"),
        ("unsupported", "made up", 1, "UNSUPPORTED"),
        ("oom", "made up", 0, "OOM"),
        ("ok", "", 1, "NOTHING MEASURED"),
    ):
        failed = each.model_copy(update={"status": status, "reason": reason, "processes": ()})
        replaced(monkeypatch, RUNS["cpu"]().model_copy(update={"measurements": (failed,)}))
        found, out, _ = call("bench", "reduced", "--format", "rich")
        assert (found, word in out) == (code, True)
        assert call("bench", "reduced", "--strict")[0] == (code or 4)


def test_what_waits_is_not_trusted_by_its_cpu_time(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    (each,) = RUNS["cpu"]().measurements
    slow = tuple(
        process.model_copy(
            update={
                "rounds": tuple(
                    one.model_copy(update={"wall_s": tuple(10 * s for s in one.wall_s)})
                    for one in process.rounds
                )
            }
        )
        for process in each.processes
    )
    waiting = RUNS["cpu"]().model_copy(
        update={"measurements": (each.model_copy(update={"processes": slow}),)}
    )
    replaced(monkeypatch, waiting)
    code, out, _ = call("bench", "reduced", "--strict")
    assert code == 4
    assert "DOUBTFUL (noisy_host)" in out
    assert "ms wall), " in out.splitlines()[-1]


def test_no_order_rests_on_an_assumed_time_of_the_host(call: Call) -> None:
    slow, _ = costcalc.predict("googlenet", "vgg16", on=["h200"], mode="eager").found
    assert {slow.prediction.bound, slow.prediction.orders} == {"host", False}
    _, out, _ = call("compare", "googlenet", "vgg16", "--on", "h200", "--by", "formula")
    assert "TOO CLOSE TO CALL on h200 at batch 1" in out
    assert "too small to fill a GPU" in out
    _, out, _ = call("budget", "googlenet", "--latency", "9s", "--on", "h200")
    assert "too small to fill a GPU" in out
    # the range of such a prediction is that of the assumption
    assert slow.prediction.high == pytest.approx(3 * slow.prediction.host_s)
    assert slow.prediction.low == pytest.approx(
        max(0.5 * slow.prediction.host_s, 0.75 * slow.prediction.device_s)
    )


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"batch": ()}, "no batch given"),
        ({"batch": [True]}, "whole number"),
        ({"batch": 10**12}, "whole number from 1 to"),
        ({"on": []}, "takes an architecture and a device"),
        ({"layout": "nhwc"}, "did you mean 'nchw'"),
        ({"calibrations": "/no/such/file.json"}, "no such file"),
    ],
)
def test_what_python_gives_is_checked_as_at_the_prompt(wrong: dict[str, Any], said: str) -> None:
    given: dict[str, Any] = {"on": "t4", "batch": 4, **wrong}
    with pytest.raises(CostcalcError, match=said):
        costcalc.predict("naive", **given)
    assert costcalc.predict("naive", on="T4", batch=4).found[0].batch == 4


@pytest.mark.parametrize("effect", [float("nan"), -1.0, 1.0])
def test_a_smallest_effect_is_a_share(effect: float) -> None:
    path = str(HERE / "data" / "made-up-gpu.json")
    with pytest.raises(CostcalcError, match="smallest effect"):
        costcalc.compare_runs(path, path, min_effect=effect)


def test_a_calibration_is_of_so_many_threads() -> None:
    run = made_up.run(timing.ANCHORS, device="cpu", batches=(1,), processes=1)
    entry = calibration.fitted(run, 1e-6, 1e10, 5e10)
    found = [calibration.find(made_up.CPU, "fp32", "eager", "nchw", [entry], threads) for threads in (1, 2)]
    assert found == [entry, None]


def test_anchors_that_wait_for_the_host_are_left_out() -> None:
    run = made_up.run(timing.ANCHORS, batches=(32,), processes=1, mode="eager")  # 0.9 of the GPU's time
    with pytest.raises(CostcalcError, match="wait for the host"):
        calibration.fitted(run, 1e-9, 1e12, 1e14)
    assert calibration.fitted(made_up.run(timing.ANCHORS, batches=(32,), processes=1), 1e-9, 1e12, 1e14)


def test_an_interruption_is_told(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replaced(monkeypatch, RUNS["poor"]())
    path = tmp_path / "run.json"
    assert f"what was measured is saved in {path}" in call("bench", "reduced", "--save", str(path))[2]
    assert "--save FILE would keep it" in call("bench", "reduced")[2]

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(bench, "run", interrupted)
    code, out, err = call("bench", "reduced")
    assert (code, out, err) == (130, "", "costcalc: interrupted\n")


def test_what_was_refused_is_told_beside_what_was_measured(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    replaced(monkeypatch, RUNS["cpu"]().model_copy(update={"refused": ("nets:Nope: made up",)}))
    code, out, _ = call("bench", "reduced")
    assert code == 1
    assert out.splitlines()[-1] == "REFUSED: nets:Nope: made up."
    assert call("bench", "reduced", "--strict")[0] == 1
