"""The ``ondijon`` command."""

from __future__ import annotations

import click

from adapters.cli.audit import audit
from adapters.cli.check import check
from adapters.cli.city import city
from adapters.cli.demo import demo
from adapters.cli.example import example
from adapters.cli.keys import keys
from adapters.cli.papers import handover, papers, shift_log_command
from adapters.cli.partner import partner
from adapters.cli.person import person
from adapters.cli.plugin.group import plugin
from adapters.cli.privacy import privacy_group
from adapters.cli.query import query
from adapters.cli.replay import replay_command
from adapters.cli.requests import desk
from adapters.cli.run import run
from adapters.cli.top import top
from core import logs
from core.errors import OndijonError
from ondijon import __version__


class Group(click.Group):
    """A group whose errors are one clear sentence and an exit status, never a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except OndijonError as error:
            click.secho(f"ondijon: {error}", fg="red", err=True)
            ctx.exit(error.exit_status)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Run a whole city from one post.

    \b
    Begin here:
      ondijon demo                       a living city of Dijon's size, and its page
      ondijon city import --help         a real city from its inventories
      ondijon example > ondijon.toml     a configuration to begin with
      ondijon check ondijon.toml         is it right?
      ondijon run --config ondijon.toml  the service
      ondijon keys --help                who may connect to it
      ondijon person --help              who may log in, and what they may
      ondijon desk --help                ask it something, as a person
      ondijon plugin new NAME            write a trade of your own
      ondijon top                        what it does, live
      ondijon query --help               what it was, minute by minute
      ondijon audit verify DATA          is its journal what was written?
      ondijon replay DATA                take a recorded time again, bit for bit
      ondijon privacy report SUBJECT     what is kept of a person?
      ondijon handover DATA              what whoever takes the post must know
      ondijon papers --help              the post on paper, for when screens are dark

    Every command tells more with --help. An error is one sentence and an exit status: 78 a wrong
    configuration, 65 a city or state that cannot be used, 74 a journal that cannot be written.
    """
    logs.begin()


for command in (
    demo,
    city,
    example,
    check,
    run,
    keys,
    person,
    partner,
    plugin,
    top,
    query,
    audit,
    privacy_group,
    desk,
    replay_command,
    shift_log_command,
    handover,
    papers,
):
    main.add_command(command)
