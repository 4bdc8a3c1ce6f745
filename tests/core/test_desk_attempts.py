"""Nothing unlawful passes at the desk, whatever persons and a trade ask."""

from __future__ import annotations

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from core.operators import Propose
from core.wire import Refused
from ondijon import Command, Interlock, hookimpl
from ondijon.testing import City, Post
from tests.core.conftest import T
from tests.core.persons import PICK, Attempts, try_out
from tests.core.watched import GATE, LAMPS, by_itself, rule_, watched

#: Targets that a person, or the trade, has in a minute.
LIMIT = 12

#: Mostly without a target twice.
LAMP_LISTS = st.one_of(
    st.lists(st.integers(0, 29), min_size=1, max_size=8, unique=True),
    st.lists(st.integers(0, 19), min_size=1, max_size=4, unique=True),
    st.lists(st.integers(0, 29), min_size=1, max_size=8),
)


class DeskAttempts(Attempts):
    """Persons and a trade ask whatever they like; a plain model says what may pass."""

    @initialize()
    def begin(self) -> None:
        self.queue: list[Command] = []
        rules = (rule_(rate=LIMIT / 20, communes=("Petite-Ville",)),)
        module = watched(
            authorisations=rules,
            ticks={"look": 0.05},
            interlocks=(
                Interlock(verb="lamp.kill", metric="cabinet.open", comparison="==", value=0, text=T),
            ),
        )
        module.on_tick = hookimpl(lambda now, name, state: [self.queue.pop(0)] if self.queue else [])
        gate = msgspec.structs.replace(GATE, person_targets=LIMIT)
        self.meet(Post(City.small(), [module], gate=gate), "Petite-Ville", "lamp.dim", seconds=600)
        self.cabinets: dict[int, tuple[float, int]] = {}
        self.asked: dict[str, list[tuple[int, int]]] = {}
        self.held: dict[tuple[str, int], tuple[float, float]] = {}
        #: When orders went out last, and for whom the answers are still on their way.
        self.unheard: tuple[int, list[tuple[str, int]]] = (-1, [])

    # the plain model

    def may(self, who: str, verb: str, lamps: list[int]) -> bool:
        if who in ("anna", "carl"):
            return True
        return who == "bob" and verb == "lamp.dim" and all(lamp < 20 for lamp in lamps)

    def open(self, lamps: list[int], override: bool) -> bool:
        if override:
            return True
        now = self.post.utc
        return all(
            cabinet in self.cabinets
            and self.cabinets[cabinet][0] == 0
            and now - self.cabinets[cabinet][1] <= 120_000_000
            for cabinet in {lamp // 10 for lamp in lamps}
        )

    def rate(self, who: str, limit: int, n: int) -> bool:
        """Whether so many more fit: each counts until a minute after the second it was asked in."""
        second = self.post.mono / 1_000_000
        recent = [m for at, m in self.asked.get(who, []) if at // 1_000_000 + 1 > second - 60]
        return sum(recent) + n <= limit

    def form(self, verb: str, lamps: list[int], values: list[float], lease: float) -> bool:
        if verb not in ("lamp.dim", "lamp.kill") or not lamps or len(set(lamps)) != len(lamps):
            return False
        if lease == 0:
            return True
        high, longest = (100, 900) if verb == "lamp.dim" else (1, 60)
        return len(values) == len(lamps) and all(0 <= v <= high for v in values) and 0 < lease <= longest

    def hold(self, proposed: Propose, lamps: list[int]) -> None:
        """A person's lease runs at least from when it went out, at most from when it must be answered."""
        least = self.post.mono + proposed.lease_s * 1e6
        for lamp in lamps:
            self.held[proposed.verb, lamp] = (least, least + 35e6) if proposed.lease_s else (0, 0)
        self.unheard = self.post.mono, [(proposed.verb, lamp) for lamp in lamps if proposed.lease_s]

    # what is tried

    @rule(
        who=st.sampled_from(["anna", "anna", "bob", "carl", "carl", "dora", "forged", "expired"]),
        verb=st.sampled_from(["lamp.dim", "lamp.dim", "lamp.kill", "lamp.fly"]),
        lamps=LAMP_LISTS,
        value=st.sampled_from([0.0, 1.0, 1.0, 1.0, 50.0, 101.0, float("nan")]),
        extra=st.sampled_from([0, 0, 0, 0, 1]),
        lease=st.sampled_from([0.0, 10.0, 10.0, 30.0, 61.0, 901.0]),
        age=st.sampled_from([0, 0, 0, 0, 5, 31, -4]),
        override=st.sampled_from([False, False, False, True]),
    )
    def propose(self, who, verb, lamps, value, extra, lease, age, override) -> None:
        values = [value] * (len(lamps) + extra)
        request = Propose(
            **self.request(self.token(who), age),
            verb=verb,
            targets=tuple(LAMPS[i] for i in lamps),
            values=tuple(values),
            lease_s=lease,
            deadline_s=30,
            reason="because",
            override=override,
        )
        lawful = (
            who in self.people
            and self.post.utc < self.ends
            and -3 <= age < 30
            and self.form(verb, lamps, values, lease)
            and self.may(who, verb, lamps)
        )
        if lease:
            limited = verb != "lamp.kill" or self.open(lamps, override)
            lawful = lawful and limited and self.rate(who, LIMIT, len(lamps))
        second = lease and (verb == "lamp.kill" or len(lamps) > 5 or override)
        self.proposed(request, lawful, who, lamps, second)

    @rule(
        who=st.sampled_from(["anna", "bob", "carl"]),
        lamps=st.lists(st.integers(0, 19), min_size=1, max_size=5, unique=True),
    )
    def propose_the_everyday(self, who: str, lamps: list[int]) -> None:
        """Where nothing else is wrong with it, it is the limit of a minute that is met."""
        self.propose(who, "lamp.dim", lamps, 50.0, 0, 10.0, 0, False)

    @rule(
        who=st.sampled_from(["anna", "bob", "carl"]),
        lamps=st.lists(st.integers(0, 19), min_size=6, max_size=8, unique=True),
    )
    def propose_what_two_must_want(self, who: str, lamps: list[int]) -> None:
        """Where nothing else is wrong with it, it is the second person that is missing."""
        self.propose(who, "lamp.dim", lamps, 50.0, 0, 10.0, 0, False)

    def token(self, who: str) -> bytes:
        if who == "forged":
            return self.people["anna"][:-1]
        if who == "expired":
            return self.post.person("anna", seconds=0)
        return self.people[who]

    def proposed(self, request: Propose, lawful: bool, who: str, lamps: list[int], second: object) -> None:
        before, was = len(self.post.orders), self.post.mono
        answer = self.ask(request)
        assert isinstance(answer, Refused) != bool(lawful), answer
        if not lawful:
            return
        went_out = len(self.post.orders) > before
        if second:
            assert not went_out
            assert answer.state == "awaiting"
            self.waiting[answer.command] = who, lamps, request, answer.hash, was
            return
        assert went_out
        type(self).passed += 1
        if request.lease_s:
            self.asked.setdefault(who, []).append((was, len(lamps)))
        self.hold(request, lamps)

    @precondition(lambda self: self.waiting)
    @rule(
        pick=PICK,
        who=st.sampled_from(["anna", "bob", "carl", "dora"]),
        wrong=st.sampled_from([0, 0, 0, 1]),
    )
    def approve(self, pick: int, who: str, wrong: int) -> None:
        id = list(self.waiting)[pick % len(self.waiting)]
        first, lamps, proposed, exact, since = self.waiting[id]
        stands = self.stands(who, first, since) and not wrong and self.may(who, proposed.verb, lamps)
        lawful = (
            stands
            and self.post.utc < proposed.asked_utc + 30_000_000
            and self.rate(first, LIMIT, len(lamps))
            and (proposed.verb != "lamp.kill" or self.open(lamps, proposed.override))
        )
        before = len(self.post.orders)
        answer = self.agree(who, id, bytes(32) if wrong else exact)
        assert isinstance(answer, Refused) != lawful, answer
        if stands:
            del self.waiting[id]
        if not lawful:
            return
        assert len(self.post.orders) > before
        type(self).passed += 1
        self.asked.setdefault(first, []).append((self.post.mono, len(lamps)))
        self.hold(proposed, lamps)

    @rule(
        verb=st.sampled_from(["lamp.dim", "lamp.dim", "lamp.kill", "lamp.fly"]),
        lamps=st.lists(st.integers(0, 29), max_size=6),
        value=st.sampled_from([9.0, 10.0, 50.0, 90.0, 91.0]),
        lease=st.sampled_from([0.0, 10.0, 60.0, 61.0, -1.0]),
    )
    def trade(self, verb: str, lamps: list[int], value: float, lease: float) -> None:
        self.queue.append(by_itself(verb, [3 + i for i in lamps], value, lease))
        before, was = len(self.post.orders), self.post.mono
        self.post.step()
        self.count()
        lawful = (
            verb == "lamp.dim"
            and lamps
            and len(set(lamps)) == len(lamps)
            and all(lamp < 20 for lamp in lamps)
            and 10 <= value <= 90
            and 0 < lease <= 60
            and self.rate("the trade", LIMIT, len(lamps))
        )
        passed = len(self.post.orders) > before
        held = [self.held.get((verb, lamp), (0, 0)) for lamp in lamps]
        # Whether a lease that may have ended has ended nobody knows here.
        free, taken = (any(most <= was for _, most in held), all(was < least for least, _ in held))
        assert not passed if not lawful or taken else passed or not free
        type(self).passed += passed
        if lawful:
            self.asked.setdefault("the trade", []).append((was, len(lamps)))

    # what happens meanwhile

    @rule(cabinet=st.integers(0, 2), open=st.sampled_from([0.0, 0.0, 1.0]))
    def look(self, cabinet: int, open: float) -> None:
        self.cabinets[cabinet] = open, self.post.utc
        self.post.sample(f"A{cabinet + 1:04}", "cabinet.open", open)
        self.post.step()

    @rule(seconds=st.sampled_from([1.0, 5.0, 30.0, 61.0, 130.0]))
    def wait(self, seconds: float) -> None:
        sent, keys = self.unheard
        if sent == self.post.mono:
            # The post stops before it hears the answer: a lease runs from when that was heard.
            self.held |= {
                key: (least, most + seconds * 1e6) for key in keys for least, most in [self.held[key]]
            }
        self.post.jump(seconds)
        self.post.step()

    @precondition(lambda self: self.tries % 7 == 6)
    @rule()
    def crash(self) -> None:
        self.post.save()
        self.post.crash()
        self.waiting.clear()
        self.cabinets.clear()
        self.post.step()


def test_nothing_unlawful_passes_in_10_000_attempts() -> None:
    told = ("token", "session_expired", "stale_request", "replayed", "right", "rate", "same_person", "hash")
    try_out(DeskAttempts, 10_000, told, 500, examples=50, steps=100)
