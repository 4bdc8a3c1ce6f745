"""Nothing unlawful comes into force, and devices hold what the model says, whatever persons ask and whatever dies."""

from __future__ import annotations

from typing import ClassVar

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from core.operators import CommandTaken, ProposeProgramme
from ondijon.testing import City, Post
from tests.core.persons import PICK, Attempts, try_out
from tests.core.planned import GATE, PLAN, level, planned


class ProgrammeAttempts(Attempts):
    """Persons ask and agree as they like, the post dies; a plain model says what is in force and what devices hold."""

    #: How many lamps follow a zone's programme; "" those of communes without one of their own.
    LAMPS: ClassVar[dict[str, int]] = {"Petite-Ville": 20, "Voisine": 10}

    @initialize()
    def begin(self) -> None:
        self.meet(Post(City.small(), [planned()], gate=GATE), "Voisine", PLAN, seconds=2000)
        #: By zone: the version in force and its level.
        self.in_force: dict[str, tuple[int, int]] = {}
        self.versions: dict[tuple[str, tuple[str, str]], int] = {}

    def teardown(self) -> None:
        for _ in range(4):
            # What was on its way when the post died is sent again after 5 s.
            self.post.jump(5)
            self.post.run(0.2)
        self.delivered()

    def may(self, who: str, zone: str) -> bool:
        return who in ("anna", "carl") or (who == "bob" and zone == "Voisine")

    def lamps(self, zone: str) -> int:
        if zone:
            return self.LAMPS.get(zone, 0)
        return sum(n for commune, n in self.LAMPS.items() if commune not in self.in_force)

    def put(self, zone: str, level: int) -> None:
        self.in_force[zone] = self.in_force.get(zone, (0, 0))[0] + 1, level

    @rule(
        who=st.sampled_from(["anna", "anna", "bob", "carl", "dora"]),
        zone=st.sampled_from(["", "Petite-Ville", "Voisine", "Voisine", "Atlantis"]),
        level=st.sampled_from([0, 1, 50, 100]),
        flaw=st.sampled_from([*[""] * 8, "forged", "late", "early", "epoch", "kind", "content", "raises"]),
    )
    def propose(self, who: str, zone: str, level: int, flaw: str) -> None:
        token = self.people[who]
        late_s = {"late": 31, "early": -4}.get(flaw, 0)
        said = {"content": 101, "raises": 13}.get(flaw, level)
        request = ProposeProgramme(
            **self.request(token[:-1] if flaw == "forged" else token, late_s)
            | {"epoch": self.post.journal.generation - (flaw == "epoch")},
            kind="trial.fly" if flaw == "kind" else PLAN,
            zone=zone,
            content=msgspec.Raw(msgspec.msgpack.encode({"level": said})),
            reason="r",
        )
        lawful = (
            not flaw
            and zone != "Atlantis"
            and self.may(who, zone)
            and self.lamps(zone) > 0
            and self.post.utc < self.ends
        )
        now = self.post.mono
        answer = self.ask(request)
        assert isinstance(answer, CommandTaken) == lawful, answer
        if not lawful:
            return
        type(self).passed += 1
        if self.lamps(zone) > GATE.danger_targets:
            assert answer.state == "awaiting"
            version = self.in_force.get(zone, (0, 0))[0]
            self.waiting[answer.command] = who, zone, level, version, answer.hash, now
        else:
            assert answer.state == "in_force"
            self.put(zone, level)

    @precondition(lambda self: self.waiting)
    @rule(
        pick=PICK,
        who=st.sampled_from(["anna", "bob", "carl", "dora"]),
        wrong=st.sampled_from([0, 0, 0, 1]),
    )
    def approve(self, pick: int, who: str, wrong: int) -> None:
        id = list(self.waiting)[pick % len(self.waiting)]
        first, zone, level, version, exact, since = self.waiting[id]
        stands = self.stands(who, first, since) and not wrong and self.may(who, zone)
        lawful = stands and self.in_force.get(zone, (0, 0))[0] == version
        answer = self.agree(who, id, bytes(32) if wrong else exact)
        assert isinstance(answer, CommandTaken) == lawful, answer
        if stands:
            del self.waiting[id]
        if lawful:
            type(self).passed += 1
            self.put(zone, level)

    @rule(seconds=st.sampled_from([0.1, 1.0, 20.0, 130.0]))
    def wait(self, seconds: float) -> None:
        self.post.jump(seconds)
        self.post.run(0.1)

    @precondition(lambda self: self.tries % 7 == 6)
    @rule(saved=st.booleans())
    def crash(self, saved: bool) -> None:
        if saved:
            self.post.save()
        self.post.crash()
        self.waiting.clear()

    @rule(gateway=st.sampled_from(["gw-A0001", "gw-A0002", "gw-A0003"]))
    def exchange(self, gateway: str) -> None:
        """A gateway is exchanged for one with an empty disk, and shakes hands."""
        self.post.held.pop(gateway, None)
        self.versions = {key: v for key, v in self.versions.items() if key[0] != gateway}
        self.post._tell_programmes(gateway)

    @invariant()
    def what_is_in_force_is_what_was_agreed(self) -> None:
        if hasattr(self, "post"):
            in_force = self.post.kernel.programmes.in_force
            assert {
                zone: (each.version, level(each.content)) for (_, zone), each in in_force.items()
            } == self.in_force

    @invariant()
    def no_device_goes_back(self) -> None:
        if hasattr(self, "post"):
            for gateway, of in self.post.held.items():
                for key, programme in of.items():
                    assert programme.version >= self.versions.get((gateway, key), 0)
                    self.versions[gateway, key] = programme.version

    def delivered(self) -> None:
        wanted: dict[str, dict[str, tuple[int, int]]] = {}
        for zone, (version, set_to) in self.in_force.items():
            for gateway in ("gw-A0001", "gw-A0002", "gw-A0003"):
                if zone in ("", "Voisine" if gateway == "gw-A0003" else "Petite-Ville"):
                    wanted.setdefault(gateway, {})[zone] = version, set_to
        there = {
            gateway: {zone: (p.version, level(p.content)) for (_, zone), p in of.items()}
            for gateway, of in self.post.held.items()
        }
        assert {gateway: of for gateway, of in there.items() if of} == wanted
        assert self.post.kernel.deliveries.open == 0


def test_nothing_unlawful_passes_in_3_000_attempts() -> None:
    # What overtakes what is left to chance here; a test of its own makes it happen.
    told = ("token", "stale_request", "replayed", "right", "same_person", "hash", "content")
    try_out(ProgrammeAttempts, 3_000, told, 300, examples=50, steps=60)
