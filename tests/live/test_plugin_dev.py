"""``ondijon plugin dev`` as an author uses it: a save is taken over, one that does not fit harms nothing."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from adapters.cityimport.command import generate_city
from adapters.cli.plugin.new import write

ONDIJON = Path(sys.executable).with_name("ondijon")


class Author:
    """Somebody who edits ``footfall.py`` while it runs, and reads what the terminal says."""

    def __init__(self, folder: Path, until: Callable[..., None]) -> None:
        self.file, _ = write("footfall", False, folder)
        self.source = self.file.read_text().replace("LOOK_S = 5.0", "LOOK_S = 1.0")
        self.file.write_text(self.source)
        self._until = until
        self._said = folder / "said.txt"
        with self._said.open("wb") as said:
            self.process = subprocess.Popen(
                [
                    ONDIJON,
                    "plugin",
                    "dev",
                    self.file,
                    "--city",
                    folder / "city",
                    "--headless",
                    "--speed",
                    "2",
                ],
                stdout=said,
                stderr=said,
            )
        self._read = 0

    def save(self, *changes: tuple[str, str]) -> None:
        """The first version with some changes."""
        source = self.source
        for old, new in changes:
            assert old in source, old
            source = source.replace(old, new)
        self._read = len(self._all())
        self.file.write_text(source)

    def reads(self, words: str) -> str:
        """Wait until so much was said since the last save; return the line."""

        def said() -> bool:
            assert self.process.poll() is None, self._all()
            return words in self._all()[self._read :]

        try:
            self._until(said, f"it says {words!r}")
        except AssertionError as error:
            raise AssertionError(f"{error}: {self._all()}") from None
        at = self._all().index(words, self._read)
        self._read = at + len(words)
        return self._all()[self._all().rfind("\n", 0, at) + 1 :].partition("\n")[0]

    def _all(self) -> str:
        return self._said.read_text("utf-8")

    def end(self) -> str:
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)
        return self._all()


@pytest.fixture
def author(tmp_path: Path, until: Callable[..., None]) -> Iterator[Author]:
    generate_city(tmp_path / "city", 7, lamps=600)
    made = Author(tmp_path, until)
    yield made
    if made.process.poll() is None:
        made.end()


LOOK = "    settings = fixed.settings\n"
BATCH = "    seen = batch.of(PRESENCE)\n"


def test_saves_are_taken_over_and_what_does_not_fit_harms_nothing(author: Author) -> None:
    author.reads("footfall.py: save, and it is taken over.")
    assert "presence_sensor.presence ×" in author.reads("on_batch")
    assert author.reads("Publish footfall.communes ×").split()[1:3] == ["on_tick", "look"]

    # A hook that raises is named with its line, and its state is put back; the batches go on.
    author.save((LOOK, LOOK + "    1 / 0\n"), (BATCH, BATCH + "    state.people[0] = 1e6\n"))
    author.reads("taken over in")
    line = 1 + author.file.read_text()[: author.file.read_text().index("1 / 0")].count("\n")
    author.reads(
        f"raised: ZeroDivisionError('division by zero') at footfall.py:{line}; its state was put back"
    )
    author.reads("on_batch")

    # What cannot be read is named with its line; the last good one goes on.
    author.save((LOOK, LOOK + "    1 /\n"))
    said = author.reads("The last good one goes on.")
    assert f"footfall.py:{line - 1}: cannot be imported: invalid syntax." in said
    author.reads("raised: ZeroDivisionError")

    # So does a state that no longer fits.
    grown = ("    full: np.ndarray\n\n\nDECLARATION", "    full: np.ndarray\n    looks: int\n\n\nDECLARATION")
    author.save(grown)
    said = author.reads("The last good one goes on.")
    assert "Object missing required field `looks`" in said
    assert "a higher state_version, and a migrate()" in said
    author.reads("raised: ZeroDivisionError")

    # And a refusal at load.
    author.save(
        ('code="crowds_full"'.replace("crowds", "footfall") + ", priority", 'code="lamp_fault", priority')
    )
    assert "both declare alarm 'lamp_fault'" in author.reads("The last good one goes on.")

    # With its migrate the state is taken along.
    hook = "@hookimpl\ndef migrate(state):\n    return {**state, 'looks': 7}\n\n\n@hookimpl\ndef on_batch"
    told = "    raise RuntimeError(f'kept {state.people[0] > 1e5} {state.looks}')\n"
    kept = [
        grown,
        ("state=State,", "state=State,\n    state_version=2,"),
        ("    begun = State(", "    begun = state or State("),
        ("np.zeros(len(fixed.sensor), bool))", "np.zeros(len(fixed.sensor), bool), 0)"),
        ("@hookimpl\ndef on_batch", hook),
    ]
    author.save(*kept, (LOOK, LOOK + told))
    author.reads("taken over in")
    author.reads("raised: RuntimeError('kept True 7') at footfall.py:")

    # One that ends its process is tried again; the next save is taken at once.
    author.save((LOOK, LOOK + "    import os\n    os._exit(3)\n"))
    said = author.reads("The last good one goes on.")
    assert "stored by version 2 of the state, this plugin knows 1" in said
    author.save(*kept, (LOOK, LOOK + "    import os\n    os._exit(3)\n"))
    author.reads("the kernel ended with status 3 and is tried again.")
    author.save(*kept)
    author.reads("taken over in")
    author.reads("Publish footfall.communes ×")

    said = author.end()
    assert author.process.returncode == 0, said
    assert "Traceback" not in said


def test_one_that_cannot_begin_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def declare(:\n")
    command = [ONDIJON, "plugin", "dev", tmp_path / "broken.py", "--headless", "--seconds", "5"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 78
    assert ended.stderr.startswith(f"ondijon: plugin broken, {tmp_path}/broken.py:1: cannot be imported: ")
    assert ended.stderr.count("\n") == 1
