"""Errors that teach: what happened, where, what to do next."""

from __future__ import annotations


class OndijonError(Exception):
    """An error a person can act on.

    ``what`` happened, ``where`` (a file and key, a process, an asset) and what to do ``next``.
    The three make one text: people read logs from the middle.
    """

    #: Exit status of a process that ends on this error (sysexits.h).
    exit_status = 70

    def __init__(self, what: str, *, where: str = "", next: str = "") -> None:
        self.what = what
        self.where = where
        self.next = next
        super().__init__(str(self))

    def __str__(self) -> str:
        where = f"{self.where}: " if self.where else ""
        advice = f" {self.next}" if self.next else ""
        return f"{where}{self.what}{advice}"


class ConfigError(OndijonError):
    """The configuration does not say something the post can do."""

    exit_status = 78


class KeyFileError(OndijonError):
    """A key file or the allow-list of keys cannot be used as it stands."""

    exit_status = 78


class CityError(OndijonError):
    """A city folder or an inventory cannot be used as it stands."""

    exit_status = 65


class PluginError(OndijonError):
    """A plugin cannot be loaded, or its declaration contradicts itself or another's."""

    exit_status = 78


class StateError(OndijonError):
    """A plugin's state cannot be stored, restored or migrated."""

    exit_status = 65


class AlarmError(OndijonError):
    """What a person asks of an alarm cannot be done."""


class WireError(OndijonError):
    """Bytes from outside are not a message of this wire version."""

    exit_status = 76

    def __init__(self, what: str, *, reason: str, where: str = "", next: str = "") -> None:
        #: The counter that this refusal increments.
        self.reason = reason
        super().__init__(what, where=where, next=next)


class VaultError(OndijonError):
    """The vault of personal data cannot keep, or forget, a key."""

    exit_status = 74


class PrivacyError(OndijonError):
    """What is asked of a person's data is refused."""


class RefusedError(OndijonError):
    """The post refused what a person asked."""

    exit_status = 77


class AuditError(OndijonError):
    """A journal is not what was once written."""

    exit_status = 1


class JournalError(OndijonError):
    """The journal cannot promise durability any more; nothing may be acknowledged."""

    exit_status = 74


class RecordError(OndijonError):
    """A segment of the record cannot be written or read."""

    exit_status = 65
