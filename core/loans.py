"""Loans: how a dirty set crosses from the telemetry edge to the kernel, the kernel's side and the edge's.

At each step the kernel lends a buffer of the shared memory. The edge fills it and answers, with nothing too. Both
sides may be killed and started again at any time, and what the dead one said may still lie at the other's door: each
loan has a number, and a meeting says from which number on loans count.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

import msgspec

from core import link
from core._fast.slots import Slots
from core.errors import WireError
from core.table import HandOver

#: Between two steps the loans that are out may land, and the one that is lent next.
LANDED_MAX = link.BUFFERS + 1

#: Private memory for them: as many again may be in the step's hands.
ROOMS = 2 * LANDED_MAX

#: Messages that one look at the door takes at most: whoever floods it must not keep the step back.
HEARD_MAX = 64


class Lender:
    """The kernel's side. It trusts no answer: what was not lent is refused, what was is copied first.

    The reactor calls ``take``, intake calls ``meet``. What is refused goes to ``refuse``.
    """

    def __init__(
        self,
        buffers: link.Buffers,
        bell: link.Bell,
        generation: int,
        *,
        counts: dict[str, int],
        refuse: Callable[[WireError], None],
    ) -> None:
        self._buffers = buffers
        self._bell = bell
        self._generation = generation
        self._refuse = refuse
        self.counts = counts
        counts |= {"hand_overs": 0, "hand_overs_stale": 0, "answers_late": 0, "loans_undelivered": 0}
        self._lock = threading.Lock()
        #: The first loan that counts since the last meeting.
        self.first = 1
        self._next = 1
        # The buffer, and the room, given back last is taken first: it is still in the caches.
        self._free: list[int] = []
        self._out: dict[int, int] = {}
        self._rooms = [link.columns(buffers.slots) for _ in range(ROOMS)]
        self._rooms_waiting: list[link.Columns] = []
        self._rooms_in_step: list[link.Columns] = []
        self._landed: list[HandOver] = []

    def meet(self) -> int:
        """An edge begins anew: take what the one before it left, and void its loans; return the first that counts."""
        with self._lock:
            # Now, before a buffer is lent again: what was collected is lost to the edge.
            self._hear()
            self._out.clear()
            self._free = list(reversed(range(link.BUFFERS)))
            self.first = self._next
            return self.first

    def take(self) -> list[HandOver]:
        """Lend a buffer, wait for the answer within the bell's patience; return all that landed since the last call.

        The hand-overs' memory is the caller's until the next call.
        """
        with self._lock:
            self._rooms += self._rooms_in_step
            self._rooms_in_step = []
            loan = self._lend()
            if loan is None:
                # An edge that is gone may have left something.
                self._hear()
            elif not self._comes_back(loan):
                self.counts["answers_late"] += 1
            landed, self._landed = self._landed, []
            self._rooms_in_step, self._rooms_waiting = self._rooms_waiting, []
        return landed

    def close(self) -> None:
        """Hear no more answers."""
        self._bell.close()

    def _lend(self) -> int | None:
        if not self._free:
            return None
        loan, buffer = self._next, self._free[-1]
        if not self._bell.send(link.Descriptor(self._generation, buffer, 0, loan)):
            self.counts["loans_undelivered"] += 1
            return None
        self._free.pop()
        self._out[loan] = buffer
        self._next = link.after(loan)
        return loan

    def _comes_back(self, loan: int) -> bool:
        # Answers to earlier loans, and whatever else lies at the door, come first.
        until = time.monotonic() + self._bell.patience_s
        while (data := self._bell.wait()) is not None:
            self._on_message(data)
            if loan not in self._out:
                return True
            if time.monotonic() >= until:
                self._hear()
                break
        return loan not in self._out

    def _hear(self) -> None:
        for _ in range(HEARD_MAX):
            data = self._bell.hear()
            if data is None:
                return
            self._on_message(data)

    def _on_message(self, data: bytes) -> None:
        try:
            self._on_answer(link.unpack(data))
        except WireError as error:
            self._refuse(error)

    def _on_answer(self, answer: link.Descriptor) -> None:
        mine = answer.generation == self._generation
        if answer.generation < self._generation or (mine and link.is_before(answer.sequence, self.first)):
            # Handed over to a kernel that is gone, or by an edge that is: neither knows of the other any more.
            self.counts["hand_overs_stale"] += 1
            return
        if not mine or self._out.get(answer.sequence) != answer.buffer:
            raise WireError(
                f"a hand-over of generation {answer.generation} in buffer {answer.buffer} "
                f"for loan {answer.sequence}, which was not made.",
                reason="descriptor",
            )
        del self._out[answer.sequence]
        try:
            self._land(answer)
        finally:
            self._free.append(answer.buffer)

    def _land(self, answer: link.Descriptor) -> None:
        if not answer.count:
            return
        columns = self._buffers.copy(answer.buffer, answer.count, self._rooms[-1])
        self._rooms_waiting.append(self._rooms.pop())
        self.counts["hand_overs"] += 1
        self._landed.append(HandOver(link.TELEMETRY.decode(), answer.generation, *columns))


class Borrower:
    """The edge's side: it answers each loan that counts, and loses nothing that it collected for one."""

    def __init__(self, buffers: link.Buffers, bell: link.Bell) -> None:
        self._buffers = buffers
        self._bell = bell
        self._generation = 0
        self._first = 0
        # Of all that were never answered only the newest can count: a kernel has no more buffers to lend.
        self._loans: deque[link.Descriptor] = deque(maxlen=link.BUFFERS)
        self._unsent: link.Descriptor | None = None
        #: Hand-overs with something in them, and messages refused.
        self.handed = self.refused = 0

    @property
    def owes(self) -> bool:
        """There is something to answer, or an answer that found no room."""
        return bool(self._loans) or self._unsent is not None

    @property
    def holds(self) -> bool:
        """Something was collected that is not on its way."""
        return self._unsent is not None

    def numbered(self, generation: int, first: int) -> None:
        """A meeting: from now on loans of ``generation`` count, from number ``first`` on."""
        self._generation, self._first = generation, first
        if self._unsent is not None and not self._counts(self._unsent):
            self._unsent = None

    def hear(self) -> None:
        """Take a loan from the door; what can be none is counted."""
        data = self._bell.hear()
        if data is None:
            return
        try:
            loan = link.unpack(data)
        except WireError:
            self.refused += 1
            return
        if loan.count or loan.buffer >= link.BUFFERS:
            self.refused += 1
        else:
            self._loans.append(loan)

    def hand_over(self, slots: Slots) -> None:
        """Answer the next loan with the dirty set, with nothing too: the kernel's step waits for it."""
        if self._unsent is not None:
            # Nothing is collected for the next before this one is on its way.
            if not self._bell.send(self._unsent):
                return
            self._unsent = None
        loan = self._next()
        if loan is None:
            return
        count = slots.collect(*self._buffers.columns[loan.buffer]) if slots.changed else 0
        self.handed += count > 0
        answer = msgspec.structs.replace(loan, count=count)
        if not self._bell.send(answer):
            self._unsent = answer

    def _next(self) -> link.Descriptor | None:
        while self._loans:
            if self._loans[0].generation > self._generation:
                # A new kernel's, whose numbering is still on its way.
                return None
            loan = self._loans.popleft()
            if self._counts(loan):
                return loan
        return None

    def _counts(self, loan: link.Descriptor) -> bool:
        return loan.generation == self._generation and not link.is_before(loan.sequence, self._first)
