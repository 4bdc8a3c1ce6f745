"""What the machine lets one process have: memory and open files."""

from __future__ import annotations

import resource

#: Open files of an edge beside its gateways: logs, listeners, ipc, epoll.
_OWN_FILES = 64

#: The telemetry edge holds two connections a gateway, the events edge one.
_FILES_A_SESSION = 2


def limit_memory(mib: int) -> None:
    """Cap this process: beyond it an allocation fails, the process ends and the supervisor starts a fresh one."""
    resource.setrlimit(resource.RLIMIT_DATA, (mib << 20, mib << 20))


def files_needed(sessions: int) -> int:
    """How many open files an edge needs for so many gateways."""
    return _FILES_A_SESSION * sessions + _OWN_FILES


def files_possible() -> int:
    """How many open files a process of this user may have at most."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return (1 << 31) if hard == resource.RLIM_INFINITY else hard


def allow_files(wanted: int) -> int:
    """Raise this process's limit of open files to ``wanted``, or as far as it may be; return what is allowed now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    allowed = min(wanted, files_possible())
    if allowed > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return max(allowed, soft)
