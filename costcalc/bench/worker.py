"""The process that measures: ``python -m costcalc.bench.worker`` takes a job on standard input.

It tells events on standard output, line by line; whatever a model prints goes to standard error.
"""

from __future__ import annotations

import gc
import io
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from statistics import median
from typing import Any, TypeVar

import torch

from costcalc.bench import building, capturing, insitu, nvml, possible, probing
from costcalc.bench.building import Network, Source
from costcalc.bench.configured import affinity, configured
from costcalc.bench.devices import Cpu, Cuda, Host, Own, peak
from costcalc.bench.environment import environment
from costcalc.bench.messages import Began, Done, Event, Failed, Job, Measured, Phase, Placed, Refused, line
from costcalc.errors import ENVIRONMENT, CostcalcError
from costcalc.latency import harness, series
from costcalc.latency.harness import said
from costcalc.latency.runs import Measurement, Memory, Process, Round, Settings, Status

Tell = Callable[[Event], None]
BETTER = 1.03  # throughput of twice the batch, below which doubling it further is no use
NO_GPU = (
    "no CUDA device; `--device cpu` measures the CPU, `costcalc predict NAME --on h200` predicts without one"
)


REFUSALS = (
    "DefaultCPUAllocator",
    "can't allocate memory",
    "out of memory",
    "ALLOC_FAILED",
    "Storage size calc",
)
T = TypeVar("T")


class DeviceLostError(Exception):
    """After an error of CUDA every later call fails in this process: a fresh one is to take what is left."""


class UnsupportedError(Exception):
    """A network cannot be compiled, or captured as a CUDA graph."""


def main() -> None:
    """Do the job on standard input; a parent that is gone ends it without a word."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent too, which ends this process
    own = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def tell(event: Event) -> None:
        own.write(line(event))
        own.flush()

    try:
        job = Job.model_validate_json(sys.stdin.buffer.read())
        text = job.subject.text if job.subject else ""
        sys.stdin = io.TextIOWrapper(io.BytesIO(text.encode()))  # where a spec named "-" is read from
        torch.set_num_interop_threads(1)
        perform(job, tell)
    except CostcalcError as error:
        tell(Refused.of(error))
    except DeviceLostError:
        os._exit(0)  # all is told; the interpreter's own end would only fail on the device
    except BrokenPipeError:
        os._exit(1)  # nobody is left to hear of it


def perform(job: Job, tell: Tell) -> None:
    """Do a job; raises :class:`CostcalcError` for what cannot be done at all."""
    how, allowed = placed(job.settings), affinity()
    with configured(how):
        monitor = _monitor(how)
        tell(Placed(device=how.device, environment=environment(how, monitor, allowed)))
        if job.task == "check":
            for each in job.subjects:
                building.source(each, how).described((job.batches or (1,))[0])
        elif job.task == "probe":
            tell(probing.probed(how, Own() if how.device == "cpu" and how.threads == 1 else Host()))
        elif job.subject is not None:
            tell(Phase(phase="building"))
            _Bench(building.source(job.subject, how), how, job, monitor, tell).all()


def placed(how: Settings) -> Settings:
    """The settings with a device that is there; raises :class:`CostcalcError` if none can do it."""
    possible.check(how)
    kind, _, index = how.device.partition(":")
    is_gpu = torch.cuda.is_available() if kind != "cpu" else False
    if kind == "cuda" and not is_gpu:
        raise CostcalcError(NO_GPU, ENVIRONMENT)
    how = how.model_copy(update={"device": f"cuda:{index or 0}" if is_gpu else "cpu"})
    possible.check(how)
    if is_gpu:
        count = torch.cuda.device_count()
        if int(index or 0) >= count:
            raise CostcalcError(
                f"--device {how.device}: there are only cuda:0 to cuda:{count - 1}", ENVIRONMENT
            )
        torch.cuda.set_device(how.device)
        possible.check_gpu(how, torch.cuda.get_device_name(), torch.cuda.get_device_capability())
    return how


def _monitor(how: Settings) -> nvml.Monitor | str | None:
    """What asks the driver of a GPU, or why it cannot be asked; None on a CPU."""
    return None if how.device == "cpu" else nvml.monitor(str(torch.cuda.get_device_properties().uuid))


class _Bench:
    """One architecture, measured at its batches one after the other."""

    def __init__(
        self, source: Source, how: Settings, job: Job, monitor: nvml.Monitor | str | None, tell: Tell
    ) -> None:
        self.source = source
        self.how = how
        self.job = job
        self.monitor = monitor
        self.tell = tell
        self.clock = Host()

    def all(self) -> None:
        """Every batch, or twice the last as long as it pays."""
        if self.job.batches is not None:
            for batch in self.job.batches:
                self.at(batch)
            return
        batch, best = 1, 0.0
        while (rate := self.at(batch)) >= best * BETTER and rate:
            batch, best = 2 * batch, rate

    def at(self, batch: int) -> float:
        """Measure at a batch; samples a second, 0 where nothing could be measured."""
        rate = self._told(self.source.described(batch))
        self._clean()
        return rate

    def _told(self, measurement: Measurement) -> float:
        """Measure, and tell how that ended."""
        self.tell(Began(measurement=measurement))
        try:
            process = self._measured(measurement)
        except UnsupportedError as error:
            self._fail("unsupported", str(error), error.__cause__ or error)
        except (CostcalcError, BrokenPipeError):
            raise
        except (Exception, SystemExit) as error:  # the model's own, or torch's
            self._fail("oom" if is_out_of_memory(error) else "error", said(error), error)
        else:
            self.tell(Done(process=process))
            samples = series.of_process(process, series.steering(process.rounds))
            return measurement.batch / median(samples) if samples else 0.0
        return 0.0

    def _fail(self, status: Status, reason: str, error: BaseException) -> None:
        self.tell(Failed(status=status, reason=reason))
        if is_of_cuda(error):
            raise DeviceLostError from error

    def _clean(self) -> None:
        """Give back what this batch took: what the next finds reserved is its own."""
        gc.collect()
        if self.how.device != "cpu":
            try:
                torch.cuda.synchronize()  # raises what went wrong in blocks or memory, if it stays
                torch.cuda.empty_cache()
            except RuntimeError as error:
                raise DeviceLostError from error

    def _measured(self, measurement: Measurement) -> Process:
        self.tell(Phase(phase="building"))
        if self.how.device == "cpu":
            _check_memory(measurement, building.HALVES.get(self.how.dtype, torch.float32).itemsize)
        network = self.source.network(measurement)  # its constructor may want gradients
        with torch.inference_mode():
            return self._timed(network.tried())

    def _timed(self, network: Network) -> Process:
        self.tell(Phase(phase="preparing"))
        began = self.clock.now()
        device = self._device(network)
        prepared = None if self.how.mode == "eager" else self.clock.now() - began
        self.tell(Phase(phase="warming up"))
        started, began = datetime.now(timezone.utc).isoformat(timespec="seconds"), self.clock.now()

        def tell(last: Round) -> None:
            self.tell(Measured(round=last, started=started, elapsed=self.clock.now() - began))

        process = harness.measure(
            device, self.clock, self.how.rules, self.job.index, started, tell, blocks=self.how.blocks
        )
        about = {"prepare_s": prepared, "load": self.job.load, "pressure": self.job.pressure}
        return process.model_copy(update=about)

    def _device(self, network: Network) -> harness.Device:
        """The network as the mode wants it run."""
        is_gpu, run, used = self.how.device != "cpu", network.run, None
        if self.how.mode == "compile":
            run, in_situ = _compiled(network), insitu.fused
        elif self.how.mode == "graph":
            run, used = _captured(network)
            in_situ = partial(insitu.by_graph_events, torch, network.module, network.run, network.where)
        elif is_gpu:
            in_situ = partial(insitu.by_events, torch, network.module, network.run, network.where)
        else:
            by = partial(insitu.by_clock, "wall clock", self.clock)
            if self.how.threads == 1:
                by = partial(insitu.by_clock, "CPU time", Own())
            in_situ = partial(by, network.module, network.run, network.where)
        if not is_gpu:
            return Cpu(run, in_situ, network.weights, self.how.threads)
        asked = self.monitor.telemetry if isinstance(self.monitor, nvml.Monitor) else lambda: None
        return Cuda(torch, self.clock, run, in_situ, network.weights, asked, used)


def _compiled(network: Network) -> Callable[[], object]:
    """Passes of the network, compiled for these shapes alone."""
    torch.compiler.reset()
    module: Any = torch.compile(network.module, dynamic=False)
    run = replace(network, module=module).run
    _prepared("compiled", run)
    return run


def _captured(network: Network) -> tuple[Callable[[], object], Memory]:
    """Replays of the network's CUDA graph, and the memory that its capture took."""
    graphs: list[Any] = []

    def capture() -> None:
        graphs.append(capturing.capture(torch, network.run))

    used = _prepared("captured as a CUDA graph", partial(peak, torch.cuda, capture, network.weights))
    return graphs[0].replay, used


def _prepared(what: str, prepare: Callable[[], T]) -> T:
    """What a compiler or a capture gives; the network itself has run before, so what fails is theirs."""
    try:
        return prepare()
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise UnsupportedError(f"it cannot be {what}: {said(error)}") from error


def _check_memory(measurement: Measurement, bytes_each: int) -> None:
    """Refuse on a CPU what cannot fit: the system would lend memory that it lacks, then end some process."""
    if not hasattr(os, "sysconf"):
        return
    needed = (measurement.params + measurement.peak_activations) * bytes_each
    there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > there:
        raise MemoryError(f"it takes {needed / 2**30:,.1f} GiB at least, and there are {there / 2**30:,.1f}")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an allocator refused, of whatever device; torch's on a CPU tells it by words alone."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in REFUSALS)


def is_of_cuda(error: BaseException) -> bool:
    """Whether an error is the device's, and not torch's: most of them leave nothing that works."""
    return isinstance(error, torch.AcceleratorError) or "CUDA error" in str(error)


if __name__ == "__main__":
    main()
