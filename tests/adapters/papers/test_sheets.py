"""What stands on the sheets, and what never does."""

from __future__ import annotations

import sqlite3
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from adapters.papers import handover, html, plain, shift_log, standing
from adapters.papers.folder import Folder
from adapters.papers.sheet import Part, Row, Sheet
from adapters.papers.tongue import Tongue
from core.clock import SECOND
from core.errors import JournalError
from core.journal import Record, SqliteJournal
from tests.adapters.papers.conftest import EVIL, SECRET, Night, at, bring

FR, EN = Tongue("fr"), Tongue("en")
HOUR = 3600 * SECOND


def log_of(folder: Folder, night: Night, t: Tongue = FR, **given) -> Sheet:
    return shift_log.make(folder, night.begin, folder.end(), t, folder.end(), **given)


def handed(folder: Folder, t: Tongue = FR, until: int | None = None) -> Sheet:
    end = folder.end()
    return handover.make(folder, end if until is None else until, 8, t, end)


def part(sheet: Sheet, heading: str) -> Part:
    return next(part for part in sheet.parts if part.heading.startswith(heading))


def cells(part: Part) -> list[tuple[str, ...]]:
    return [row.cells for row in part.rows]


# -- the shift log


def test_every_line_is_there_in_order_and_told_where_it_comes_from(folder: Folder, night: Night) -> None:
    noted = night.post.events_of("coordination.entry.noted")
    refused = night.post.events_of("coordination.act.refused")
    sheet = log_of(folder, night)
    rows = cells(sheet.parts[0])
    assert len(rows) == len(noted) + len(refused)
    told = [each for each in rows if each[2]]
    assert [(row[1], int(row[2]), row[4]) for row in told] == [
        (event.data.incident, event.data.n, event.data.by) for event in noted
    ]
    assert [row[3].removesuffix(" [scellé]") for row in told] == [event.data.text.fr for event in noted]
    assert sheet.warnings == []
    assert f"à {folder.last} du journal" in sheet.facts[0]
    assert "Chaîne vérifiée des enregistrements 1 à" in sheet.facts[1]


def test_a_refusal_is_a_line_with_who_what_and_why(folder: Folder, night: Night) -> None:
    french = [row[3] for row in cells(log_of(folder, night).parts[0])]
    english = [row[3] for row in cells(log_of(folder, night, EN).parts[0])]
    assert "Refusé à Anne : reprendre (the case is new)" in french
    assert "Refused to Anne: resume (the case is new)" in english


def test_one_case_and_case_by_case(folder: Folder, night: Night) -> None:
    one = log_of(folder, night, incident="C3")
    assert {row[1] for row in cells(one.parts[0])} == {"C3"}
    assert "cas C3" in one.title
    by_case = log_of(folder, night, by="case")
    assert [each.heading for each in by_case.parts] == [
        "C1 — Accident rue de la Liberté",
        "C2 — Enfant perdu",
        "C3 — Arbre tombé, parc",
        f"C4 — {EVIL.fr}",
    ]
    nothing = log_of(folder, night, incident="C99")
    assert "Aucune ligne sur le cas C99" in nothing.parts[0].empty


def test_a_time_is_told_from_its_begin_to_its_end(folder: Folder, night: Night) -> None:
    since, until = at(night, 10), at(night, 40)
    sheet = shift_log.make(folder, since, until, FR, until)
    noted = night.post.events_of("coordination.entry.noted")
    wanted = [event.data.n for event in noted if since <= event.at_utc <= until]
    assert 0 < len(wanted) < len(noted)
    assert [int(row[2]) for row in cells(sheet.parts[0])] == wanted
    empty = shift_log.make(folder, since - 2 * HOUR, since - HOUR, FR, until)
    assert "aucun enregistrement de ce temps-là" in empty.facts[0]


def test_titles_of_cases_that_did_not_change_in_the_time_are_known(folder: Folder, night: Night) -> None:
    sheet = shift_log.make(folder, at(night, 10), at(night, 20), FR, 0, by="case")
    assert sheet.parts[0].heading == "C1 — Accident rue de la Liberté"


# -- the handover sheet


def test_what_the_next_shift_must_know(folder: Folder) -> None:
    sheet = handed(folder)
    first, second, third = part(sheet, "Cas ouverts (3)").rows
    assert first.cells == ("C1", "P1", "Accident rue de la Liberté", "PERSONNE", "NOUVEAU", "1 min")
    assert first.below[0].startswith("Étape : Le 112 est-il prévenu ?")
    assert first.below[1] == "Suivi par chef de salle"
    assert len(first.below) == 2 + handover.LATEST
    assert second.cells[3:5] == ("Anne", "en cours")
    assert second.below[-1].endswith("Note de Anne [scellé]")
    assert first.strong
    assert second.strong
    assert third.cells[:2] == ("C4", "P3")
    assert [row[1:] for row in cells(part(sheet, "Cas finis"))] == [
        ("C3", "Arbre tombé, parc", "clos", "Anne")
    ]
    assert [row[1:] for row in cells(part(sheet, "Escaladé"))] == [
        ("C1", "Personne n'a pris le cas : chef de salle prévenu")
    ]
    assert [row[1:] for row in cells(part(sheet, "Sans réponse"))] == [
        ("C1", "des images; de l'éclairage; Y a-t-il des victimes ?"),
        ("C2", "des images; de l'éclairage; une unité (Recherche d'un enfant)"),
    ]
    assert cells(part(sheet, "Travaux bloqués")) == [
        ("P1", "Réparer, lieu inconnu", "", "à débloquer", "lieu inconnu")
    ]


def test_alarms_stand_by_priority_and_those_put_aside_say_by_whom_until_when(
    folder: Folder, night: Night
) -> None:
    sheet = handed(folder)
    assert [row[:4] for row in cells(part(sheet, "Alarmes présentes (2)"))] == [
        ("P1", "Cas que personne n'a pris", "1", "1"),
        ("P2", "Demande sans réponse", "1", "1"),
    ]
    (aside,) = cells(part(sheet, "Alarmes mises"))
    until = night.post.alarms["", "jobs_held"].shelved_until
    assert aside == (
        FR.short(until, folder.end()),
        "Travaux à débloquer",
        "le poste",
        "Bruno",
        "on attend l'adresse",
    )


def test_in_english_nothing_is_french(folder: Folder, night: Night) -> None:
    text = plain.text(handed(folder, EN)) + plain.text(log_of(folder, night, EN))
    for word in ("Étape", "scellé", "Personne", "Cas ", "Alarmes", "Réponse", "Prise", "depuis", "Fait "):
        assert word not in text
    assert "NOBODY" in text
    assert "[sealed]" in text
    assert "Cases that nobody has taken" in text


def test_the_snapshot_and_the_journal_alone_say_the_same(night: Night, data: Path, tmp_path: Path) -> None:
    whole = bring(night.post, tmp_path)
    with sqlite3.connect(whole / "journal.sqlite") as db:
        db.execute("DELETE FROM snapshot")
    with Folder(data) as stored, Folder(whole) as told:
        ids = night.post.kernel.city.assets.ids
        a, b = (standing.read(each, each.end(), ids) for each in (stored, told))
        assert (a.after, b.after) != (0, 0)
        assert b.after == 0
        assert [(c.key, c.state, c.owner, c.priority, c.step, c.watchers) for c in a.open_cases()] == [
            (c.key, c.state, c.owner, c.priority, c.step, c.watchers) for c in b.open_cases()
        ]
        assert {k: (w.state, w.team, w.reason) for k, w in a.works.items()} == {
            k: (w.state, w.team, w.reason) for k, w in b.works.items()
        }
        assert [a.stops(team) for team in ("E1", "E2", "E3")] == [
            b.stops(team) for team in ("E1", "E2", "E3")
        ]
        assert [cells(each) for each in handed(stored).parts] == [cells(each) for each in handed(told).parts]


def test_how_it_stood_in_the_past(folder: Folder, night: Night) -> None:
    sheet = handed(folder, until=at(night, 50))
    first = part(sheet, "Cas ouverts (3)").rows[0]
    assert first.below[0] == "Étape : Y a-t-il des victimes ?"
    assert not any(each.heading.startswith("Escaladé") for each in sheet.parts)
    assert [row[1] for row in cells(part(sheet, "Alarmes présentes"))] == [
        "Demande sans réponse",
        "Travaux à débloquer",
    ]
    assert not any(each.heading.startswith("Alarmes mises") for each in sheet.parts), "not yet"


def test_a_post_that_has_long_been_silent_is_told(folder: Folder) -> None:
    later = folder.end() + 3 * HOUR
    sheet = handover.make(folder, later, 8, FR, later)
    assert "n'a rien écrit depuis 3 h 00" in sheet.warnings[0]


# -- what never stands on paper


def everything(folder: Folder, night: Night) -> str:
    sheets = [make for t in (FR, EN) for make in (handed(folder, t), log_of(folder, night, t, by="case"))]
    return "".join(html.page(sheet) + plain.text(sheet) for sheet in sheets)


def test_sealed_words_are_never_there(folder: Folder, night: Night) -> None:
    text = everything(folder, night)
    assert SECRET not in text
    assert "Léa" not in text
    sealed = next(e.data.words for e in night.post.events_of("coordination.entry.noted") if e.data.words)
    assert night.post.opened(sealed) == SECRET, "the words are there to be found"
    assert sealed.person not in text


def test_words_in_clear_of_a_trade_gone_wrong_are_not_printed_either(night: Night, tmp_path: Path) -> None:
    def opened(seq: int, record: Record) -> Record:
        event = msgspec.msgpack.decode(record.data) if record.kind == "event" else {}
        if isinstance(event.get("data"), dict) and event["data"].get("words"):
            event["data"]["words"] = SECRET
            return Record(record.kind, record.step, record.utc, msgspec.msgpack.encode(event))
        return record

    with Folder(bring(night.post, tmp_path, corrupt=opened)) as folder:
        assert SECRET not in everything(folder, night)


class Tags(HTMLParser):
    """Which tags, and what they lead to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.leads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.leads += [value or "" for name, value in attrs if name in ("src", "href", "action")]


def test_a_title_cannot_become_a_script(folder: Folder, night: Night) -> None:
    page = html.page(handed(folder), log_of(folder, night, by="case"))
    assert "&lt;script&gt;" in page
    seen = Tags(page)
    assert "script" not in seen.tags
    assert seen.leads == []
    assert "http" not in page.replace("http-equiv", "")
    assert "url(" not in page


def test_neither_tongue_nor_title_can_leave_the_style() -> None:
    sheet = Sheet(language='"><script>', title='</style><script>"\\', parts=[Part(heading="a\x1b[31mb\n<b>")])
    page = html.page(sheet)
    assert Tags(page).tags <= {"html", "head", "meta", "title", "style", "body", "section", "h1", "h2"}
    assert page.count("</style>") == 1
    assert "\x1b" not in page + plain.text(sheet)


# -- journals that are empty, damaged, cut


def test_an_empty_journal_is_a_sheet_that_says_so(tmp_path: Path) -> None:
    SqliteJournal(tmp_path).close()
    with Folder(tmp_path) as folder:
        for t, said in ((FR, "Le journal est vide"), (EN, "The journal is empty")):
            assert said in handed(folder, t).warnings[0]
            assert said in shift_log.make(folder, 0, HOUR, t, HOUR).warnings[0]


def test_a_folder_without_a_journal_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"there is no journal here. Give the `data` folder"):
        Folder(tmp_path)


@pytest.mark.parametrize("content", [b"", b"no database at all, but long enough to look like one" * 40])
def test_a_file_that_is_no_journal_is_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "journal.sqlite").write_bytes(content)
    with pytest.raises(JournalError, match=r"the journal cannot be read: .* Keep this file"):
        Folder(tmp_path)


def test_pages_torn_out_of_the_file_are_a_sentence(night: Night, tmp_path: Path) -> None:
    bring(night.post, tmp_path)
    file = tmp_path / "journal.sqlite"
    whole = file.read_bytes()
    file.write_bytes(whole[:8192] + b"\xa5" * (len(whole) - 8192))
    with pytest.raises(JournalError, match="the journal cannot be read"), Folder(tmp_path) as folder:
        handed(folder)


def test_a_record_that_was_changed_is_told_above_everything(night: Night, tmp_path: Path) -> None:
    bring(night.post, tmp_path)
    with sqlite3.connect(tmp_path / "journal.sqlite") as db:
        seq, data = db.execute("SELECT seq, data FROM journal WHERE instr(data, 'Taken by Anne')").fetchone()
        db.execute("UPDATE journal SET data = ? WHERE seq = ?", (data.replace(b"Anne", b"Enna"), seq))
    with Folder(tmp_path) as folder:
        assert "LA CHAÎNE NE SE VÉRIFIE PAS" in log_of(folder, night).warnings[0]
        assert "THE CHAIN DOES NOT VERIFY" in log_of(folder, night, EN).warnings[0]


def test_a_record_that_is_missing_or_signed_by_another_is_told(night: Night, tmp_path: Path) -> None:
    for name, change, said in (
        ("cut", "DELETE FROM journal WHERE seq = 7", "7 manque"),
        (
            "forged",
            "UPDATE checkpoint SET note = substr(note, 1, length(note) - 13) || 'AAAAAAAAAAA='",
            "n'est pas signée",
        ),
        ("moved", "UPDATE checkpoint SET note = replace(note, 'ondijon', 'dondijon')", "n'est pas signée"),
    ):
        bring(night.post, tmp_path / name)
        with sqlite3.connect(tmp_path / name / "journal.sqlite") as db:
            db.execute(change)
        with Folder(tmp_path / name) as folder:
            assert said in log_of(folder, night).warnings[0]


def test_a_record_that_cannot_be_read_is_passed_over_and_told(night: Night, tmp_path: Path) -> None:
    noted = night.post.events_of("coordination.entry.noted")[3].seq

    def torn(seq: int, record: Record) -> Record:
        return Record(record.kind, record.step, record.utc, b"\xc1") if seq == noted else record

    with Folder(bring(night.post, tmp_path, corrupt=torn)) as folder:
        sheet = log_of(folder, night)
        assert f"({noted})" in sheet.warnings[0]
        assert len(sheet.parts[0].rows) == len(night.post.events_of("coordination.entry.noted"))


def test_it_is_read_beside_a_post_that_writes(night: Night, tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path)
    records = [record for _, record in night.post.journal.read()]
    journal.append(records[:50])
    while journal.durable().local < 50:
        pass
    with Folder(tmp_path) as folder:
        assert folder.last == 50
        journal.append(records[50:])
        while journal.durable().local < len(records):
            pass
        assert len(list(folder.rows(0, folder.last))) == 50, "one view, from the beginning to the end"
        assert "wait for a signature" in handed(folder, EN).facts[1]
    journal.close()


# -- paper and terminal


def test_text_keeps_to_its_width_and_its_columns() -> None:
    rows = [Row(("22:30", "x" * 300, "Anne"), ("y " * 90,)), Row(("", "b", ""))]
    sheet = Sheet(
        language="fr", title="t", parts=[Part(heading="h", columns=("à", "quoi", "par"), rows=rows, wide=1)]
    )
    lines = plain.text(sheet).splitlines()
    assert max(map(len, lines)) <= plain.WIDTH
    assert lines[3].startswith("à      quoi")
