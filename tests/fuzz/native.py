"""Builds the native extensions a second time, for fuzzing: with AddressSanitizer, UBSan and coverage feedback.

They go to build/fuzz/native, never over the ones that run; ``use`` puts them before those.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "fuzz"
NATIVE = BUILD / "native"
#: Reads behind its buffer on demand: what proves that AddressSanitizer watches.
OVERRUN = Path(__file__).with_name("overrun.pyx")

_FLAGS = [
    *("-O1", "-g", "-std=c11", "-D_GNU_SOURCE", "-fPIC", "-shared", "-fno-omit-frame-pointer"),
    "-fsanitize=address,undefined,fuzzer-no-link",
    # Cython's own scaffolding calls its functions through other types.
    "-fno-sanitize=function",
    "-fno-sanitize-recover=undefined",
]


def build(compiler: str) -> None:
    """Compile all whose library is older than any source. Raises CalledProcessError after the compiler's words."""
    NATIVE.mkdir(parents=True, exist_ok=True)
    fast = ROOT / "core" / "_fast"
    newest = max(
        path.stat().st_mtime for path in [*fast.glob("*.p[yx]*"), *fast.glob("*.h"), OVERRUN, Path(__file__)]
    )
    for source in [*sorted(fast.glob("*.pyx")), OVERRUN]:
        library = NATIVE / f"{source.stem}{sysconfig.get_config_var('EXT_SUFFIX')}"
        if not library.exists() or library.stat().st_mtime < newest:
            print(f"Building {source.stem} for fuzzing ...", flush=True)
            _compile(compiler, source, library)


def _compile(compiler: str, source: Path, library: Path) -> None:
    package = "core._fast." if source != OVERRUN else ""
    c_file = NATIVE / f"{source.stem}.c"
    directives = "boundscheck=False,wraparound=False,initializedcheck=False,cdivision=True"
    cython = [sys.executable, "-m", "cython", "-3", "-X", directives, "--module-name", package + source.stem]
    subprocess.run([*cython, str(source), "-o", str(c_file)], check=True, cwd=ROOT)
    paths = [f"-I{sysconfig.get_path('include')}", f"-I{source.parent}"]
    scratch = library.with_suffix(".new")
    subprocess.run([compiler, *_FLAGS, *paths, str(c_file), "-ldl", "-o", str(scratch)], check=True)
    shutil.move(scratch, library)


def use() -> None:
    """Let ``core._fast`` be the instrumented build in this process."""
    import core._fast

    core._fast.__path__.insert(0, str(NATIVE))
