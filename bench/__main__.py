"""Run all benchmarks, write the JSON, print the table, draw docs/bench/*.svg.

    python -m bench [--quick] [--json FILE] [PYTEST ARGUMENTS]

``--read FILE`` prints and draws an earlier run. Ratios below 1 are printed like the others.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench import drawing, table

FOLDER = Path(__file__).parent
DOCS = FOLDER.parent / "docs" / "bench"


def main() -> int:
    """Return pytest's exit status; what was measured is shown even where a benchmark failed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter runs; nothing is drawn")
    parser.add_argument("--json", type=Path, default=FOLDER.parent / "build" / "bench" / "bench.json")
    parser.add_argument("--read", type=Path, help="print and draw an earlier run")
    parser.add_argument(
        "--markdown", action="store_true", help="print the table as docs/bench/README.md has it"
    )
    arguments, rest = parser.parse_known_args()
    status = 0
    if arguments.read is None:
        # Whole runs take what `pytest bench/` leaves out for its length.
        length = ["--quick"] if arguments.quick else ["-m", "slow or not slow"]
        status = _run(arguments.json, [*length, *rest])
    path = arguments.read or arguments.json
    run = json.loads(path.read_text()) if path.exists() else {}
    if not run:
        return status or 1
    if arguments.markdown:
        sys.stdout.write(table.markdown(run) + "\n")
    else:
        table.show(run)
    if not arguments.quick and not rest:
        for drawn in drawing.draw(run, DOCS):
            sys.stdout.write(f"drawn: {drawn}\n")
    sys.stdout.write(f"all figures: {path}\n")
    return status


def _run(path: Path, rest: list[str]) -> int:
    """One pytest a stage, so that one that fails takes no other with it; all they measured in one file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    chosen = [a for a in rest if "bench_" in a and Path(a.split("::")[0]).exists()]
    options = [a for a in rest if a not in chosen]
    stages = chosen or sorted(map(str, FOLDER.glob("bench_*.py")))
    whole: dict[str, Any] = {}
    status = 0
    for i, stage in enumerate(stages, 1):
        sys.stdout.write(f"stage {i} of {len(stages)}: {Path(stage).name}\n")
        sys.stdout.flush()
        status = _stage(stage, path.with_suffix(".stage"), options) or status
        whole = _with(whole, path.with_suffix(".stage"))
        path.write_text(json.dumps(whole))
    return status


def _stage(stage: str, out: Path, options: list[str]) -> int:
    out.unlink(missing_ok=True)
    silent = ["--benchmark-columns=rounds", "--benchmark-min-rounds=1"]
    # A process of its own: what one stage loads or leaves behind is not there in the next.
    command = [sys.executable, "-m", "pytest", stage, "-p", "no:cacheprovider", f"--benchmark-json={out}"]
    return subprocess.run([*command, *silent, *options], check=False).returncode


def _with(whole: dict[str, Any], out: Path) -> dict[str, Any]:
    if not out.exists() or not out.stat().st_size:
        return whole
    stage = json.loads(out.read_text())
    out.unlink()
    return (whole or stage) | {"benchmarks": [*whole.get("benchmarks", []), *stage["benchmarks"]]}


if __name__ == "__main__":
    sys.exit(main())
