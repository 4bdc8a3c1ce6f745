"""The pack: there whole or not at all, old ones go, and neither a disk nor a journal that fails stops anything."""

from __future__ import annotations

import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest
from click.testing import CliRunner
from structlog.testing import capture_logs

from adapters.cli.main import main
from adapters.papers import adapter as papers
from adapters.papers import html, pack, procedures
from adapters.papers.settings import Settings, Telephone
from adapters.papers.tongue import Tongue
from core import whole
from core.clock import SECOND
from core.errors import ConfigError
from core.journal import SqliteJournal
from plugins.coordination.procedure import delivered
from tests.runs import alone

DAY = 86_400 * SECOND
NOW = 1_768_514_400 * SECOND
PARIS = ZoneInfo("Europe/Paris")
SHEETS = [
    "1-releve.html",
    "2-telephones.html",
    "3-fiches.html",
    "4-missions.html",
    "5-travaux.html",
    "6-main-courante.html",
]


def us(text: str) -> int:
    return int(datetime.datetime.fromisoformat(text).timestamp()) * SECOND


def test_all_of_it_is_there_and_the_index_leads_to_it(data: Path, tmp_path: Path) -> None:
    settings = Settings(telephones=(Telephone(who="Astreinte <b>", number="03 80 00 00 00"),))
    written = pack.write(data, tmp_path / "out", settings, None, NOW)
    assert (written.sheets, written.missing) == (SHEETS, [])
    assert sorted(path.name for path in written.folder.iterdir()) == sorted(
        [*SHEETS, "index.html", "tout.html"]
    )
    index = (tmp_path / "out" / "index.html").read_text("utf-8")
    for name in (*SHEETS, "tout.html"):
        assert f'href="{written.folder.name}/{name}"' in index
    everything = (written.folder / "tout.html").read_text("utf-8")
    for said in (
        "Accident rue de la Liberté",
        "Astreinte &lt;b&gt;",
        "Enfant perdu (v1)",
        "Changer la lampe",
    ):
        assert said in everything
    assert everything.count("<section>") == len(SHEETS)


def test_every_step_of_every_procedure_is_on_paper() -> None:
    known, wrong = procedures.known(None)
    assert wrong == []
    assert [each.name for each in known] == sorted(each.name for each in delivered())
    for t in (Tongue("fr"), Tongue("en")):
        sheet = procedures.make(None, t)
        page = html.page(sheet)
        for procedure, part in zip(sorted(delivered(), key=lambda each: each.name), sheet.parts, strict=True):
            assert [row.cells[1] for row in part.rows] == [t.of(step.text) for step in procedure.steps]
            assert part.boxes
        assert page.count('<td class="box">') == sum(len(each.steps) for each in delivered())


def test_a_city_s_own_procedure_goes_before_ours_and_one_that_is_wrong_is_told(tmp_path: Path) -> None:
    own = {
        "name": "foule",
        "version": 7,
        "title": {"fr": "Notre foule", "en": "Our crowd"},
        "categories": ["crowd"],
        "steps": [{"id": "fin", "text": {"fr": "Fini", "en": "Over"}, "end": "closed"}],
    }
    run = msgspec.structs.replace(
        alone(tmp_path, plugins=("coordination",)),
        plugin_config={"coordination": {"procedures": [own, {"name": "half"}]}},
    )
    known, wrong = procedures.known(run)
    assert [(each.version, each.title.fr) for each in known if each.name == "foule"] == [(7, "Notre foule")]
    assert len(wrong) == 1
    assert "Notre foule (v7)" in html.page(procedures.make(run, Tongue()))


def test_old_packs_go_and_the_newest_stays(data: Path, tmp_path: Path) -> None:
    settings = Settings(keep_days=2)
    for day in range(5):
        pack.write(data, tmp_path, settings, None, NOW + day * DAY)
    assert len(pack.packs(tmp_path)) == 3
    (tmp_path / "pack-mine").mkdir()
    later = pack.write(data, tmp_path, settings, None, NOW + 100 * DAY)
    assert pack.packs(tmp_path) == [later.folder]
    back = pack.write(data, tmp_path, settings, None, NOW - 100 * DAY)
    assert back.folder in pack.packs(tmp_path)
    assert (tmp_path / "pack-mine").is_dir(), "what is not ours is left alone"


def test_two_at_the_same_moment_are_two(data: Path, tmp_path: Path) -> None:
    first, second = (pack.write(data, tmp_path, Settings(), None, NOW) for _ in range(2))
    assert first.folder != second.folder
    assert f'href="{second.folder.name}/tout.html"' in (tmp_path / "index.html").read_text("utf-8")


def test_a_disk_that_fills_leaves_the_last_pack_as_it_was(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = pack.write(data, tmp_path, Settings(), None, NOW)
    index = (tmp_path / "index.html").read_text("utf-8")
    real, count = whole.write, 0

    def write(path: Path, content: bytes, mode: int) -> None:
        nonlocal count
        count += 1
        if count > 3:
            raise OSError(28, "No space left on device", str(path))
        real(path, content, mode)

    monkeypatch.setattr(whole, "write", write)
    with pytest.raises(OSError, match="No space left"):
        pack.write(data, tmp_path, Settings(), None, NOW + DAY)
    assert (tmp_path / "index.html").read_text("utf-8") == index
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index.html", first.folder.name]


def test_a_journal_that_is_damaged_takes_neither_telephones_nor_procedures(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").write_bytes(b"nothing of use")
    written = pack.write(tmp_path, tmp_path / "out", Settings(lang="en"), None, NOW)
    assert written.sheets == ["2-telephones.html", "3-fiches.html"]
    assert "the journal cannot be read" in written.missing[0]
    assert "the journal cannot be read" in (written.folder / "index.html").read_text("utf-8")


# -- the process


@pytest.mark.parametrize(
    ("now", "at", "then"),
    [
        ("2026-01-15T03:59:59+01:00", "04:00", "2026-01-15T04:00:00+01:00"),
        ("2026-01-15T04:00:00+01:00", "04:00", "2026-01-16T04:00:00+01:00"),
        ("2026-03-28T12:00:00+01:00", "02:30", "2026-03-29T03:30:00+02:00"),
        ("2026-10-24T12:00:00+02:00", "02:30", "2026-10-25T02:30:00+02:00"),
        ("2026-10-25T02:30:00+02:00", "02:30", "2026-10-26T02:30:00+01:00"),
        ("2026-12-31T23:59:00+01:00", "04:00", "2027-01-01T04:00:00+01:00"),
    ],
)
def test_when_the_next_pack_is_due(now: str, at: str, then: str) -> None:
    assert papers.next_time(us(now), at, PARIS) == us(then)


class Process:
    """The process without its loop; ``utc`` and ``mono`` are its clocks."""

    def __init__(self, data: Path, **settings: object) -> None:
        self.utc, self.mono = NOW, 0.0
        self.data = data
        self.night = papers.Night(
            alone(data / "run", data=data, plugins=("coordination",)),
            Settings(**settings),  # type: ignore[arg-type]
            lambda: self.utc,
            lambda: self.mono,
        )

    def after(self, seconds: float) -> bool:
        """Whether it writes one after so long."""
        self.utc, self.mono = self.utc + int(seconds * SECOND), self.mono + seconds
        return self.night.turn() is not None


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A post that has just been made."""
    SqliteJournal(tmp_path).close()
    return tmp_path


def test_one_at_the_start_and_one_each_night(empty: Path) -> None:
    process = Process(empty)
    assert not process.after(1), "the journal has not begun"
    assert process.after(30)
    assert not process.after(3600)
    process.utc = papers.next_time(process.utc, "04:00", None) - SECOND
    assert not process.after(0.5)
    assert process.after(1)
    assert not process.after(1)
    assert len(pack.packs(empty / "papers")) == 2


def test_a_missing_folder_is_one_sentence_and_is_tried_again(empty: Path) -> None:
    process = Process(empty, folder=empty / "not" / "mounted")
    with capture_logs() as said:
        assert not process.after(31)
        assert not process.after(61)
        assert not process.after(61)
    assert ["paper pack was not written" in each.get("why", "") for each in said] == [True]
    (empty / "not").mkdir()
    assert process.after(61)


def test_settings_are_checked() -> None:
    with pytest.raises(ConfigError, match=r"\[adapters.papers\]"):
        papers.adapter.configure({"at": "25:00"})
    given = papers.adapter.configure(
        {"folder": "/mnt/print", "telephones": [{"who": "SDIS", "number": "18"}]}
    )
    assert given.folder == Path("/mnt/print")


# -- the commands


def test_the_commands_print_and_write(data: Path, tmp_path: Path) -> None:
    ask = CliRunner()
    printed = ask.invoke(main, ["shift-log", str(data), "--incident", "C3"])
    assert printed.exit_code == 0, printed.output
    assert "Clos par Anne [scellé]" in printed.output
    out = tmp_path / "releve.html"
    written = ask.invoke(main, ["handover", str(data), "--lang", "en", "--out", str(out)])
    assert written.exit_code == 0, written.output
    assert "Open cases (3)" in out.read_text("utf-8")
    packed = ask.invoke(main, ["papers", str(data), "--out", str(tmp_path / "packs"), "--lang", "en"])
    assert packed.exit_code == 0, packed.output
    assert "All screens are dark" in (tmp_path / "packs" / "index.html").read_text("utf-8")


def test_what_goes_wrong_is_a_sentence_and_a_status(data: Path, tmp_path: Path) -> None:
    ask = CliRunner()
    for arguments, status, said in (
        (["handover", str(tmp_path)], 74, "there is no journal here"),
        (["shift-log", str(data), "--from", "2026-01-15T22:59"], 2, "is no time with its zone"),
        (
            ["shift-log", str(data), "--from", "2027-01-01T00:00:00Z", "--to", "2026-01-01T00:00:00Z"],
            2,
            "later than --to",
        ),
        (["handover", str(data), "--out", str(tmp_path / "no" / "x.html")], 70, "Name another file"),
        (["papers", str(data), "--out", str(tmp_path / "no" / "x")], 70, "was not written"),
    ):
        told = ask.invoke(main, arguments)
        assert (told.exit_code, said in told.output) == (status, True), (arguments, told.output)
