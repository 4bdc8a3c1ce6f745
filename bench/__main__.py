"""Run all benchmarks, write the JSON, print the table, draw docs/bench/*.svg.

    python -m bench [--quick] [--json FILE] [PYTEST ARGUMENTS]

``--read FILE`` prints and draws an earlier run. Ratios below 1 are printed like the others.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import pytest

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
        status = _run(arguments.json, [*(["--quick"] if arguments.quick else []), *rest])
    path = arguments.read or arguments.json
    if not path.exists():
        return status or 1
    run = json.loads(path.read_text())
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
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    chosen = [
        argument for argument in rest if "bench_" in argument and Path(argument.split("::")[0]).exists()
    ]
    where = [] if chosen else [str(FOLDER)]
    silent = ["--benchmark-columns=rounds", "--benchmark-min-rounds=1"]
    return int(pytest.main([*where, "-p", "no:cacheprovider", f"--benchmark-json={path}", *silent, *rest]))


if __name__ == "__main__":
    sys.exit(main())
