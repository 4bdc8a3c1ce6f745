"""``ondijon privacy``: what is kept of a person, and erasing it."""

from __future__ import annotations

import datetime
import getpass
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from adapters.cli.desk import ask
from adapters.cli.follow import last_run
from core import city as cities
from core import journal, lock, operators, privacy
from core import run as runs
from core.clock import SECOND, Now, origin_now
from core.errors import OndijonError, PrivacyError
from core.journal import SqliteJournal
from core.operators import AskedPersonal, ErasePersonal, PersonalErased, PersonalRead, ReadPersonal
from core.person import load_login
from core.privacy import Line, Privacy
from core.refusal import Refusal
from core.run import Run
from core.sealed import Closed
from core.vault import Vault
from core.wire import Refused

_PATH = click.Path(path_type=Path)

_WHO = (
    click.argument("subject"),
    click.argument("folder", required=False, type=_PATH),
    click.option("--why", required=True, help="The reason; it is journaled."),
    click.option("--token", type=_PATH, help="File of a session token: who asks; else this machine's user."),
)


def _who(command: Any) -> Any:
    for each in reversed(_WHO):
        command = each(command)
    return command


@click.group(name="privacy")
def privacy_group() -> None:
    """Tell what is kept of a person, and erase it."""


@privacy_group.command()
@_who
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for the person to take along.")
def report(subject: str, folder: Path | None, why: str, token: Path | None, as_json: bool) -> None:
    """Tell all that is kept of SUBJECT, and until when.

    SUBJECT is what the person is known by, such as a telephone number, or a pseudonym. FOLDER is the run's
    folder, DATA/run of the configuration; without it, the post started last by this user. The post may
    run or not. The reading itself is journaled, before anything is read. With --token only what that person has the
    right personal.read for is opened.

    \b
    Example:
      ondijon privacy report '+33 3 80 74 51 51' --why 'request of 3 December, article 15'
    """
    run = runs.load(folder or last_run())
    _check_vault(run)
    secret = _token(token)
    answer = _ask(run, ReadPersonal(token=secret, by=getpass.getuser(), subject=subject, why=why))
    assert isinstance(answer, PersonalRead)
    vault = Vault(run.vault)
    try:
        records = journal.read(run.data / "journal.sqlite")
        lines = list(privacy.kept(records, answer.persons, vault, *_rights(run, secret)))
    finally:
        vault.close()
    if as_json:
        click.echo(json.dumps(_as_json(subject, answer, lines), ensure_ascii=False, indent=2))
        return
    click.echo(
        f"{subject}: {len(lines)} values are kept, under the pseudonym {', '.join(answer.persons) or '(none)'}. "
        f"This reading is record {answer.record} of the journal."
    )
    for line in lines:
        click.echo(
            f"{line.record:>9}  {_date(line.at_utc)}  {line.kind}  {line.field}: {_shown(line.value)}  "
            f"({line.kept}, until {_date(line.expires_utc)})"
        )


@privacy_group.command()
@_who
@click.option("--yes", is_flag=True, help="Do not ask whether it shall really be done.")
def erase(subject: str, folder: Path | None, why: str, token: Path | None, yes: bool) -> None:
    """Erase all that is kept of SUBJECT, for ever.

    Destroys the keys of what is kept: it can be read nowhere any more, not in the journal, nor in snapshots, nor
    in any backup of them, and the journal's chain still verifies. Prints the receipt: the pseudonym, and the record
    of the journal that proves it; from then on nothing leads from the person to either. SUBJECT and FOLDER
    are those of `ondijon privacy report`.

    \b
    Example:
      ondijon privacy erase '+33 3 80 74 51 51' --why 'request of 3 December, article 17'
    """
    run = runs.load(folder or last_run())
    _check_vault(run)
    if not yes:
        click.confirm(f"Erase all that is kept of {subject}, for ever?", abort=True)
    asked = ErasePersonal(token=_token(token), by=getpass.getuser(), subject=subject, why=why)
    answer = _ask(run, asked)
    assert isinstance(answer, PersonalErased)
    if not answer.record:
        click.echo(f"{subject}: nothing is kept.")
        return
    click.echo(
        f"{subject}: {answer.keys} keys are erased. Receipt: record {answer.record} of the journal, "
        f"pseudonym {', '.join(answer.persons)}."
    )


def _check_vault(run: Run) -> None:
    if not (run.vault / "vault.sqlite").exists():
        raise PrivacyError(
            "there is no vault: this post has kept nothing personal.",
            where=str(run.vault),
            next="Give the folder `run` in the data folder of another post.",
        )


def _token(path: Path | None) -> bytes:
    try:
        return path.read_bytes() if path else b""
    except OSError as error:
        raise PrivacyError(f"no token: {error.strerror}.", where=str(path), next="Log in again.") from error


def _rights(run: Run, token: bytes) -> list[Any]:
    """Whose values may be opened: for the token's person those of their trades and communes."""
    if not token:
        return []
    person = load_login(run.gate.login_key).person(token, 0)
    if isinstance(person, Refusal):
        raise PrivacyError(person.what, next=person.next)
    return [privacy.rights(person, cities.load(run.city).communes.names)]


def _ask(run: Run, asked: AskedPersonal) -> operators.Answer:
    """Let it be journaled and done: by the running post, or here where none runs. Raises PrivacyError."""
    with _stopped(run) as alone:
        answer = _alone(run, asked) if alone else ask(run, asked)
    if isinstance(answer, Refused):
        raise PrivacyError(answer.what, next=answer.next)
    return answer


@contextmanager
def _stopped(run: Run) -> Iterator[bool]:
    """Hold the data folder; False where a post does."""
    try:
        held = lock.hold(run.data, 0)
    except OndijonError:
        yield False
        return
    with open(held):
        yield True


def _alone(run: Run, asked: AskedPersonal) -> operators.Answer:
    written = SqliteJournal(run.data, name=run.journal.name, witness=run.journal.witness)
    vault = Vault(run.vault)
    try:
        keeper = Privacy(vault, written, load_login(run.gate.login_key))
        now = Now(0, origin_now().utc, 0)
        said = keeper.take(b"", asked, now)
        # What an earlier erasure has left to be said comes first.
        told = [(answer, seq) for asker, answer, seq in keeper.tell(now)]
        if not said and not told:
            raise PrivacyError("erased; somebody reads the vault.", next="The next start journals it.")
        answer, _ = said or told[-1]
    finally:
        written.close()
        vault.close()
    return answer


def _as_json(subject: str, answer: PersonalRead, lines: list[Line]) -> dict[str, Any]:
    return {
        "subject": subject,
        "pseudonyms": answer.persons,
        "reading": answer.record,
        "kept": [
            {
                "record": line.record,
                "received": _date(line.at_utc),
                "event": line.kind,
                "field": line.field,
                "class": line.kept,
                "until": _date(line.expires_utc),
                "value": _shown(line.value) if isinstance(line.value, (Closed, bytes)) else line.value,
            }
            for line in lines
        ],
    }


def _shown(value: Any) -> str:
    if isinstance(value, Closed):
        return f"[{value.value}]"
    if isinstance(value, bytes):
        return f"[{len(value)} bytes]"
    # Whoever called may have sent what a terminal obeys.
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in str(value))


def _date(utc: int) -> str:
    date = datetime.datetime.fromtimestamp(utc / SECOND, datetime.UTC)
    return date.strftime("%Y-%m-%d %H:%M UTC")
