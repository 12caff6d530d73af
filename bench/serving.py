"""Compare rows per second of our model server and others, on the same cores, with the same model and rows.

`python -m bench.serving [--rounds N] [--seconds S]`. All servers are running; each round measures one after the other.
The order rotates by one per round, so that a busy machine affects all equally. Prints medians over the rounds.
"""

from __future__ import annotations

import argparse
import platform
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import xgboost

from bench.models import Workload, workloads
from bench.servers import CORES, RIVALS_IN_ORDER, Running, running

CLIENTS = (1, 4)
COLUMNS = "| server | clients | rows/s | ours is | ms per request | scores |\n|---|---|---|---|---|---|"


@dataclass(frozen=True)
class Round:
    rows_per_second: float
    milliseconds: float


def measure(server: Running, rows: int, clients: int, seconds: float) -> Round:
    """Each client repeats the request until the time is up. A request in progress by then still counts."""
    started = time.perf_counter()
    end, taken = started + seconds, list[float]()
    barrier = threading.Barrier(clients)

    def run(_: int) -> None:
        with closing(server.connect()) as connection:
            barrier.wait(10)
            while (now := time.perf_counter()) < end:
                server.ask(connection)
                taken.append(time.perf_counter() - now)

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(run, range(clients)))
    elapsed = time.perf_counter() - started
    return Round(len(taken) * rows / elapsed, median(taken) * 1000)


def verdict(server: Running, workload: Workload) -> str:
    """Compare the scores with those of `Booster.predict`. This also warms up the server."""
    with closing(server.connect()) as connection:
        scores = [server.rival.decode(server.ask(connection)) for _ in range(4)][-1]
    if scores.shape != workload.scores.shape:
        return f"{scores.shape} instead of {workload.scores.shape}"
    worst = float(np.abs(scores - workload.scores).max())
    return "bit-equal" if scores.tobytes() == workload.scores.tobytes() else f"off by up to {worst:.1g}"


def ceiling(workload: Workload, times: int = 9) -> float:
    """Return the upper bound of rows per second: prediction alone, without parsing and formatting."""
    booster = xgboost.Booster({"nthread": CORES}, model_file=workload.folder / "model.ubj")
    rows, taken = workload.rows.astype(np.float32), []
    for _ in range(times):
        started = time.perf_counter()
        booster.inplace_predict(rows)
        taken.append(time.perf_counter() - started)
    return len(rows) / median(taken)


def rounds(
    servers: Sequence[Running], workload: Workload, clients: int, count: int, seconds: float
) -> dict[str, list[Round]]:
    found: dict[str, list[Round]] = {server.rival.name: [] for server in servers}
    for number in range(count):
        first = number % len(servers)
        for server in (*servers[first:], *servers[:first]):
            found[server.rival.name].append(measure(server, len(workload.rows), clients, seconds))
    return found


def compare(workload: Workload, count: int, seconds: float) -> Iterator[str]:
    rows, columns = workload.rows.shape
    yield f"\n{workload.name}; a request of {rows} rows × {columns} columns, {len(workload.body)} bytes\n"
    yield f"XGBoost alone, rows already float32, {CORES} threads: {ceiling(workload):,.0f} rows/s\n"
    yield COLUMNS
    with ExitStack() as stack:
        servers = [stack.enter_context(running(rival, workload)) for rival in RIVALS_IN_ORDER]
        verdicts = {server.rival.name: verdict(server, workload) for server in servers}
        for clients in CLIENTS:
            found = rounds(servers, workload, clients, count, seconds)
            ours = found[RIVALS_IN_ORDER[0].name]
            for name, theirs in found.items():
                yield _line(name, clients, ours, theirs, verdicts[name])


def _line(name: str, clients: int, ours: Sequence[Round], theirs: Sequence[Round], scores: str) -> str:
    """The ratio is the median of the rounds' ratios, because both values of a round are measured seconds apart."""
    speed = median(measured.rows_per_second for measured in theirs)
    ratio = median(our.rows_per_second / their.rows_per_second for our, their in zip(ours, theirs, strict=True))
    latency = median(measured.milliseconds for measured in theirs)
    times = "" if ours is theirs else f"{ratio:.1f} ×"
    return f"| {name} | {clients} | {speed:,.0f} | {times} | {latency:.0f} | {scores} |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.serving", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.7, help="how long each server is measured per round")
    options = parser.parse_args()
    print(f"{CORES} cores, {platform.machine()}, {options.rounds} rounds of {options.seconds} s")
    with tempfile.TemporaryDirectory() as scratch:
        for workload in workloads(Path(scratch)):
            for line in compare(workload, options.rounds, options.seconds):
                print(line, flush=True)


if __name__ == "__main__":
    main()
