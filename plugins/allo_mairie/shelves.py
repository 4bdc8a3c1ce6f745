"""Where requests lie: on shelves by number, and in cells by place.

The kernel copies a state in each step that calls a trade. So requests do not lie in it one by one but by shelves, and
cells by columns, which are shared as a whole: with 20,000 requests a copy takes as long as with 300.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec

from plugins.allo_mairie.request import Request, number

#: Requests of one shelf.
SHELF = 64
#: Side of a cell (m): no category reaches further.
CELL_M = 250.0
#: So many of a cell are looked at, the last ones: whoever floods one place must not make each report dear.
NEAR_MAX = 50


class Shelf(msgspec.Struct, frozen=True):
    """Requests whose numbers follow one another."""

    requests: tuple[Request, ...]


class Requests(msgspec.Struct):
    """All requests, by shelf: ``count`` of them, of which so many are ``over``."""

    shelves: dict[str, Shelf] = {}
    count: int = 0
    over: int = 0

    def get(self, key: str) -> Request | None:
        """A request by its key."""
        shelf = self.shelves.get(_shelf(key))
        if shelf is None:
            return None
        # In their order, with gaps: it lies where it would without them, or before.
        for at in range(min(number(key) % SHELF, len(shelf.requests) - 1), -1, -1):
            if shelf.requests[at].key == key:
                return shelf.requests[at]
        return None

    def put(self, request: Request) -> None:
        """Add a request, or replace the one of its key."""
        at, before = _shelf(request.key), self.get(request.key)
        there = self.shelves[at].requests if at in self.shelves else ()
        if before is None:
            there = tuple(sorted((*there, request), key=lambda each: number(each.key)))
        else:
            there = tuple(request if each.key == request.key else each for each in there)
        self.shelves[at] = Shelf(there)
        self.count += before is None
        self.over += request.over - (before is not None and before.over)

    def drop(self, key: str) -> None:
        """Forget a request; one that is not there is none to forget."""
        before, at = self.get(key), _shelf(key)
        if before is None:
            return
        left = tuple(each for each in self.shelves[at].requests if each.key != key)
        if left:
            self.shelves[at] = Shelf(left)
        else:
            del self.shelves[at]
        self.count -= 1
        self.over -= before.over

    def share(self, turn: int, of: int) -> Iterator[Request]:
        """Those of every ``of``-th shelf: in ``of`` turns all of them come."""
        for at in sorted((at for at in self.shelves if int(at) % of == turn), key=int):
            yield from self.shelves[at].requests

    def oldest_over(self) -> Request | None:
        """The one with the lowest number that is over."""
        if not self.over:
            return None
        each = (each for at in sorted(self.shelves, key=int) for each in self.shelves[at].requests)
        return next((request for request in each if request.over), None)


class Column(msgspec.Struct, frozen=True):
    """The cells of one column: number from south to north, and keys."""

    cells: tuple[tuple[int, tuple[str, ...]], ...]


class Grid(msgspec.Struct):
    """The keys of requests by place."""

    columns: dict[str, Column] = {}

    def put(self, key: str, x: float, y: float) -> None:
        """A request is at ``x``, ``y`` (m)."""
        column, cell = _cell(x, y)
        cells = dict(self._column(column))
        cells[cell] = (*(each for each in cells.get(cell, ()) if each != key), key)
        self.columns[str(column)] = Column(tuple(sorted(cells.items())))

    def take(self, key: str, x: float, y: float) -> None:
        """A request is there no more."""
        column, cell = _cell(x, y)
        cells = dict(self._column(column))
        left = tuple(each for each in cells.pop(cell, ()) if each != key)
        if left:
            cells[cell] = left
        if cells:
            self.columns[str(column)] = Column(tuple(sorted(cells.items())))
        else:
            self.columns.pop(str(column), None)

    def near(self, x: float, y: float) -> tuple[str, ...]:
        """The keys in the nine cells around ``x``, ``y``."""
        column, cell = _cell(x, y)
        return tuple(
            key
            for east in (column - 1, column, column + 1)
            for at, keys in self._column(east)
            if abs(at - cell) <= 1
            for key in keys[-NEAR_MAX:]
        )

    def _column(self, number: int) -> tuple[tuple[int, tuple[str, ...]], ...]:
        column = self.columns.get(str(number))
        return column.cells if column else ()


def _shelf(key: str) -> str:
    return str(number(key) // SHELF)


def _cell(x: float, y: float) -> tuple[int, int]:
    return math.floor(x / CELL_M), math.floor(y / CELL_M)
