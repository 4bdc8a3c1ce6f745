"""Builds the native extensions, one for each .pyx of core/_fast; all else stands in pyproject.toml.

``ONDIJON_CHECKED=1`` keeps Cython's bounds checks in, for the checked test build (`make test-checked`).
"""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

CHECKED = os.environ.get("ONDIJON_CHECKED") == "1"

EXTENSIONS = [
    Extension(
        f"core._fast.{source.stem}",
        [str(source)],
        extra_compile_args=["-O3", "-std=c11", "-D_GNU_SOURCE", "-fno-math-errno"],
        include_dirs=[str(source.parent)],
        libraries=["dl"],
        depends=[str(header) for header in source.parent.glob("*.h")],
    )
    for source in sorted(Path("core/_fast").glob("*.pyx"))
]

setup(
    ext_modules=cythonize(
        EXTENSIONS,
        # Apart, or each of the two builds would compile what the other one translated.
        build_dir="build/checked/c" if CHECKED else None,
        compiler_directives={
            "language_level": "3",
            "boundscheck": CHECKED,
            "wraparound": CHECKED,
            "initializedcheck": CHECKED,
            "cdivision": True,
        },
    )
)
