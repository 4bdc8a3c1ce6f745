"""Are the records that a sheet was made from those that were written? The journal's chain, over that stretch alone."""

from __future__ import annotations

import base64
import binascii

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from adapters.papers.folder import Folder
from adapters.papers.tongue import Tongue
from core.chain import GENESIS, linked
from core.errors import JournalError

#: Longer stretches are not gone through for a sheet of paper: some seconds.
RECORDS_MAX = 2_000_000

#: Unreadable records that are named; of more the number is told.
NAMED = 5

#: Bytes of a key's hash before its signature.
_HASH = 4


class Verdict(msgspec.Struct, frozen=True):
    """Whether the stretch holds (None: nobody looked), and a sentence on it."""

    holds: bool | None
    said: str


class _BrokenError(Exception):
    """What is wrong, in both languages."""

    def __init__(self, fr: str, en: str) -> None:
        super().__init__(en)
        self.fr, self.en = fr, en


def verify(folder: Folder, first: int, last: int, t: Tongue) -> Verdict:
    """Recompute the chain from the signed head before ``first`` to the one after ``last``, or to the journal's end."""
    if last < first or not last:
        return Verdict(None, t("Aucun enregistrement à vérifier.", "There is no record to verify."))
    heads = {seq: (head, note) for seq, head, note in folder.heads()}
    start = max((seq for seq in heads if seq < first), default=0)
    end = min((seq for seq in heads if seq >= last), default=folder.last)
    if end - start > RECORDS_MAX:
        return Verdict(
            None,
            t(
                f"Chaîne NON vérifiée ici : {t.number(end - start)} enregistrements, c'est long ; "
                "`ondijon audit verify` le fait.",
                f"Chain NOT verified here: {t.number(end - start)} records take long; `ondijon audit verify` does it.",
            ),
        )
    try:
        signed, sealed = _walk(folder, heads, start, end)
    except _BrokenError as error:
        return Verdict(
            False,
            t(
                f"LA CHAÎNE NE SE VÉRIFIE PAS : {error.fr} Lancer `ondijon audit verify` d'abord.",
                f"THE CHAIN DOES NOT VERIFY: {error.en} Run `ondijon audit verify` first.",
            ),
        )
    waiting = max(0, last - sealed)
    return Verdict(
        True,
        t(
            f"Chaîne vérifiée des enregistrements {t.number(start + 1)} à {t.number(end)}, têtes signées qui "
            f"tiennent : {signed}, enregistrements de cette feuille qui attendent une signature : {waiting}. Seul "
            "`ondijon audit verify` compare aussi avec le témoin.",
            f"Chain verified from record {t.number(start + 1)} to {t.number(end)}, signed heads that hold: {signed}, "
            f"records of this sheet that wait for a signature: {waiting}. Only `ondijon audit verify` compares with "
            "the witness, too.",
        ),
    )


def _walk(folder: Folder, heads: dict[int, tuple[bytes, str]], start: int, end: int) -> tuple[int, int]:
    """How many signed heads hold, and the last of them."""
    key = _key(folder)
    head = heads[start][0] if start in heads else GENESIS
    if start:
        _check(key, start, *heads[start])
    elif folder.first != 1:
        raise _BrokenError(
            f"son début manque, avant l'enregistrement {folder.first}.",
            f"its beginning is missing, before record {folder.first}.",
        )
    signed, sealed, expected = int(bool(start)), start, start + 1
    for seq, kind, step, utc, data in folder.rows(start, end):
        if seq != expected:
            raise _BrokenError(f"l'enregistrement {expected} manque.", f"record {expected} is missing.")
        try:
            head = linked(head, seq, kind, step, utc, data)
        except (TypeError, AttributeError) as error:
            raise _BrokenError(f"l'enregistrement {seq} est abîmé.", f"record {seq} is damaged.") from error
        expected += 1
        if seq in heads:
            if heads[seq][0] != head:
                raise _BrokenError(
                    f"les enregistrements jusqu'à {seq} ne sont pas ceux qui ont été écrits.",
                    f"the records up to {seq} are not those that were written.",
                )
            _check(key, seq, *heads[seq])
            signed, sealed = signed + 1, seq
    if expected <= end:
        raise _BrokenError(f"l'enregistrement {expected} manque.", f"record {expected} is missing.")
    return signed, sealed


def _key(folder: Folder) -> tuple[str, Ed25519PublicKey]:
    try:
        name, _, encoded = (folder.path / "audit.pub").read_text("utf-8").strip().split("+", 2)
        # After the byte that names the algorithm.
        return name, Ed25519PublicKey.from_public_bytes(base64.b64decode(encoded, validate=True)[1:])
    except (OSError, ValueError) as error:
        raise _BrokenError(
            "la clé `audit.pub` ne se lit pas.", "the key `audit.pub` cannot be read."
        ) from error


def _check(key: tuple[str, Ed25519PublicKey], seq: int, head: bytes, note: str) -> None:
    """A signed head is a note of three lines, an empty one, and the signature; see core.checkpoint."""
    name, public = key
    text = f"{name}\n{seq}\n{base64.b64encode(head).decode()}\n"
    try:
        if not note.startswith(f"{text}\n"):
            raise ValueError("it is another's")
        signature = base64.b64decode(note.strip().rpartition(" ")[2], validate=True)[_HASH:]
        public.verify(signature, text.encode())
    except (InvalidSignature, binascii.Error, ValueError) as error:
        raise _BrokenError(
            f"la tête de {seq} enregistrements n'est pas signée par {name!r}.",
            f"the head of {seq} records is not signed by {name!r}.",
        ) from error


def facts(
    folder: Folder, first: int, last: int, t: Tongue, printed: int, stored: int = 0
) -> tuple[list[str], list[str]]:
    """What a sheet says of where it comes from: its warnings, and its small print. ``printed`` µs: when.

    ``stored``: it also rests on the state that was stored with all records up to this one in it.
    """
    warnings: list[str] = []
    small = [_source(folder, first, last, t, stored)] if folder.last else []
    if not folder.last:
        warnings.append(
            t(
                "Le journal est vide : le poste n'a encore rien écrit.",
                "The journal is empty: the post has written nothing yet.",
            )
        )
    else:
        verdict = _judged(folder, first, last, t)
        (warnings if verdict.holds is False else small).append(verdict.said)
    if folder.unreadable:
        named = ", ".join(map(str, folder.unreadable[:NAMED])) + (
            " …" if len(folder.unreadable) > NAMED else ""
        )
        warnings.append(
            t(
                f"Enregistrements illisibles, donc absents de cette feuille : {len(folder.unreadable)} ({named}).",
                f"Records that cannot be read, and so are not on this sheet: {len(folder.unreadable)} ({named}).",
            )
        )
    zone = t.clock(printed)
    small.append(
        t(
            f"Imprimé le {t.at(printed)} par ondijon, heures {zone}. Les mots des personnes restent scellés.",
            f"Printed {t.at(printed)} by ondijon, times {zone}. What persons wrote stays sealed.",
        )
    )
    return warnings, small


def _source(folder: Folder, first: int, last: int, t: Tongue, stored: int) -> str:
    if last < first:
        return t(
            f"Le journal {folder.file} n'a aucun enregistrement de ce temps-là.",
            f"The journal {folder.file} has no record of that time.",
        )
    n, end = t.number, folder.last
    state = (
        t(f", et de l'état gardé après le {n(stored)}", f", and from the state stored after {n(stored)}")
        if stored
        else ""
    )
    return t(
        f"Fait des enregistrements {n(first)} à {n(last)} du journal {folder.file}{state}. Son dernier est le "
        f"{n(end)}, du {t.at(folder.end())}.",
        f"Made from records {n(first)} to {n(last)} of the journal {folder.file}{state}. Its newest is {n(end)}, of "
        f"{t.at(folder.end())}.",
    )


def _judged(folder: Folder, first: int, last: int, t: Tongue) -> Verdict:
    try:
        return verify(folder, first, last, t)
    except JournalError as error:
        return Verdict(
            False, t(f"La chaîne ne peut être vérifiée : {error}", f"The chain cannot be verified: {error}")
        )
