"""``ondijon audit``: is the journal what was once written?"""

from __future__ import annotations

from pathlib import Path

import click

from adapters.audit import verify as verifier
from core.errors import AuditError

_FOLDER = click.Path(path_type=Path)


@click.group()
def audit() -> None:
    """Check the journal of a post, running or not, as an auditor does."""


@audit.command()
@click.argument("data", type=_FOLDER)
@click.option(
    "--witness", type=_FOLDER, help="The folder of the city's witness: its copies of the signed heads."
)
@click.option(
    "--key", help="The verifier key, as `DATA/audit.pub` shows it; without it that file is believed."
)
def verify(data: Path, witness: Path | None, key: str | None) -> None:
    """Does the journal in DATA hold what was written, all of it, in its order?

    Recomputes the hash chain and compares it with each signed head. A journal that was written anew by
    somebody who holds the key, or cut at its end, shows only beside --witness, with a --key that was kept
    elsewhere. Nothing of the kernel is used: adapters/audit/verify.py runs alone, too. Exits 1 and says
    where, if it is not what was written.

    \b
    Example:
      ondijon audit verify /var/lib/ondijon --witness /mnt/city/ondijon
    """
    try:
        found = verifier.check(data, key, witness)
    except (verifier.ForgedError, OSError) as error:
        raise AuditError(
            str(error), where=str(data), next="Keep both, and ask who could write there."
        ) from error
    click.echo(f"{data}: {found.sentence()}")
