"""Commands, links and pictures in any page are there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from adapters.cli.main import main
from tests.docs.pages import (
    FENCE,
    OPERATIONS,
    PAGES,
    ROOT,
    named,
    section,
    table,
)


def all_commands(group: click.Group = main, path: str = "ondijon") -> dict[str, click.Command]:
    """Every command by its whole name."""
    found = {}
    for name, command in group.commands.items():
        found |= (
            all_commands(command, f"{path} {name}")
            if isinstance(command, click.Group)
            else {f"{path} {name}": command}
        )
    return found


def options_of(command: click.Command) -> set[str]:
    """The options of a command."""
    return {
        opt
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for opt in (*parameter.opts, *parameter.secondary_opts)
    }


def test_every_command_and_option_is_documented() -> None:
    _, rows = table(section(OPERATIONS, "## Commands"))
    told = {re.sub(r" \[?[A-Z]+\]?", "", row[0].strip("`")): set(named(row[1])) for row in rows}
    assert told == {name: options_of(command) for name, command in all_commands().items()}


@pytest.mark.parametrize("name", sorted(all_commands()))
def test_every_command_and_option_has_its_help(name: str) -> None:
    command = all_commands()[name]
    assert command.help
    assert len(command.get_short_help_str(limit=80)) <= 80
    assert not command.get_short_help_str(limit=80).endswith("...")
    assert [p.name for p in command.params if isinstance(p, click.Option) and not p.help] == []


def wrong_command(line: str) -> str | None:
    """Why a shell line with ``ondijon`` or ``make`` cannot be run; None if it can."""
    line = line.split(" # ")[0].strip().removeprefix("$ ")
    if Path(line.partition(" ")[0]).name not in ("make", "ondijon"):
        return None
    words = shlex.split(line)
    words = words[: next((i for i, word in enumerate(words) if word in (">", "|", "&", "&&", ";")), None)]
    if words[0] == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M)
        unknown = [word for word in words[1:] if "=" not in word and word not in targets]
        return f"no target {unknown[0]}" if unknown else None
    command: click.Command = main
    rest = words[1:]
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        if rest[0] not in command.commands:
            return f"no command {rest[0]}"
        command = command.commands[rest.pop(0)]
    unknown = [
        word.partition("=")[0]
        for word in rest
        if word.startswith("-")
        and word.partition("=")[0] not in options_of(command) | {"--help", "--version"}
    ]
    return f"no option {unknown[0]}" if unknown else None


def shell_lines(page: str) -> Iterator[str]:
    """The lines of a page's shell blocks, and what stands in backticks."""
    for block in re.findall(r"^```(?:sh|console|ini)\n(.*?)^```$", page, re.M | re.S):
        for line in block.replace("\\\n", " ").splitlines():
            yield re.sub(r"^Exec\w+=", "", line)
    for line in re.findall(r"^ {4}(ondijon .*)$", page, re.M):
        yield line
    for word in re.findall(r"`((?:ondijon|make) [^`]*)`", FENCE.sub("", page)):
        yield re.sub(r" (\[?[A-Z]+\]?|\.\.\.)(?= |$)", "", word)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_shown_exists(page: Path) -> None:
    lines = [line for line in shell_lines(page.read_text("utf-8")) if re.search(r"\b(ondijon|make)\b", line)]
    assert [(line, wrong_command(line)) for line in lines if wrong_command(line)] == []


def test_a_command_that_does_not_exist_is_seen() -> None:
    assert wrong_command("ondijon fly --high") == "no command fly"
    assert wrong_command("$ .venv/bin/ondijon demo --hedless | tail") == "no option --hedless"
    assert wrong_command("ondijon city import --lamps a.zip --out b") is None
    assert wrong_command("make coffee") == "no target coffee"
    assert wrong_command('make run ARGS="--speed 20"') is None
    assert list(shell_lines("```sh\nondijon run \\\n  --config a\n```\n`ondijon fly`\n")) == [
        "ondijon run    --config a",
        "ondijon fly",
    ]


def anchors(page: str) -> set[str]:
    """The anchors that GitHub gives a page's headings."""
    heads = re.findall(r"^#+ (.*)$", FENCE.sub("", page), re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def broken_links(page: Path, text: str) -> list[str]:
    """Links of a page to files or headings that are not there."""
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", text)):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if "://" in link:
            continue
        if not target.exists() or (anchor and anchor not in anchors(target.read_text("utf-8"))):
            broken.append(link)
    return broken


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    assert broken_links(page, page.read_text("utf-8")) == []


def test_a_broken_link_is_seen() -> None:
    page = ROOT / "README.md"
    assert broken_links(page, "[a](docs/none.md) [b](#none) [c](docs/hooks.md#proposals)") == [
        "docs/none.md",
        "#none",
    ]


def test_every_page_is_found_from_the_readme() -> None:
    seen, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop().resolve()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        text = page.read_text("utf-8")
        waiting += [page.parent / link for link in re.findall(r"\]\(([^)\s#:]+)\)", FENCE.sub("", text))]
    assert {str(page.relative_to(ROOT)) for page in PAGES if page not in seen} == set()
