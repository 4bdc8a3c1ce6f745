"""`ondijon partner new`: the folder it makes follows a running post as it is."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from core import allowlist
from core.person import ANY, Role
from tests.live.test_zeromq_js import MODULES, NODE


def test_a_sandbox_follows_the_post(post: Any, quick: Any, tmp_path: Path) -> None:
    post.start(gateways=1)
    data, folder = post.run.data, tmp_path / "transit"
    said = quick("partner", "new", "transit", "--data", data, "--topic", "asset", "--out", folder)
    assert said.exit_code == 0, said.output
    (key,) = allowlist.load(allowlist.path(data)).named("transit")
    assert (key.role, key.rights) == ("partner", (Role(ANY, ANY, ("asset",)),))
    assert key.fingerprint in said.output
    assert (folder / "transit.key").stat().st_mode & 0o777 == 0o600
    commands = [
        line.split()
        for line in (folder / "README.md").read_text().splitlines()
        if line.startswith(("python ", "node "))
    ]
    programs = {"python": sys.executable}
    if NODE is not None and MODULES.is_dir():
        (folder / "node_modules").symlink_to(MODULES)
        programs["node"] = NODE
    for program, *arguments in commands:
        if program not in programs:
            continue
        endpoint = arguments.index("tcp://HOST:PORT")
        arguments[endpoint] = post.run.endpoints.partners
        output = (tmp_path / f"{program}.txt").open("w+")
        running = subprocess.Popen([programs[program], *arguments], cwd=folder, stdout=output)
        ids = post.city.assets.ids
        seen = "L0030" if program == "python" else f'"whole":true,"sequence":0,"rows":{len(ids)}'
        try:
            post.until(lambda: seen in Path(output.name).read_text(), f"{program} follows")  # noqa: B023
        finally:
            running.send_signal(signal.SIGTERM)
            running.wait(10)
            output.close()


def test_a_sandbox_says_where_the_post_listens(quick: Any, tmp_path: Path, write: Any, serve: Any) -> None:
    service = serve(write())
    folder = tmp_path / "history"
    said = quick(
        "partner", "new", "history", "--data", service.run.data, "--out", folder, "--trade", "lighting"
    )
    assert said.exit_code == 0, said.output
    assert service.run.endpoints.partners in (folder / "README.md").read_text()


def test_a_second_sandbox_of_a_name_is_refused(quick: Any, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    made = [quick("partner", "new", "p", "--data", data, "--out", tmp_path / out) for out in ("a", "a", "b")]
    assert [each.exit_code for each in made] == [0, made[1].exit_code, made[2].exit_code]
    assert 0 not in (made[1].exit_code, made[2].exit_code)
    assert not (tmp_path / "b").exists()
