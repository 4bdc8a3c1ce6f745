"""The figures of a run as pictures: docs/bench/*.svg."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

#: Okabe-Ito: told apart by everyone.
COLOURS = {
    "ondijon": "#D55E00",
    "limit": "#000000",
    "pyzmq_msgpack": "#0072B2",
    "pyzmq_numpy": "#56B4E9",
    "zenoh": "#009E73",
    "nats": "#CC79A7",
    "numpy_pickle": "#56B4E9",
    "msgpack_dict": "#0072B2",
}
NAMES = {
    "ondijon": "ondijon",
    "limit": "limit (bare loop)",
    "pyzmq_msgpack": "pyzmq + msgpack + dict",
    "pyzmq_numpy": "pyzmq + numpy",
    "zenoh": "zenoh",
    "nats": "nats-py",
    "numpy_pickle": "numpy, pickled",
    "msgpack_dict": "msgpack + dict",
    "ours": "ondijon",
    "numba": "numba",
    "scipy": "numpy + scipy",
    "frontier": "numpy frontier",
}

Infos = dict[str, dict[str, Any]]


def draw(run: dict[str, Any], folder: Path) -> Iterator[Path]:
    """Draw what the run has; yield the files."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams |= {"font.size": 9, "svg.hashsalt": "ondijon", "axes.spines.top": False}
    plt.rcParams |= {"axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.25}
    folder.mkdir(parents=True, exist_ok=True)
    infos = {b["name"].removeprefix("test_"): b["extra_info"] for b in run["benchmarks"]}
    pictures = {
        "fanin": _fanin,
        "connections": _connections,
        "handover": _handover,
        "latency": _latency,
        "gil": _gil,
        "dimming": _dimming,
    }
    for name, picture in pictures.items():
        figure = picture(plt, infos)
        if figure is None:
            continue
        figure.text(0.995, 0.005, _caption(run, infos), ha="right", va="bottom", fontsize=6, color="#555555")
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
        plt.close(figure)
        yield folder / f"{name}.svg"


def _caption(run: dict[str, Any], infos: Infos) -> str:
    cpu = run["machine_info"].get("cpu", {}).get("brand_raw", "")
    loads = [
        i["load"][0] if isinstance(i["load"], list) else i["load"] for i in infos.values() if "load" in i
    ]
    return (
        f"{cpu}, {run['machine_info']['ondijon']['usable_cpus']} CPUs, load {min(loads):.1f}-{max(loads):.1f}"
    )


def _peers(info: dict[str, Any], prefix: str) -> list[str]:
    return [key.removeprefix(prefix) for key in info if key.startswith(prefix) and "min" not in key]


def _fanin(plt: Any, infos: Infos) -> Any:
    wanted = [f"fanin[{n}-{s}]" for s in ("null", "curve") for n in (1, 64, 1024)]
    if not all(name in infos for name in wanted):
        return None
    figure, axes = plt.subplots(2, 3, figsize=(11, 5.6), sharex=True, layout="constrained")
    for axis, name in zip(axes.flat, wanted, strict=True):
        info = infos[name]
        order = [peer for peer in list(NAMES) if f"cpu_ns_{peer}" in info][::-1]
        values = [info[f"cpu_ns_{peer}"] for peer in order]
        _dots(axis, values, [COLOURS[p] for p in order], [NAMES[p] for p in order])
        for i, (peer, value) in enumerate(zip(order, values, strict=True)):
            ratio = info.get(f"ratio_to_{peer}")
            text = f" {value:,.0f}" if value >= 100 else f" {value:.1f}"
            axis.text(
                value * 1.3, i, text if ratio is None else f"{text} ({ratio:.3g}×)", va="center", fontsize=8
            )
        axis.set_xscale("log")
        axis.set_xlim(8, 1_500_000)
        n, security = info["samples_a_frame"], info["security"].upper()
        axis.set_title(f"{'single samples' if n == 1 else f'columnar, {n} a frame'}, {security}", fontsize=9)
        axis.grid(visible=False, axis="y")
    for axis in axes[:, 1:].flat:
        axis.set_yticklabels([])
    axes[1, 1].set_xlabel("consumer CPU, ns a sample (log scale)")
    figure.suptitle("Fan-in: CPU a sample, left is better; in brackets: times ours", fontsize=10)
    figure.get_layout_engine().set(rect=(0, 0.025, 1, 0.975))
    return figure


def _dots(axis: Any, values: list[float], colours: list[str], names: list[str]) -> None:
    # On a log scale a bar has no foot to stand on: dots, with a line to guide the eye.
    rows = range(len(values))
    axis.hlines(rows, 0.01, values, color="#cccccc", lw=1, zorder=1)
    axis.scatter(values, rows, color=colours, s=36, zorder=2)
    axis.set_yticks(rows, names)
    axis.set_ylim(-0.6, len(values) - 0.4)


def _plainly(*axes: Any) -> None:
    from matplotlib.ticker import FuncFormatter, NullFormatter

    for axis in axes:
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axis.set_minor_formatter(NullFormatter())


def _connections(plt: Any, infos: Infos) -> Any:
    found = [info for name, info in infos.items() if name.startswith("connections[")]
    if not found:
        return None
    figure, axis = plt.subplots(figsize=(7, 4.2), layout="constrained")
    for peer in ("ondijon", "limit", "pyzmq_numpy"):
        for security, line, mark in (("null", "-", "o"), ("curve", "--", "s")):
            rows = sorted(
                (i["connections"], i[f"cpu_us_a_frame_{peer}"]) for i in found if i["security"] == security
            )
            if rows:
                label = f"{NAMES[peer]}, {security.upper()}"
                axis.plot(*zip(*rows, strict=True), line, marker=mark, color=COLOURS[peer], label=label, ms=5)
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_ylim(8, 400)
    axis.set_yticks([10, 20, 50, 100, 200])
    _plainly(axis.xaxis, axis.yaxis)
    axis.set_xlabel("connections, 5 frames/s of 16 samples each (log scale)")
    axis.set_ylabel("consumer CPU, µs a frame (log scale)")
    axis.set_title("Many slow connections: a wake-up a frame, not decoding, is what costs", fontsize=10)
    axis.legend(fontsize=8)
    figure.get_layout_engine().set(rect=(0, 0.03, 1, 0.97))
    return figure


def _handover(plt: Any, infos: Infos) -> Any:
    found = [info for name, info in infos.items() if name.startswith("handover[")]
    if not found:
        return None
    figure, axis = plt.subplots(figsize=(7, 4.2), layout="constrained")
    for peer in ("ondijon", "numpy_pickle", "msgpack_dict"):
        for together, line, words in ((64, "-", "64 neighbours change at once"), (1, ":", "scattered")):
            rows = sorted((i["changed"], i[f"cpu_ns_{peer}"]) for i in found if i["together"] == together)
            if rows:
                label = f"{NAMES[peer]}, {words}"
                axis.plot(*zip(*rows, strict=True), line, marker="o", ms=4, color=COLOURS[peer], label=label)
    axis.axhline(15, color="#888888", lw=0.8, ls="--")
    axis.text(256, 15.5, "target 15 ns", fontsize=7, color="#555555", va="bottom")
    axis.set_xscale("log", base=2)
    axis.set_yscale("log")
    axis.set_ylim(5, 10_000)
    axis.set_xticks(sorted({i["changed"] for i in found}))
    _plainly(axis.xaxis, axis.yaxis)
    axis.set_xlabel("changed slots a hand-over, of 262,144 (log scale)")
    axis.set_ylabel("CPU of edge + kernel, ns a changed slot (log scale)")
    axis.set_title("Hand-over edge → kernel: collect, cross, copy, check, apply", fontsize=10)
    axis.legend(fontsize=7, loc="upper right", ncols=2)
    figure.get_layout_engine().set(rect=(0, 0.03, 1, 0.97))
    return figure


def _latency(plt: Any, infos: Infos) -> Any:
    wanted = ["dirty[1]", "dirty[64]", "hook"]
    if not all(name in infos for name in wanted):
        return None
    figure, axes = plt.subplots(1, 3, figsize=(11, 4.2), layout="constrained", width_ratios=[3, 3, 1.6])
    for axis, name in zip(axes, wanted, strict=True):
        info = infos[name]
        peers = _peers(info, "runs_us_")
        order = [peer for peer in NAMES if peer in peers]
        _all_runs(axis, info, order)
        axis.set_yscale("log")
        axis.set_title(_latency_title(name, info), fontsize=9)
    for axis in axes[:2]:
        axis.axhline(150, color="#888888", lw=0.8, ls="--")
        axis.text(2.48, 155, "target for p50: 150 µs", fontsize=7, color="#555555", va="bottom", ha="right")
    low, high = zip(*(axis.get_ylim() for axis in axes[:2]), strict=True)
    for axis in axes[:2]:
        axis.set_ylim(min(low), max(high))
    axes[2].axhline(60_000, color="#888888", lw=0.8, ls="--")
    axes[2].text(-0.48, 61_000, "target for p99: 60 ms", fontsize=7, color="#555555", va="bottom")
    axes[2].set_ylim(10_000, 110_000)
    axes[2].set_yticks([10_000, 20_000, 50_000, 100_000])
    _plainly(*(axis.yaxis for axis in axes))
    axes[0].set_ylabel("µs from the intended send time (log scale)")
    axes[0].legend(fontsize=8, loc="upper left", title="each run", title_fontsize=8)
    figure.suptitle("Latency in an open loop: every run is a mark", fontsize=10)
    figure.get_layout_engine().set(rect=(0, 0.03, 1, 0.97))
    return figure


def _all_runs(axis: Any, info: dict[str, Any], order: list[str]) -> None:
    for k, (p, mark, label) in enumerate((("p50", "o", "p50"), ("p99", "^", "p99"), ("p999", "x", "p99.9"))):
        for i, peer in enumerate(order):
            runs = [run[p] for run in info[f"runs_us_{peer}"]]
            at = [i + 0.16 * (k - 1) + 0.012 * (j - len(runs) / 2) for j in range(len(runs))]
            said = label if i == 0 else None
            axis.plot(at, runs, mark, color=COLOURS[peer], ms=4.5, alpha=0.75, label=said, ls="none")
    axis.set_xticks(range(len(order)), [NAMES[peer].replace(" (", "\n(") for peer in order], fontsize=8)
    axis.set_xlim(-0.5, len(order) - 0.5)
    axis.grid(visible=False, axis="x")


def _latency_title(name: str, info: dict[str, Any]) -> str:
    rate = f"{info['rate_samples_s'] / 1e3:,.0f} k samples/s"
    if name == "hook":
        return f"gateway → hook\n{rate}, 50 ms steps"
    frame = "single samples" if info["samples_a_frame"] == 1 else f"columnar {info['samples_a_frame']}"
    return f"sender → dirty set\n{frame}, {rate} (10 % of our peak)"


def _gil(plt: Any, infos: Infos) -> Any:
    if "gil" not in infos:
        return None
    info = infos["gil"]
    figure, axis = plt.subplots(figsize=(6.5, 2.7), layout="constrained")
    for i, (name, words) in enumerate((("held", "GIL held 20 ms of 50"), ("free", "GIL free"))):
        axis.barh(words, info[f"samples_s_{name}"] / 1e3, color="#D55E00" if name == "held" else "#999999")
        runs = [rate / 1e3 for rate in info[f"runs_samples_s_{name}"]]
        axis.plot(runs, [i] * len(runs), "|", color="black", ms=14)
    axis.axvline(info["offered_samples_s"] / 1e3, color="#888888", lw=0.8, ls="--")
    axis.set_xlim(0, info["offered_samples_s"] / 1e3 * 1.1)
    axis.set_xlabel(
        "thousand samples/s applied by the kernel's step\n(dashed: offered; ticks: each run; bar: median)"
    )
    axis.set_title(
        f"A trusted hook holds the GIL: {info['ratio_to_free']:.2f} of the rate without", fontsize=10
    )
    axis.grid(visible=False, axis="y")
    figure.get_layout_engine().set(rect=(0, 0.04, 1, 0.96))
    return figure


def _dimming(plt: Any, infos: Infos) -> Any:
    found = {name: i for name, i in infos.items() if name.startswith("tick[") and "ours_ns_per_lamp" in i}
    if not found:
        return None
    rows = 2 if len(found) > 3 else 1
    columns = -(-len(found) // rows)
    figure, axes = plt.subplots(
        rows, columns, figsize=(3.6 * columns, 2.6 * rows), layout="constrained", squeeze=False
    )
    # A column a size of city, a row a share of presence.
    for axis, (name, info) in zip(axes.flat if rows == 1 else axes.T.flat, found.items(), strict=False):
        order = [p for p in ("scipy", "frontier", "numba", "ours") if f"{p}_ns_per_lamp" in info]
        values = [info[f"{p}_ns_per_lamp"] for p in order]
        _dots(
            axis, values, ["#D55E00" if p == "ours" else "#0072B2" for p in order], [NAMES[p] for p in order]
        )
        for i, value in enumerate(values):
            axis.text(value * 1.25, i, f" {value:.3g}", va="center", fontsize=8)
        axis.set_xscale("log")
        axis.set_xlim(0.3, 300)
        _plainly(axis.xaxis)
        axis.set_xlabel("CPU, ns a lamp a tick (log scale)")
        axis.set_title(_tick(name), fontsize=9)
        axis.grid(visible=False, axis="y")
    figure.suptitle("One dimming tick of the whole city, left is better", fontsize=10)
    figure.get_layout_engine().set(rect=(0, 0.04, 1, 0.96))
    return figure


def _tick(name: str) -> str:
    numbers = re.findall(r"\d+\.?\d*", name)
    whole = [int(n) for n in numbers if "." not in n and int(n) > 1000]
    share = [float(n) for n in numbers if "." in n]
    return f"{whole[0]:,} lamps, {share[0]:.1%} present" if whole and share else name
