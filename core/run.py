"""A run: what every process of one post shares, written once by the supervisor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from core import keys
from core.clock import Clock, Origin
from core.config import (
    EdgesConfig,
    GateConfig,
    JournalConfig,
    PrivacyConfig,
    RecordConfig,
    SecurityConfig,
    WorkersConfig,
)
from core.errors import ConfigError

FILE = "run.json"


class Endpoints(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where gateways connect (TCP): ``telemetry`` takes frames, ``control`` shakes hands, ``events`` the rest.

    ``partners`` is for those who follow.
    """

    telemetry: str
    control: str
    events: str
    partners: str = ""


class Run(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One run of the post. ``folder`` holds its sockets and reports; ``memory_fd`` is inherited by kernel and edge.

    ``in_workers`` are the plugins with a process of their own.
    ``trace`` names the plugin whose hooks are told beside the status, for its author; in production it is none.
    """

    folder: Path
    city: Path
    data: Path
    plugins: list[str]
    plugin_folder: Path | None
    plugin_config: dict[str, dict[str, Any]]
    adapter_config: dict[str, dict[str, Any]]
    edges: EdgesConfig
    journal: JournalConfig = JournalConfig()
    gate: GateConfig = GateConfig()
    security: SecurityConfig = SecurityConfig()
    privacy: PrivacyConfig = PrivacyConfig()
    record: RecordConfig = RecordConfig()
    workers: WorkersConfig = WorkersConfig()
    in_workers: list[str] = []
    origin: Origin
    step_us: int
    seed: int
    endpoints: Endpoints
    memory_fd: int
    trace: str = ""

    @property
    def kernel_ipc(self) -> str:
        """The kernel's door for edges."""
        return f"ipc://{self.folder}/kernel"

    @property
    def desk_ipc(self) -> str:
        """The kernel's desk for operators' tools."""
        return f"ipc://{self.folder}/desk"

    @property
    def login_ipc(self) -> str:
        """Where the login process answers."""
        return f"ipc://{self.folder}/login"

    @property
    def status_ipc(self) -> str:
        """Where the kernel publishes its status and the map's layers."""
        return f"ipc://{self.folder}/status"

    @property
    def vault(self) -> Path:
        """The folder of the keys of personal values."""
        return self.data / "vault"

    @property
    def loans(self) -> Path:
        """The telemetry edge's door for loans."""
        return self.folder / "loans"

    @property
    def answers(self) -> Path:
        """The kernel's door for the answers to them."""
        return self.folder / "answers"

    @property
    def workers_path(self) -> Path:
        """The kernel's door for workers."""
        return self.folder / "workers"

    @property
    def register_path(self) -> Path:
        """The numbering that the edges load."""
        return self.folder / "register.msgpack"

    @property
    def assets_path(self) -> Path:
        """The register of assets as it is now, for the partners' edge."""
        return self.folder / "assets.msgpack"

    def keys(self, process: str) -> Path | None:
        """The key file of one of the post's own adapters, such as ``simulator-0``; None where nobody has a key."""
        return self.data / keys.FOLDER / f"{process}.key" if self.security.curve else None

    def clock(self) -> Clock:
        """City time of this run."""
        return Clock(self.origin)

    def report(self, process: str) -> Path:
        """Where ``process`` leaves its final figures."""
        return self.folder / f"report-{process}.json"

    def save(self) -> Path:
        """Write ``run.json`` into the folder."""
        path = self.folder / FILE
        path.write_bytes(msgspec.json.encode(self, enc_hook=str))
        return path


def load(folder: Path) -> Run:
    """Read the run of a folder. Raises ConfigError."""
    try:
        return msgspec.json.decode(
            (folder / FILE).read_bytes(), type=Run, dec_hook=lambda type, value: type(value)
        )
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigError(
            f"no run here: {error}.", where=str(folder), next="Processes are started by `ondijon run`."
        ) from error
