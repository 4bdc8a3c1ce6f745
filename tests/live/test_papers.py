"""The paper pack of a real post: written beside it, and printed by hand while it runs and when it was killed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from adapters.cli.main import main
from adapters.papers import pack
from core.config import from_table
from tests.live.conftest import Post


def printed(*arguments: str) -> str:
    done = CliRunner().invoke(main, [*arguments])
    assert done.exit_code == 0, done.output
    return done.output


def test_the_post_on_paper(tmp_path: Path, table: Callable[..., dict[str, Any]]) -> None:
    wanted = table(tmp_path / "data", adapters={"papers": {"lang": "en"}})
    wanted["post"] |= {"plugins": ["coordination"]}
    wanted["post"].pop("plugin_folder")
    wanted["plugins"] = {}
    wanted["workers"] = {"trusted": ["coordination"]}
    post = Post(from_table(wanted, "the test", tmp_path), tmp_path / "data" / "run")
    index = tmp_path / "data" / "papers" / pack.INDEX
    try:
        post.supervisor.start()
        post.until(index.exists, "a pack is written")
        assert "is missing" not in index.read_text("utf-8")
        (first,) = pack.packs(index.parent)
        assert "Lost child" in (first / "3-fiches.html").read_text("utf-8")
        assert "Chain verified from record 1" in (first / "1-releve.html").read_text("utf-8")
        assert "Open cases (0)" in printed("handover", str(tmp_path / "data"), "--lang", "en")
        post.until(lambda: post.follower.status and post.status.ready, "the post goes on")
    finally:
        post.stop()
    assert "MAIN COURANTE — PETITE-VILLE" in printed("shift-log", str(tmp_path / "data"))
    assert "2-telephones.html" in printed("papers", str(tmp_path / "data"), "--out", str(tmp_path / "out"))
