"""Builds the limit loop on demand, with the flags of the kernel's own extensions, into a cache outside the wheel."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import sysconfig
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

SOURCE = Path(__file__).with_name("_limit.pyx")
CACHE = SOURCE.parent.parent / "build" / "bench"

#: Those of setup.py: the limit may not be better compiled than what is held against it.
FLAGS = ["-O3", "-std=c11", "-D_GNU_SOURCE", "-fno-math-errno"]


def load() -> Any:
    """The module ``bench._limit``, built where its source or this Python changed."""
    path = _library()
    if not path.exists():
        _build(path)
    spec = importlib.util.spec_from_file_location("bench._limit", path)
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _library() -> Path:
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    key = hashlib.sha256(SOURCE.read_bytes() + repr((FLAGS, suffix)).encode()).hexdigest()[:16]
    return CACHE / key / f"_limit{suffix}"


def _build(path: Path) -> None:
    from Cython.Build import cythonize
    from setuptools import Distribution, Extension
    from setuptools.command.build_ext import build_ext

    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        source = shutil.copy(SOURCE, folder)
        extension = Extension("_limit", [source], extra_compile_args=FLAGS, libraries=["dl"])
        modules = cythonize([extension], build_dir=folder, quiet=True)
        command = build_ext(Distribution({"ext_modules": modules}))
        command.build_lib = command.build_temp = folder
        command.ensure_finalized()
        command.run()
        # Whole or not at all: two runs may build at once.
        os.replace(next(Path(folder).glob("_limit*.so")), path)
