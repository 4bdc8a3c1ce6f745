"""The report of a demo run: what really happened, counted at both ends."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table

from core._fast.ingest import FRAME_REFUSALS, SAMPLE_REFUSALS
from core.histogram import Histogram
from core.supervisor import Supervisor
from ondijon import __version__


def gather(supervisor: Supervisor, speed: float) -> dict[str, Any]:
    """The figures that every process left at its end. What a process did not leave is None, never zero."""
    run = supervisor.run
    edge = _read(run.report("telemetry")).get("counts", {})
    kernel = _read(run.report("kernel"))
    parts = [_read(run.report(p.name)) for p in supervisor.processes if p.name.startswith("simulator-")]
    sent = sum(part["sent"] for part in parts) if parts and all("sent" in part for part in parts) else None
    latency = kernel.get("latency_us", {}) | {"presence_to_command": _command_latency(parts)}
    return {
        "samples": {"sent": sent}
        | {name: edge.get(name) for name in ("received", "applied", "unchanged", "conflated")}
        | {"refused": sum(edge.get(name, 0) for name in SAMPLE_REFUSALS), "lost": edge.get("lost")}
        | {"unaccounted": edge.get("unaccounted", 0 if edge else None)},
        "refused_by_reason": {
            name: edge[name] for name in (*SAMPLE_REFUSALS, *FRAME_REFUSALS) if edge.get(name)
        },
        "batches": kernel.get("counts", {}).get("batches"),
        "hooks": kernel.get("hooks"),
        "lighting": _lighting(kernel),
        "latency_us": latency,
        "processes": {p.name: msgspec.to_builtins(p.figures) for p in supervisor.processes},
        "steps": kernel.get("steps"),
        "steps_skipped": kernel.get("skipped"),
        "alarms": kernel.get("alarms"),
        "faults": kernel.get("faults"),
        "speed_asked": speed,
        "speed_reached": min((part.get("speed_reached", 0.0) for part in parts), default=None),
        "machine": machine(),
        "seed": run.seed,
        "simulated": "all devices, walkers and vehicles; the post, its edges and the wire are real",
        "version": __version__,
    }


def _read(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = msgspec.json.decode(path.read_bytes())
    except (OSError, msgspec.DecodeError):
        return {}
    return found


def _command_latency(parts: list[dict[str, Any]]) -> dict[str, float | None]:
    counts = [
        np.array(part["presence_to_command"]["counts"], np.uint64)
        for part in parts
        if "presence_to_command" in part
    ]
    return Histogram(np.sum(counts, axis=0, dtype=np.uint64) if counts else None).summary()


#: The ledger's accounts, as the report names them.
ACCOUNTS = ("reference", "always_on", "calendar", "modelled", "metered")


def _lighting(kernel: dict[str, Any]) -> dict[str, Any]:
    views = kernel.get("views", {})
    summary = views.get("lighting.summary", {}).get("city", {})
    energy = views.get("lighting.energy", {}).get("city", {})
    kwh = {f"{account}_kwh": account for account in ACCOUNTS}
    return {
        "lamps": summary.get("lamps"),
        "dimmed": summary.get("dimmed"),
        "commands": kernel.get("counts", {}).get("commands"),
        "energy_kwh": {account: energy.get(key) for key, account in kwh.items()},
        "ledger": {key: value for key, value in energy.items() if key not in kwh},
        "summary": summary,
    }


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    model = platform.processor()
    try:
        for row in Path("/proc/cpuinfo").read_text().splitlines():
            if row.startswith("model name"):
                model = row.partition(":")[2].strip()
                break
    except OSError:
        pass
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
        "python": platform.python_version(),
    }


def show(result: dict[str, Any], console: Console) -> None:
    """Print the report for people."""
    samples = result["samples"]
    table = Table("samples", "", title="What the run did")
    for name, n in samples.items():
        table.add_row(name, "unknown" if n is None else f"{n:,}")
    console.print(table)
    console.print(balance(result))
    seconds = Table("process", "CPU s", "memory MiB", "starts")
    for name, used in result["processes"].items():
        seconds.add_row(name, f"{used['cpu_s']:.1f}", f"{used['rss_max_mib']:.0f}", str(used["starts"]))
    console.print(seconds)
    reached = result["speed_reached"]
    console.print(
        f"speed asked {result['speed_asked']}, reached {'unknown' if reached is None else f'{reached:.2f}'}"
    )


def balance(result: dict[str, Any]) -> str:
    """One sentence: does every sample stand somewhere?"""
    samples: dict[str, int | None] = result["samples"]
    if any(n is None for n in samples.values()):
        return "The samples cannot be balanced: a process left no figures."
    n = {name: count or 0 for name, count in samples.items()}
    inside = n["received"] == n["applied"] + n["unchanged"] + n["conflated"] + n["refused"]
    # What came too late for its session stands under `lost` or `unaccounted` already.
    known = (
        n["received"] - result["refused_by_reason"].get("unknown_session", 0) + n["lost"] + n["unaccounted"]
    )
    if not inside or n["sent"] != known:
        return f"NOT balanced: sent {n['sent']:,}, received + lost {known:,}."
    dead = f" {n['unaccounted']:,} of them went to an edge that died." if n["unaccounted"] else ""
    return f"Balanced: sent = received + lost, received = applied + unchanged + conflated + refused.{dead}"
