"""``ONDIJON_NATIVE`` names the folder of another build to test: `make test-checked` says it."""

from __future__ import annotations

import os
from pathlib import Path

import core._fast

if "ONDIJON_NATIVE" in os.environ:
    folder = Path(os.environ["ONDIJON_NATIVE"]).resolve()
    core._fast.__path__.insert(0, str(folder))
    from core._fast import dimming, ingest, slots

    assert {Path(module.__file__).parent for module in (dimming, ingest, slots)} == {folder}
