"""docs/writing-a-plugin.md, followed to the letter: its files are written, its commands run, its output compared."""

from __future__ import annotations

import os
import queue
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

PAGE = Path(__file__).parent.parent / "docs" / "writing-a-plugin.md"

#: No single command of the page takes longer (s), on however slow a machine.
PATIENCE_S = 120.0


class Block(NamedTuple):
    """A fenced block: its language, its text, and the line it begins on."""

    language: str
    text: str
    line: int


def blocks(page: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    found = re.finditer(r"^```(\w+)\n(.*?)^```$", page, re.M | re.S)
    return [Block(m[1], m[2], page.count("\n", 0, m.start()) + 1) for m in found]


def commands(console: str) -> list[tuple[str, str]]:
    """The commands (``$ ``) of a console block, each with what it prints."""
    parts = re.split(r"^\$ (.*)\n", console, flags=re.M)
    assert not parts[0], f"output before a command: {parts[0]!r}"
    return list(zip(parts[1::2], parts[2::2], strict=True))


def alike(shown: str, real: str) -> bool:
    """Whether ``real`` is what the page shows, where ``...`` stands for anything."""
    return re.fullmatch(".*".join(map(re.escape, shown.split("..."))), real, re.S) is not None


class Shell:
    """One bash in which the commands run one after the other, as in a reader's terminal."""

    def __init__(self, folder: Path) -> None:
        # What this pytest was told is not what a reader's would be.
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")
        } | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "XDG_CACHE_HOME": str(folder / "cache"),
            # `pip install .` shall not touch the environment that runs the tests, nor the network.
            "PYTHONPATH": str(folder / "installed"),
            "PIP_TARGET": str(folder / "installed"),
            "PIP_NO_DEPS": "1",
            "PIP_NO_INDEX": "1",
            "PIP_NO_BUILD_ISOLATION": "0",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }
        self._bash = subprocess.Popen(
            ["bash", "--norc"],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=1,
        )
        self._lines: queue.Queue[str] = queue.Queue()
        self._step = 0
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._bash.stdout is not None
        for line in self._bash.stdout:
            self._lines.put(line)

    def run(self, command: str, timeout_s: float = PATIENCE_S) -> str:
        """What ``command`` prints. The exit status is kept for the next one's ``$?``."""
        assert self._bash.stdin is not None
        self._step += 1
        end = f"--- end of step {self._step} ---"
        self._bash.stdin.write(f"{command}\nkept=$?; echo '{end}'; (exit $kept)\n")
        until, out = time.monotonic() + timeout_s, ""
        while True:
            try:
                line = self._lines.get(timeout=max(until - time.monotonic(), 0))
            except queue.Empty:
                raise AssertionError(f"$ {command}\ndoes not end in {timeout_s:.0f} s:\n{out}") from None
            # A command need not end its last line.
            if line.rstrip("\n").endswith(end):
                return out + line.rstrip("\n").removesuffix(end)
            out += line

    def close(self) -> None:
        """End what still runs in the background, then the shell."""
        if self._bash.poll() is None:
            self.run("kill $(jobs -p) 2>/dev/null; wait")
            self._bash.terminate()
            self._bash.wait(10)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    shell = Shell(tmp_path)
    yield shell
    shell.close()


def on_free_ports(page: str) -> str:
    """The page with ports that are free on this machine."""
    for port in sorted(set(re.findall(r"\b570\d\b", page))):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            page = page.replace(port, str(listener.getsockname()[1]))
    return page


def test_the_tutorial_works_as_it_stands(tmp_path: Path, shell: Shell) -> None:
    page = on_free_ports(PAGE.read_text("utf-8"))
    ran = written = 0
    for block in blocks(page):
        where = f"{PAGE.name}:{block.line}"
        if block.language == "console":
            for command, shown in commands(block.text):
                real = shell.run(command)
                log = tmp_path / "post.log"
                assert alike(shown, real), (
                    f"{where}: $ {command}\nthe page shows\n{shown}\nbut it prints\n{real}\n"
                    f"{log.read_text() if log.exists() else ''}"
                )
                ran += 1
            continue
        first = block.text.partition("\n")[0]
        named = re.fullmatch(r"# ([\w.]+)(, goes on)?", first)
        assert named, f"{where}: a block begins with the name of its file, not with {first!r}"
        with (tmp_path / named[1]).open("a" if named[2] else "x", encoding="utf-8") as file:
            file.write(block.text + "\n\n" if block.language == "python" else block.text)
        written += 1
    assert ran >= 10
    assert written >= 10


def test_what_differs_is_seen(tmp_path: Path, shell: Shell) -> None:
    assert alike("a ... b\n", "a 12 b\n")
    assert not alike("a\n", "a\nb\n")
    assert commands("$ echo a\na\n$ true\n") == [("echo a", "a\n"), ("true", "")]
    assert shell.run("printf 'x\\ny'; false") == "x\ny"
    assert shell.run("echo $?") == "1\n"
    with pytest.raises(AssertionError, match="does not end in"):
        shell.run("sleep 1", timeout_s=0.2)
