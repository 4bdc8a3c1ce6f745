"""``ondijon demo`` as people run it: its report, its page, and a real city."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import websockets

from adapters.cityimport.command import generate_city
from tests import montpellier

ONDIJON = Path(sys.executable).with_name("ondijon")

SAMPLES = ("sent", "received", "applied", "unchanged", "conflated", "refused", "lost")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small city made by the generator."""
    folder = tmp_path_factory.mktemp("demo") / "city"
    generate_city(folder, 7, lamps=600)
    return folder


def complete(report: dict[str, Any], lamps: int) -> None:
    """The report holds all that it promises, and every sample stands somewhere."""
    samples = report["samples"]
    assert all(isinstance(samples[name], int) for name in SAMPLES)
    assert samples["sent"] == samples["received"] + samples["lost"] > lamps
    inside = sum(samples[name] for name in ("applied", "unchanged", "conflated", "refused"))
    assert samples["received"] == inside
    assert (samples["lost"], samples["refused"], report["refused_by_reason"]) == (0, 0, {})
    assert report["batches"] > 0
    lighting = report["hooks"]["lighting"]
    assert lighting["calls"] > 0
    assert lighting["errors"] == 0
    assert 0 < lighting["p50_us"] <= lighting["p99_us"]
    assert report["lighting"]["lamps"] == lamps
    assert report["lighting"]["commands"] > 0
    assert {"dimmed", "energy_kwh"} <= set(report["lighting"])
    kwh = report["lighting"]["energy_kwh"]
    assert set(kwh) == {"reference", "always_on", "calendar", "modelled", "metered"}
    assert all(value >= 0 for value in kwh.values())
    for name in ("sample_to_dirty", "sample_to_hook", "step", "presence_to_command"):
        times = report["latency_us"][name]
        assert 0 < times["p50"] <= times["p99"] <= times["p999"]
    assert {"kernel", "edge-telemetry", "edge-events", "simulator-0"} <= set(report["processes"])
    for used in report["processes"].values():
        assert used["cpu_s"] > 0
        assert used["rss_max_mib"] > 0
        assert used["starts"] == 1
    assert report["speed_reached"] > 0
    assert {"cpu", "cores", "python"} <= set(report["machine"])
    assert re.fullmatch(r"\d+\.\d+\.\d+", report["version"])
    assert report["faults"] == []


def run(seconds: float, *options: object) -> tuple[dict[str, Any], str]:
    """The report of a headless demo, and what it printed."""
    report = Path(options[-1])  # type: ignore[arg-type]
    command = [ONDIJON, "demo", "--headless", "--seconds", str(seconds), *map(str, options[:-1])]
    ended = subprocess.run(
        [*command, "--report", report], capture_output=True, text=True, timeout=seconds + 120
    )
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = json.loads(report.read_bytes())
    return found, " ".join(ended.stderr.split())


def test_a_headless_demo_reports_what_it_did(town: Path, tmp_path: Path) -> None:
    report, said = run(6, "--city", town, "--seed", 3, "--speed", 10, tmp_path / "r.json")
    complete(report, 600)
    kwh = report["lighting"]["energy_kwh"]
    assert kwh["reference"] > kwh["always_on"] > kwh["calendar"] > 0
    assert kwh["metered"] > 0
    assert (report["seed"], report["speed_asked"]) == (3, 10.0)
    assert "Balanced: sent = received + lost" in said


@pytest.mark.slow
def test_the_generated_city_of_dijons_size(tmp_path: Path) -> None:
    report, said = run(20, "--seed", 0, tmp_path / "r.json")
    complete(report, 34_000)
    assert "Balanced: sent = received + lost" in said


@pytest.mark.slow
@pytest.mark.skipif(bool(montpellier.MISSING), reason=montpellier.MISSING)
def test_montpellier_lives(tmp_path: Path) -> None:
    city = tmp_path / "montpellier"
    found = montpellier.imported(city)
    report, said = run(10, "--city", city, tmp_path / "r.json")
    complete(report, found.counts["lamp"])
    assert "Balanced: sent = received + lost" in said


async def look(address: str) -> tuple[dict[str, Any], dict[str, bytes]]:
    """A status and the layers, as a browser gets them."""
    layers: dict[str, bytes] = {}
    async with websockets.connect(address.replace("http", "ws") + "live", open_timeout=20) as socket:
        status = json.loads(await asyncio.wait_for(socket.recv(), 20))
        while not layers or status is None or not status["ready"]:
            message = await asyncio.wait_for(socket.recv(), 20)
            if isinstance(message, str):
                status = json.loads(message)
            else:
                layers[message[:32].strip(b" \0").decode()] = message[32:]
    return status, layers


@pytest.mark.slow
def test_the_page_shows_the_living_city(town: Path, tmp_path: Path, until: Callable[..., None]) -> None:
    output = (tmp_path / "demo.txt").open("w+")
    demo = subprocess.Popen(
        [ONDIJON, "demo", "--city", town, "--port", "0", "--report", tmp_path / "r.json"],
        stdout=output,
        stderr=subprocess.STDOUT,
    )
    said = Path(output.name).read_text

    def greeted() -> re.Match[str] | None:
        assert demo.poll() is None, said()
        return re.search(r"The city runs: (http://\S+/)", said())

    try:
        until(greeted, "it greets")
        found = greeted()
        assert found
        address = found[1]
        with urllib.request.urlopen(address, timeout=20) as page:
            assert "default-src 'self'" in page.headers["Content-Security-Policy"]
            assert b"/static/" in page.read()
        with urllib.request.urlopen(address + "about.json", timeout=20) as answer:
            assert json.loads(answer.read())["counts"]["lamp"] == 600
        for path in ("streets.bin", "assets/lamp.bin", "static/page.js"):
            with urllib.request.urlopen(address + path, timeout=20) as answer:
                assert len(answer.read()) > 1000
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(address + "assets/unicorn.bin", timeout=20)
        status, layers = asyncio.run(look(address))
        assert status["edges"]["telemetry"]["received"] > 0
        assert len(layers["lamp.level"]) == 600
        assert set(layers["lamp.level"]) != {255}, "something is known of the lamps"
    finally:
        demo.send_signal(signal.SIGINT)
        demo.wait(60)
        output.close()
    assert demo.returncode == 0, Path(output.name).read_text()
    complete(json.loads((tmp_path / "r.json").read_bytes()), 600)
