"""Persons who ask at a post's desk: how an answer is read, and machines in which they try whatever they like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from core.operators import Answer, Approve, Asked
from core.wire import Refused
from ondijon.testing import Post

#: Which of several things a rule takes.
PICK = st.integers(0, 1000)


def records(post: Post, kind: str) -> list[Any]:
    """The journaled data of one kind of record."""
    return [msgspec.msgpack.decode(record.data) for record in post.journal.records if record.kind == kind]


def refused(answer: object) -> str:
    """The reason of a refusal, which says what is wrong and what to do."""
    assert isinstance(answer, Refused), answer
    assert answer.what
    assert answer.next
    return answer.reason


class Attempts(RuleBasedStateMachine):
    """Persons ask whatever they like. A subclass begins with ``meet``, and has a plain model of what is lawful."""

    attempts = 0
    passed = 0
    codes: ClassVar[set[str]]

    def __init_subclass__(cls) -> None:
        cls.codes = set()

    def meet(self, post: Post, commune: str, verb: str, seconds: int) -> None:
        """Anna and Carl may do all, Bob one thing in one commune, Dora nothing here; all for so many seconds."""
        self.post = post
        self.post.run(0.1)
        self.people = {
            "anna": post.person("anna", seconds=seconds),
            "bob": post.person("bob", trade="trial", commune=commune, verbs=[verb], seconds=seconds),
            "carl": post.person("carl", seconds=seconds),
            "dora": post.person("dora", trade="snow", seconds=seconds),
        }
        self.ends = post.utc + seconds * 1_000_000
        self.requests: list[Asked] = []
        #: What waits for a second person, by the command's name.
        self.waiting: dict[str, Any] = {}
        self.tries = 0

    def request(self, token: bytes, age_s: float = 0) -> dict[str, Any]:
        """The fields that every request has; it was asked ``age_s`` ago."""
        return {
            "token": token,
            "request": f"r{len(self.requests)}",
            "epoch": self.post.journal.generation,
            "asked_utc": self.post.utc - int(age_s * 1_000_000),
        }

    def ask(self, asked: Asked) -> Answer:
        """Ask, and count it. Nothing goes out for what is refused."""
        before = len(self.post.orders)
        answer = self.post.ask(asked)
        self.requests.append(asked)
        self.count()
        if isinstance(answer, Refused):
            type(self).codes.add(answer.reason)
            assert len(self.post.orders) == before
        return answer

    def count(self) -> None:
        """Something was tried."""
        self.tries += 1
        type(self).attempts += 1

    def agree(self, who: str, command: str, hash: bytes) -> Answer:
        """A second person agrees; the answer."""
        return self.ask(Approve(**self.request(self.people[who]), command=command, hash=hash))

    def stands(self, who: str, first: str, since: int) -> bool:
        """Whether ``who`` may be the second for what ``first`` asked at ``since``, as far as times and persons go."""
        return self.post.utc < self.ends and self.post.mono - since < 300_000_000 and who != first

    @precondition(lambda self: self.requests)
    @rule(pick=PICK)
    def replay(self, pick: int) -> None:
        """Somebody sends again what was sent before: it never passes, whatever became of it then."""
        answer = self.ask(self.requests[pick % len(self.requests)])
        assert isinstance(answer, Refused)


def try_out(
    machine: type[Attempts], attempts: int, told: Sequence[str], passed: int, *, examples: int, steps: int
) -> None:
    """Run a machine until so much was tried; of its ways all were met, and more than ``passed`` were lawful."""
    many = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        # Hypothesis draws the same in each run where it sees a CI: the runs below would be one.
        derandomize=False,
        suppress_health_check=list(HealthCheck),
    )
    for _ in range(20):
        run_state_machine_as_test(machine, settings=many)
        if machine.attempts >= attempts and machine.codes.issuperset(told):
            break
    assert machine.attempts >= attempts
    assert not set(told) - machine.codes, "each way was tried"
    assert machine.passed > passed, "and it is no gate that lets nothing through"
