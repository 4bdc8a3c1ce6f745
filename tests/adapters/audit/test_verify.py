"""The auditor's program against journals that somebody touched."""

from __future__ import annotations

import ast
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.audit import verify
from adapters.cli.main import main
from core import chain, checkpoint, journal
from core.journal import Record, SqliteJournal

RECORDS = 60


def write(folder: Path, witness: Path, n: int = RECORDS) -> str:
    """A journal of ``n`` records with a signed head each ten; return its verifier key."""
    witness.mkdir(exist_ok=True)
    made = SqliteJournal(folder, name="test", witness=[witness])
    for i in range(0, n, 10):
        made.append([Record("event", i, i, b"record %d" % j) for j in range(i, min(i + 10, n))])
        while made.durable().local < min(i + 10, n):
            pass
    made.close()
    return (folder / "audit.pub").read_text()


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str]:
    folder = tmp_path_factory.mktemp("honest")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal, "SIGN_RECORDS", 10)
        key = write(folder / "data", folder / "witness")
    return folder / "data", folder / "witness", key


def test_what_was_written_is_found(honest: tuple[Path, Path, str]) -> None:
    data, witness, key = honest
    found = verify.check(data, key, witness)
    assert (found.first, found.last, found.records, found.heads, found.witnessed) == (1, 60, 60, 6, 6)
    assert found.sealed == 60
    assert "60 records, 1 to 60" in found.sentence()


def touched(honest: tuple[Path, Path, str], folder: Path, *statements: str) -> Path:
    """A copy of the honest data after some statements of SQL."""
    copy = folder / "data"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(honest[0], copy)
    with sqlite3.connect(copy / "journal.sqlite") as db:
        for statement in statements:
            db.execute(statement)
    return copy


@pytest.mark.parametrize(
    ("statements", "why"),
    [
        (["UPDATE journal SET data = x'00' WHERE seq = 1"], "are not those that were written"),
        (["UPDATE journal SET utc = utc + 1 WHERE seq = 60"], "are not those that were written"),
        (["UPDATE journal SET kind = 'command' WHERE seq = 33"], "are not those that were written"),
        (["UPDATE journal SET step = 7 WHERE seq = 10"], "are not those that were written"),
        (["DELETE FROM journal WHERE seq = 20"], "record 20 is missing"),
        (["DELETE FROM journal WHERE seq <= 5"], "the post did not say that it forgot them"),
        (
            ["DELETE FROM journal WHERE seq <= 10", "DELETE FROM checkpoint WHERE seq < 10"],
            "the post did not say that it forgot them",
        ),
        (["DELETE FROM journal WHERE seq > 55"], "the journal ends with 55"),
        (
            ["DELETE FROM journal", "DELETE FROM checkpoint"],
            "was shown to the witness; the journal ends with 0",
        ),
        (
            ["DELETE FROM journal WHERE seq > 50", "DELETE FROM checkpoint WHERE seq > 50"],
            "60 records was shown to the witness; the journal ends with 50",
        ),
        (
            [
                "UPDATE journal SET seq = 1000 WHERE seq = 11",
                "UPDATE journal SET seq = 11 WHERE seq = 12",
                "UPDATE journal SET seq = 12 WHERE seq = 1000",
            ],
            "are not those that were written",
        ),
        (["UPDATE checkpoint SET head = zeroblob(32) WHERE seq = 30"], "stands at 30"),
        (["UPDATE checkpoint SET seq = 31 WHERE seq = 30"], "the signed head of 30 records stands at 31"),
        (["UPDATE checkpoint SET note = replace(note, 'test', 'tset')"], "is not signed by 'test'"),
        (["UPDATE checkpoint SET note = 'nothing'"], "cannot be read"),
        (["UPDATE journal SET data = NULL WHERE seq = 9"], "cannot be"),
        (["DROP TABLE checkpoint"], "the journal cannot be read"),
    ],
)
def test_what_was_touched_is_found(
    honest: tuple[Path, Path, str], tmp_path: Path, statements: list[str], why: str
) -> None:
    statements = [s for s in statements if "NULL" not in s] or [
        "CREATE TABLE j AS SELECT * FROM journal",
        "DROP TABLE journal",
        "ALTER TABLE j RENAME TO journal",
        *statements,
    ]
    copy = touched(honest, tmp_path, *statements)
    with pytest.raises(verify.ForgedError, match=why):
        verify.check(copy, honest[2], honest[1])


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_change_of_any_byte_stays_unseen(honest: tuple[Path, Path, str], tmp_path_factory, data) -> None:
    column = data.draw(st.sampled_from(["kind", "step", "utc", "data"]))
    seq = data.draw(st.integers(1, RECORDS))
    wrong = {
        "kind": st.text(min_size=1, max_size=5).filter(lambda t: t != "event" and "\0" not in t),
        "step": st.integers(100, 1 << 40),
        "utc": st.integers(100, 1 << 40),
        "data": st.binary(max_size=12),
    }[column]
    copy = touched(honest, tmp_path_factory.mktemp("touched"))
    with sqlite3.connect(copy / "journal.sqlite") as db:
        db.execute(f"UPDATE journal SET {column} = ? WHERE seq = ?", (data.draw(wrong), seq))
    with pytest.raises(verify.ForgedError):
        verify.check(copy, honest[2], None)


def test_a_journal_written_anew_with_the_key_shows_beside_the_witness_alone(
    honest: tuple[Path, Path, str], tmp_path: Path
) -> None:
    copy = touched(honest, tmp_path, "UPDATE journal SET data = x'00' WHERE seq = 42")
    signer, head = checkpoint.Signer(copy / "audit.key", "test"), chain.GENESIS
    with sqlite3.connect(copy / "journal.sqlite") as db:
        rows = db.execute("SELECT seq, kind, step, utc, data FROM journal ORDER BY seq").fetchall()
        for row in rows:
            head = chain.linked(head, *row)
            if row[0] % 10 == 0:
                note = signer.sign(row[0], head)
                db.execute("UPDATE checkpoint SET head = ?, note = ? WHERE seq = ?", (head, note, row[0]))
    assert verify.check(copy, honest[2], None).heads == 6, "alone it cannot be told"
    with pytest.raises(verify.ForgedError, match="the witness was shown another head of 50 records"):
        verify.check(copy, honest[2], honest[1])


def test_another_key_is_not_believed(honest: tuple[Path, Path, str], tmp_path: Path) -> None:
    other = checkpoint.Signer(tmp_path / "other.key", "test")
    with pytest.raises(verify.ForgedError, match="is not signed by"):
        verify.check(honest[0], checkpoint.verifier_key("test", other.public), None)
    for key in ("", "test", "test+00000000+", honest[2].replace("test+", "tset+")):
        with pytest.raises(verify.ForgedError, match="verifier key cannot be read"):
            verify.verify(honest[0], key)
    with pytest.raises(verify.ForgedError, match="this witness was shown nothing"):
        verify.check(honest[0], honest[2], tmp_path)


def test_the_program_uses_nothing_of_the_kernel_and_runs_alone(
    honest: tuple[Path, Path, str], tmp_path: Path
) -> None:
    source = Path(verify.__file__)
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(source.read_text()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= {*sys.stdlib_module_names, "cryptography"}
    alone = shutil.copy(source, tmp_path / "verify.py")
    command = [sys.executable, alone, honest[0], "--witness", honest[1]]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "60 records" in done.stdout


def test_the_command_says_where(honest: tuple[Path, Path, str], tmp_path: Path) -> None:
    fine = CliRunner().invoke(main, ["audit", "verify", str(honest[0]), "--witness", str(honest[1])])
    assert fine.exit_code == 0, fine.output
    copy = touched(honest, tmp_path, "DELETE FROM journal WHERE seq = 20")
    wrong = CliRunner().invoke(main, ["audit", "verify", str(copy)])
    assert wrong.exit_code == 1
    assert "record 20 is missing: 21 follows 19." in wrong.output
    none = CliRunner().invoke(main, ["audit", "verify", str(tmp_path / "nowhere")])
    assert none.exit_code == 1
