"""DuckDB as the history uses it: there, or asked for; in bounded memory, without a disk of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from core.errors import ConfigError

try:
    import duckdb
except ImportError:
    duckdb = None  # type: ignore[assignment]

#: Whatever DuckDB says that it cannot do.
Error: type[Exception] = OSError if duckdb is None else duckdb.Error

#: Cores that one connection uses at most: the post has other work.
THREADS = 2


def check() -> None:
    """Raises ConfigError where DuckDB is not installed."""
    if duckdb is None:
        raise ConfigError(
            "DuckDB is not installed, and the history is kept with it.",
            where="[adapters.history]",
            next="pip install 'ondijon[history]', or take the table out.",
        )


def connect(memory_mib: int) -> Any:
    """A database in memory. It finds no Python variables, and puts nothing on disk by itself."""
    return duckdb.connect(
        ":memory:",
        config={
            "memory_limit": f"{memory_mib}MiB",
            "threads": THREADS,
            "temp_directory": "",
            "python_enable_replacements": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        },
    )


@contextmanager
def registered(db: Any, **tables: dict[str, np.ndarray]) -> Iterator[None]:
    """Columns as tables, for a while."""
    for name, columns in tables.items():
        db.register(name, columns)
    try:
        yield
    finally:
        for name in tables:
            db.unregister(name)


def quoted(text: str) -> str:
    """A text as SQL has it."""
    return "'" + text.replace("'", "''") + "'"


def files(paths: Iterable[str]) -> str:
    """The rows of Parquet files, with what their folders are named after."""
    listed = ", ".join(map(quoted, paths))
    return f"read_parquet([{listed}], hive_partitioning = true, hive_types_autocast = false, union_by_name = false)"
