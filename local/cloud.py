"""The embedded cloud: starts and stops the emulator, the deployed stacks and the shim together.

The `home` folder holds the emulator's state, the jobs, logs, root's credentials, and `cloud.json` with the URLs for
clients. Only its owner can read it. If the emulator or the shim ends, the other one ends too.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from local.daemons import free_port, listen, start_emulator, start_shim, wait_for_emulator, wait_for_endpoints
from local.deployment.account import REGION, Keys, client, new_root
from local.deployment.catalog import LIMITS
from local.deployment.deploy import Deployment, deploy, images
from local.deployment.synthesis import ROOT, Assembly, synthesize
from local.processes import Daemon, Lifeline

NO_SHIM = "http://127.0.0.1:9"  # the discard port: refuses connections immediately
INVOKE_QUOTA_BYTES = 6_291_456  # SageMaker's documented default; settings can raise it
HOME = ROOT / ".dropscore" / "local"
Talk = Callable[[str], None]


@dataclass
class Clock:
    """Measures how many seconds each named step took."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - began


@dataclass(frozen=True)
class Cloud:
    """A started cloud, as saved in `cloud.json` and `processes.json`."""

    home: Path
    endpoint_url: str
    shim_url: str
    root: Keys
    outputs: dict[str, str]
    not_emulated: tuple[str, ...]
    digest: str
    emulator: Daemon
    shim: Daemon

    def stop(self) -> None:
        """Stop the shim, then the emulator: jobs write to the emulator while they end."""
        # First, so that no client finds a cloud that is ending.
        (self.home / "cloud.json").unlink(missing_ok=True)
        self.shim.stop()
        self.emulator.stop()
        (self.home / "processes.json").unlink(missing_ok=True)

    def client(self, service: str, **keys: str) -> Any:
        """A boto3 client with the credentials `keys`, by default root's."""
        is_shimmed = service in {"batch", "sagemaker-runtime"}
        return client(service, self.shim_url if is_shimmed else self.endpoint_url, **(keys or self.root))

    def environment(self) -> dict[str, str]:
        """Environment variables that point boto3 and the AWS CLI at this cloud, as root."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ENDPOINT_URL_BATCH": self.shim_url,
            "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": self.shim_url,
            "AWS_DEFAULT_REGION": REGION,
            **{name.upper(): value for name, value in self.root.items()},
        }

    @property
    def is_running(self) -> bool:
        return self.emulator.is_running and self.shim.is_running

    def save(self) -> None:
        root = {name.removeprefix("aws_"): value for name, value in self.root.items()}
        coordinates = {"endpoint_url": self.endpoint_url, "shim_url": self.shim_url, "region": REGION, **root}
        _write(self.home / "processes.json", asdict(self))
        _write(self.home / "cloud.json", {**coordinates, "outputs": self.outputs})


def find(home: Path = HOME) -> Cloud | None:
    """The cloud that was last started in `home`, running or not; None if there is none."""
    file = home / "processes.json"
    if not file.exists():
        return None
    kept = json.loads(file.read_text())
    if "root" not in kept:  # of an earlier release without root credentials: `up` restarts it
        kept |= {"root": {}, "digest": ""}
    daemons = {name: Daemon(**{**kept[name], "log": Path(kept[name]["log"])}) for name in ("emulator", "shim")}
    return Cloud(**{**kept, **daemons, "home": Path(kept["home"]), "not_emulated": tuple(kept["not_emulated"])})


def bring_up(home: Path, environ: Mapping[str, str], talk: Talk, clock: Clock) -> Cloud:
    """Return the running cloud of `home` if its deployment is current; otherwise restart it from its saved state."""
    cloud = find(home)
    if cloud is not None and cloud.is_running and cloud.digest == synthesize(environ).digest:
        talk("already up to date")
        return cloud
    if cloud is not None:
        cloud.stop()  # if one process was killed, the other one may still be running
    cloud = launch(home, environ, talk, clock)
    talk("not emulated:\n" + "\n".join(f"  - {note}" for note in cloud.not_emulated))
    return cloud


def launch(home: Path, environ: Mapping[str, str], talk: Talk, clock: Clock) -> Cloud:
    """Synthesize, start, deploy, and leave the cloud running. If a step fails, every started process is stopped."""
    with _bound(home, environ, talk, clock) as (cloud, lifeline):
        lifeline.release()
        lifeline.release()  # one byte for each of the two processes that watch it
        return cloud


@contextlib.contextmanager
def throwaway(home: Path, environ: Mapping[str, str], talk: Talk, clock: Clock) -> Iterator[Cloud]:
    """A cloud in an empty folder that ends with the `with` block, or when this process is killed."""
    with _bound(home, environ, talk, clock) as (cloud, _):
        try:
            yield cloud
        finally:
            with clock.step("stop"):
                cloud.stop()


@contextlib.contextmanager
def bare_emulator(home: Path) -> Iterator[tuple[str, Keys]]:
    """An emulator without any deployment that ends with the `with` block: its URL and its root credentials."""
    root = new_root()
    with contextlib.closing(Lifeline()) as lifeline:
        emulator, url = start_emulator(home, free_port(0), root, NO_SHIM, watches=[lifeline])
        try:
            wait_for_emulator(emulator, url, root)
            yield url, root
        finally:
            emulator.stop()


@contextlib.contextmanager
def exclusive(home: Path) -> Iterator[None]:
    """Hold the lock that lets only one `up` or `down` run at a time; a second one waits."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _bound(home: Path, environ: Mapping[str, str], talk: Talk, clock: Clock) -> Iterator[tuple[Cloud, Lifeline]]:
    """A cloud that ends with this process unless the lifeline is released."""
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)  # earlier releases created it readable by others
    started: list[Daemon] = []
    with contextlib.closing(Lifeline()) as lifeline:
        try:
            yield _launch(home, environ, talk, clock, lifeline, started), lifeline
        except BaseException:
            for daemon in reversed(started):
                daemon.stop()
            raise


def _launch(
    home: Path, environ: Mapping[str, str], talk: Talk, clock: Clock, lifeline: Lifeline, started: list[Daemon]
) -> Cloud:
    root = _root(home)
    ports = _last_ports(home)
    # The emulator's environment contains the shim's URL, so the shim's port must be known first.
    listening = listen(ports["shim"])
    # This process closes its ends below: from then on, only the two daemons hold them.
    emulators, shims = Lifeline(), Lifeline()
    with (
        contextlib.closing(listening),
        contextlib.closing(emulators),
        contextlib.closing(shims),
        ThreadPoolExecutor() as pool,
    ):
        listening_port = int(listening.getsockname()[1])
        shim_url = f"http://127.0.0.1:{listening_port}"
        # Synthesis is the slowest step, so the emulator starts meanwhile (decision 0055).
        synthesized = pool.submit(_synthesize, environ, clock)
        with clock.step("start the emulator"):
            port = free_port(ports["emulator"])
            watched = {"watches": [lifeline, shims], "holds": [emulators]}
            emulator, url = start_emulator(home, port, root, shim_url, **watched)
            started.append(emulator)
            wait_for_emulator(emulator, url, root)
        assembly, interpreters = synthesized.result()
        with clock.step("deploy"):
            deployment = deploy(assembly, url, root, home / "deployed.json", talk)
        with clock.step("start the model"):
            settings = _shim_settings(home, url, root, deployment, interpreters, assembly)
            shim = start_shim(home, settings, listening, watches=[lifeline, emulators], holds=[shims])
            started.append(shim)
            wait_for_endpoints(shim, shim_url, root)
    notes = (*deployment.not_emulated, *LIMITS)
    cloud = Cloud(home, url, shim_url, root, deployment.outputs, notes, assembly.digest, emulator, shim)
    cloud.save()
    _write(home / "ports.json", {"emulator": int(url.rsplit(":", 1)[1]), "shim": listening_port})
    return cloud


def _root(home: Path) -> Keys:
    """Root's credentials: created once, then kept with the cloud's state."""
    file = home / "root.json"
    if not file.exists():
        _write(file, new_root())
    root: Keys = json.loads(file.read_text())
    return root


def _synthesize(environ: Mapping[str, str], clock: Clock) -> tuple[Assembly, dict[str, dict[str, str]]]:
    with clock.step("synthesize"):
        assembly = synthesize(environ)
    with clock.step("environments"):
        return assembly, images(assembly)


def _shim_settings(
    home: Path,
    url: str,
    root: Keys,
    deployment: Deployment,
    interpreters: dict[str, dict[str, str]],
    assembly: Assembly,
) -> Path:
    resources = [
        {"type": item.type, "name": item.name, "arn": item.arn, "properties": item.properties}
        for item in deployment.shimmed
    ]
    settings = {
        "emulator_url": url,
        "root": root,
        "state": str(home / "shim"),
        "resources": resources,
        "images": interpreters,
        "max_payload_bytes": max(INVOKE_QUOTA_BYTES, assembly.max_payload_bytes),
    }
    _write(home / "shim.json", settings)
    return home / "shim.json"


def _last_ports(home: Path) -> dict[str, int]:
    """The previous start's ports, or 0. Deployed functions may hold queue URLs with the emulator's port."""
    file = home / "ports.json"
    return json.loads(file.read_text()) if file.exists() else {"emulator": 0, "shim": 0}


def _write(file: Path, value: Any) -> None:
    """Write JSON atomically, readable only by its owner because it holds credentials."""
    new = file.with_suffix(".new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600, exist_ok=False)
    new.write_text(json.dumps(value, indent=1, default=str))
    new.replace(file)
