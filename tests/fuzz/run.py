"""One target under atheris, in a process that was started with AddressSanitizer preloaded (see __main__)."""

from __future__ import annotations

import contextlib
import sys

import atheris

from tests.fuzz import native

#: Python code whose edges guide the fuzzer beside those of the native extensions.
GUIDED = ["core", "adapters.cityimport", "shapefile", "tomllib"]


def main(name: str, guided: bool, options: list[str]) -> None:
    """Fuzz the target ``name``, or play the files among libFuzzer's ``options``.

    Not ``guided``: by the edges of the native extensions alone.
    """
    native.use()
    with atheris.instrument_imports(include=GUIDED) if guided else contextlib.nullcontext():
        from tests.fuzz import targets
    atheris.Setup([sys.argv[0], *options], targets.BY_NAME[name].check)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] == "guided", sys.argv[3:])
