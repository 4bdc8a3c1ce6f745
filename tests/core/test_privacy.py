"""Personal data in a post: sealed everywhere, read by a word in the journal, erased without a trace or a crack."""

from __future__ import annotations

import msgspec
import pytest

from core import privacy
from core.clock import SECOND, Now
from core.operators import (
    ErasePersonal,
    OpenPersonal,
    PersonalErased,
    PersonalOpened,
    PersonalRead,
    ReadPersonal,
)
from core.sealed import Closed, Sealed
from core.wire import Refused
from ondijon.testing import City, Post
from tests.live.plugins import calls

CALLER, WORDS = "+33 3 80 74 51 51", "ma voisine Mme Dupont crie"
DAY = 86_400


@pytest.fixture
def post() -> Post:
    post = Post(City.small(), [calls], reload=True)
    post.event(
        "calls.call.received", {"caller": CALLER, "words": WORDS, "photo": b"\x89PNG", "about": "noise"}
    )
    post.run(seconds=0.2)
    assert post.faults == []
    return post


def clear_texts(post: Post) -> list[bytes]:
    """All that a post has written of its journal and its snapshots, where a clear text stands in it."""
    written = [record.data for record in post.journal.records] + [
        data for _, data in post.journal.snapshots()
    ]
    return [each for each in written if any(text.encode() in each for text in (CALLER, "Dupont", "PNG"))]


def test_what_is_personal_is_sealed_wherever_it_goes(post: Post) -> None:
    post.save()
    assert clear_texts(post) == []
    (case,) = post.events_of("calls.case.opened")
    assert isinstance(case.data.words, Sealed)
    row = post.views["calls.cases"]["1"]
    assert isinstance(row, calls.Row)
    assert post.opened(row.words) == WORDS
    kept = {
        line.field: (line.value, line.kept)
        for line in post.kept(CALLER)
        if line.kind == "calls.call.received"
    }
    assert kept == {
        "caller": (CALLER, "calls.contact"),
        "words": (WORDS, "calls.case"),
        "photo": (b"\x89PNG", "calls.case"),
    }


def test_a_trade_knows_that_somebody_calls_again_and_not_who(post: Post) -> None:
    post.event("calls.call.received", {"caller": "  +33 3 80 74  51 51 "})
    post.event("calls.call.received", {"caller": "112"})
    post.event("calls.call.received", {"words": "nobody's"})
    post.step()
    assert sorted(post.plugins[0].state.callers.values()) == [1, 2]


def test_after_an_erasure_nothing_can_be_read_and_nothing_has_changed(post: Post) -> None:
    post.save()
    written, digest = list(post.journal.records), post.digest()
    answer = post.erase(CALLER)
    assert isinstance(answer, PersonalErased)
    assert answer.keys == 2
    assert post.journal.records[:-1] == written, "the journal only grew"
    assert post.digest() == digest
    assert post.journal.records[answer.record - 1].kind == "erased"
    assert post.opened(post.views["calls.cases"]["1"].words) is Closed.ERASED
    assert post.kept(CALLER) == [], "nothing leads from the caller to what is left"
    lines = privacy.kept(post.journal.read(), answer.persons, post.vault)
    assert {line.value for line in lines} == {Closed.ERASED}
    post.crash()
    post.run(seconds=0.2)
    assert post.digest() == digest
    assert post.faults == []
    again = post.erase(CALLER)
    assert again == PersonalErased(0, [], 0)


def test_one_who_was_erased_and_calls_again_is_somebody_new(post: Post) -> None:
    before = post.vault.persons(CALLER)
    post.erase(CALLER)
    post.event("calls.call.received", {"caller": CALLER})
    post.step()
    assert not set(before) & set(post.vault.persons(CALLER))
    assert [line.value for line in post.kept(CALLER)] == [CALLER]


def test_each_class_goes_at_its_time(post: Post) -> None:
    def left() -> set[str]:
        return {line.field for line in post.kept(CALLER) if not isinstance(line.value, Closed)}

    post.jump(seconds=28.9 * DAY)
    post.step()
    assert left() == {"caller", "words", "photo"}
    post.jump(seconds=1.2 * DAY)
    post.step()
    assert left() == {"words", "photo"}
    (expired,) = [record for record in post.journal.records if record.kind == "expired"]
    assert [key[1] for key in msgspec.msgpack.decode(expired.data)["keys"]] == ["calls.contact"]
    post.jump(seconds=335 * DAY)
    post.step()
    assert post.vault.persons(CALLER) == [], "of whom nothing is kept nothing is known"
    assert len([record for record in post.journal.records if record.kind == "expired"]) == 2


def test_old_data_of_one_who_still_calls_go_too(post: Post) -> None:
    for _ in range(8):
        post.jump(seconds=5 * DAY)
        post.event("calls.call.received", {"caller": CALLER})
        post.step()
    values = [line.value for line in post.kept(CALLER) if line.field == "caller"]
    assert values == [Closed.ERASED] * 3 + [CALLER] * 6


def test_a_reading_is_a_word_in_the_journal(post: Post) -> None:
    now = Now(1, post.utc, post.mono)
    answer, record = post.privacy.take(b"", ReadPersonal(by="anna", subject=CALLER, why="she asked"), now)
    assert isinstance(answer, PersonalRead)
    assert answer.persons == post.vault.persons(CALLER)
    reading = msgspec.msgpack.decode(post.journal.records[record - 1].data, type=privacy.Reading)
    assert (reading.by, reading.persons, reading.why) == ("anna at the machine", answer.persons, "she asked")
    assert clear_texts(post) == []


@pytest.mark.parametrize(
    ("verbs", "commune", "reads", "erases"),
    [
        (("personal.read",), "Voisine", True, False),
        (("personal.erase",), "*", False, True),
        (("personal.erase",), "Voisine", False, False),
        (("lamp.dim",), "*", False, False),
        (("*",), "*", True, True),
    ],
)
def test_a_person_needs_todays_right(post: Post, verbs, commune, reads, erases) -> None:
    token = post.person("bob", verbs=verbs, commune=commune)
    now = Now(1, post.utc, post.mono)
    for request, may in ((ReadPersonal, reads), (ErasePersonal, erases)):
        said = post.privacy.take(b"", request(token=token, by="x", subject=CALLER, why="y"), now)
        refused = said is not None and isinstance(said[0], Refused)
        assert refused is not may
        if refused:
            assert said[0].reason == "right"
            record = msgspec.msgpack.decode(post.journal.records[said[1] - 1].data, type=privacy.Reading)
            assert record.refusal is not None


def test_what_is_emitted_or_shown_in_clear_is_refused() -> None:
    post = Post(City.small(), [calls], config={"calls": {"leaks": True}})
    post.event("calls.call.received", {"caller": CALLER, "words": WORDS})
    post.run(seconds=0.2)
    assert "its field 'words' is not sealed" in post.faults[0]
    assert post.events_of("calls.case.opened") == []
    assert [r for r in post.journal.records if b"in clear" in r.data] == []


def test_a_token_that_somebody_forged_or_moved_is_seen(post: Post) -> None:
    sealed = post.views["calls.cases"]["1"].words
    for change in (
        {"place": "calls.call.received caller"},
        {"data": sealed.data[:-1] + b"\0"},
        {"data": b""},
    ):
        assert post.opened(msgspec.structs.replace(sealed, **change)) is Closed.DAMAGED
    for change in ({"person": "ab"}, {"kept": "other"}, {"since": -1}):
        assert post.opened(msgspec.structs.replace(sealed, **change)) is Closed.ERASED


def test_two_runs_are_alike() -> None:
    digests = set()
    for _ in range(2):
        post = Post(City.small(), [calls])
        post.event("calls.call.received", {"caller": CALLER, "words": WORDS})
        post.run(seconds=0.2)
        digests.add(post.digest())
    assert len(digests) == 1


def test_an_erasure_that_was_journaled_and_not_crossed_out_is_not_told_twice(post: Post) -> None:
    post.journal.hold = True
    answer = post.erase(CALLER)
    assert isinstance(answer, PersonalErased)
    assert len(post.vault.words()) == 1
    post.journal.hold = False
    post.journal.append([])
    post.crash()
    post.run(seconds=1)
    assert len([record for record in post.journal.records if record.kind == "erased"]) == 1
    assert post.vault.words() == []


def test_an_erasure_that_did_not_reach_the_journal_is_told_at_the_next_start(post: Post) -> None:
    gone = post.vault.erase(post.vault.persons(CALLER), post.utc, "x", "y")
    assert gone is not None
    post.crash()
    post.run(seconds=1)
    (record,) = [record for record in post.journal.records if record.kind == "erased"]
    assert msgspec.msgpack.decode(record.data)["id"] == gone.id
    assert post.vault.words() == []


def test_time_counts_in_hours_of_the_city(post: Post) -> None:
    (line,) = [line for line in post.kept(CALLER) if line.field == "caller"]
    assert 29 * DAY * SECOND < line.expires_utc - line.at_utc <= 30 * DAY * SECOND


@pytest.mark.parametrize(
    ("commune", "trade", "opens"),
    [
        ("Petite-Ville", "calls", True),
        ("*", "*", True),
        ("Voisine", "calls", False),
        ("*", "lighting", False),
    ],
)
def test_an_event_is_opened_for_whom_it_concerns_and_for_nobody_else(
    post: Post, commune, trade, opens
) -> None:
    post.event("calls.call.received", {"caller": CALLER, "words": WORDS}, asset="L0001")
    record = post.journal.last()
    token = post.person("bob", verbs=["personal.read"], commune=commune, trade=trade)
    now = Now(1, post.utc, post.mono)
    answer, word = post.privacy.take(
        b"", OpenPersonal(token=token, by="x", record=record, why="call back"), now
    )
    assert isinstance(answer, PersonalOpened)
    assert answer.fields == ({"caller": CALLER, "words": WORDS} if opens else {})
    assert set(answer.closed.values()) == (set() if opens else {"no right"})
    reading = msgspec.msgpack.decode(post.journal.records[word - 1].data, type=privacy.Reading)
    assert (reading.by, reading.persons) == ("bob", post.vault.persons(CALLER))
    assert reading.why == f"record {record}: call back"
    post.erase(CALLER)
    answer, _ = post.privacy.take(b"", OpenPersonal(by="x", record=record, why="call back"), now)
    assert answer == PersonalOpened(record, {}, {"caller": "erased", "words": "erased"})


@pytest.mark.parametrize("record", [0, 3, 1 << 40])
def test_a_record_in_which_nothing_is_sealed_opens_to_nothing(post: Post, record: int) -> None:
    now = Now(1, post.utc, post.mono)
    answer, _ = post.privacy.take(b"", OpenPersonal(by="x", record=record, why="y"), now)
    assert answer.fields in ({}, {"words": WORDS})
