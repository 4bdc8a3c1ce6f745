"""``make fuzz``: every decoder that bytes from outside reach, under AddressSanitizer, UBSan and atheris.

The native extensions are built a second time into build/fuzz. A finding is written there, the command that
repeats it is printed, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.fuzz import native
from tests.fuzz.target import Target, cases
from tests.fuzz.targets import ALL, BY_NAME

CORPUS, FINDINGS = native.BUILD / "corpus", native.BUILD / "findings"

#: What a decoder may take for one input: a single allocation, the whole process, seconds.
MALLOC_MIB, RSS_MIB, INPUT_S = 64, 1536, 20

#: Before fuzzing, the native edges alone are watched over so many inputs.
PROOF_RUNS = 3000

#: A line of progress this often (s).
PROGRESS_S = 15.0

_STATUS = re.compile(r"^#(\d+)\s+\w+\s+cov: (\d+)")
_COUNTERS = re.compile(r"Loaded \d+ modules? +\((\d+) inline")

console = Console(soft_wrap=True, highlight=False)


@dataclass
class Outcome:
    """What a run of one target came to: inputs, edges at its first and last status, its output if it failed."""

    target: str
    runs: int = 0
    first: int = 0
    edges: int = 0
    seconds: float = 0.0
    failed: bool = False
    output: str = ""


def main() -> int:
    """Prove that the fuzz build watches, fuzz each target for its share of the time, print the table."""
    arguments = _arguments()
    FINDINGS.mkdir(parents=True, exist_ok=True)
    native.build(arguments.compiler)
    if arguments.input:
        outcome = _run(arguments.target[0], [str(arguments.input)])
        console.print(outcome.output, markup=False)
        return int(outcome.failed)
    _prove()
    chosen = [BY_NAME[name] for name in arguments.target] or list(ALL)
    shares = sum(target.share for target in chosen)
    outcomes = [_fuzz(target, arguments.seconds * target.share / shares) for target in chosen]
    console.print(_table(outcomes))
    return int(any(outcome.failed for outcome in outcomes))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", nargs="*", help=f"some of {', '.join(BY_NAME)}; all by default")
    parser.add_argument("--seconds", type=float, default=60.0, help="of fuzzing, all targets together")
    parser.add_argument("--input", type=Path, help="play this one file to the target and say all")
    parser.add_argument("--compiler", default="clang")
    arguments = parser.parse_args()
    if unknown := set(arguments.target) - set(BY_NAME):
        parser.error(f"no target is called {', '.join(sorted(unknown))}; there are {', '.join(BY_NAME)}")
    if arguments.input and len(arguments.target) != 1:
        parser.error("--input needs the one target it is for")
    return arguments


# -- the proof that it watches


def _prove() -> None:
    """Exit with a sentence unless faults are caught, harmless code is not, and native edges guide."""
    for call, words in (
        ("overrun.read(10, 10)", "heap-buffer-overflow"),
        ("overrun.wrap(1)", "signed integer overflow"),
        ("overrun.read(10, 9), overrun.wrap(0)", ""),
    ):
        code = f"import sys; sys.path.insert(0, {str(native.NATIVE)!r}); import overrun; {call}"
        command = [sys.executable, "-c", code]
        result = subprocess.run(command, env=_environment(), capture_output=True, text=True, check=False)
        if words not in result.stderr or bool(result.returncode) != bool(words):
            sys.exit(
                f"The fuzz build says of {call}, where {words or 'nothing'!r} is right:\n{result.stderr}"
            )
    proof = _run("frames", [f"-runs={PROOF_RUNS}", "-seed=1"], guided=False)
    counters = _COUNTERS.search(proof.output)
    if proof.failed or not counters or proof.edges <= proof.first:
        sys.exit(f"The native extensions give no feedback, or break at once:\n{proof.output}")
    console.print(
        f"Proved: an overrun and a signed wrap are caught; of {counters[1]} native edges alone the fuzzer saw "
        f"{proof.first} at first and {proof.edges} after {PROOF_RUNS} inputs."
    )


# -- one target


def _fuzz(target: Target, seconds: float) -> Outcome:
    corpus = CORPUS / target.name
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in [*target.seeds(), *(path.read_bytes() for path in cases(target.name))]:
        (corpus / hashlib.sha256(seed).hexdigest()).write_bytes(seed)
    before = set(FINDINGS.iterdir())
    options = [f"-max_total_time={max(round(seconds), 1)}", f"-max_len={target.longest}", str(corpus)]
    outcome = _run(target.name, options)
    console.print(
        f"{target.name}: {outcome.runs:,} inputs, {outcome.edges:,} edges, {outcome.seconds:.0f} s"
        f"{': FAILED' if outcome.failed else ''}"
    )
    if outcome.failed:
        console.print(outcome.output[-6000:], markup=False)
        for path in sorted(set(FINDINGS.iterdir()) - before):
            shown = path.relative_to(native.ROOT)
            console.print(
                f"Repeat it: {sys.executable} -m tests.fuzz {target.name} --input {shown}", markup=False
            )
    return outcome


def _run(target: str, options: list[str], *, guided: bool = True) -> Outcome:
    """Start libFuzzer on a target, follow what it says, wait for its end."""
    command = [sys.executable, "-m", "tests.fuzz.run", target, "guided" if guided else "native"]
    command += [f"-malloc_limit_mb={MALLOC_MIB}", f"-rss_limit_mb={RSS_MIB}", f"-timeout={INPUT_S}"]
    command += [f"-artifact_prefix={FINDINGS}/{target}-", "-report_slow_units=1000", *options]
    outcome = Outcome(target)
    began = told = time.monotonic()
    with subprocess.Popen(
        command,
        cwd=native.ROOT,
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            outcome.output += line
            if status := _STATUS.match(line):
                outcome.runs, outcome.edges = int(status[1]), int(status[2])
                outcome.first = outcome.first or outcome.edges
                if time.monotonic() - told > PROGRESS_S:
                    told = time.monotonic()
                    console.print(f"  {target}: {outcome.runs:,} inputs, {outcome.edges:,} edges so far")
    outcome.seconds = time.monotonic() - began
    outcome.failed = process.returncode != 0
    return outcome


def _environment() -> dict[str, str]:
    atheris = importlib.util.find_spec("atheris")
    if atheris is None or atheris.origin is None:
        sys.exit("atheris is missing here: run `make fuzz`, which installs requirements-fuzz.lock.")
    return os.environ | {
        "LD_PRELOAD": str(Path(atheris.origin).parents[1] / "asan_with_fuzzer.so"),
        # Python never gives back all it took: leaks say nothing here.
        "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1:quarantine_size_mb=32",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        # Each object of its own from malloc: else Python's pools hide an overrun from the sanitizer.
        "PYTHONMALLOC": "malloc",
        "PYTHONWARNINGS": "ignore",
    }


def _table(outcomes: list[Outcome]) -> Table:
    table = Table("target", box=None)
    for name in ("inputs", "a second", "edges of the seeds", "edges", "seconds", "finding"):
        table.add_column(name, justify="right")
    for o in outcomes:
        rate = f"{o.runs / max(o.seconds, 1e-9):,.0f}"
        finding = "yes" if o.failed else "none"
        table.add_row(
            o.target, f"{o.runs:,}", rate, f"{o.first:,}", f"{o.edges:,}", f"{o.seconds:.0f}", finding
        )
    table.add_row("all", f"{sum(o.runs for o in outcomes):,}")
    return table


if __name__ == "__main__":
    sys.exit(main())
