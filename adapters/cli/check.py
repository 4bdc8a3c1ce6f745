"""``ondijon check``: is this configuration right, and do the plugins fit together?"""

from __future__ import annotations

from pathlib import Path

import click

from core import adapter as adapters
from core import city as cities
from core import config as configs
from core import plugins as plugin_host
from core import vocabulary
from core.config import Config
from core.errors import ConfigError
from core.limits import files_needed, files_possible
from core.register import Numbering


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--test", is_flag=True, help="Play the trades' own examples too: do their rules do what they should?"
)
def check(file: Path, test: bool) -> None:
    """Check the configuration FILE without starting anything.

    Loads the plugins, the adapters' settings and the city. Says file, key, what is wrong and what is
    expected, and exits 78 (65: the city); exits 0 when the post could start.

    \b
    Example:
      ondijon check ondijon.toml && systemctl restart ondijon
      ondijon check --test ondijon.toml      after a change of rules
    """
    config = configs.load(file)
    for warning in check_config(config):
        click.secho(f"warning: {warning}", fg="yellow")
    post = config.post
    click.echo(
        f"{file}: right. Plugins: {', '.join(post.plugins)}. Adapters: {', '.join(config.adapters) or 'none'}."
    )
    if test:
        wrong = examine(config)
        for sentence in wrong:
            click.secho(sentence, fg="red", err=True)
        if wrong:
            raise SystemExit(ConfigError.exit_status)
        click.echo("The trades' examples come out as they should.")


def examine(config: Config) -> list[str]:
    """What trades say of their own data, in this city. Raises OndijonError where one cannot start in it."""
    city = cities.load(config.post.city)
    said = []
    for plugin in plugin_host.load(config.post.plugins, config.post.plugin_folder):
        plugin.configure(config.plugins.get(plugin.name, {}))
        plugin.begin(city, None)
        said += [f"{plugin.name}: {sentence}" for sentence in plugin.examine()]
    return said


def check_config(config: Config) -> list[str]:
    """Load all the configuration names; return warnings. Raises OndijonError at the first error."""
    plugins = plugin_host.load(config.post.plugins, config.post.plugin_folder)
    for plugin in plugins:
        plugin.configure(config.plugins.get(plugin.name, {}))
    for name, table in config.adapters.items():
        adapters.load(name).configure(table)
    declarations = [plugin.declaration for plugin in plugins]
    warnings = plugin_host.check_declarations(declarations)
    keep_days = config.journal.keep_days
    for each in config.privacy.classes(declarations):
        if 0 < keep_days < each.days:
            warnings.append(
                f"{each.name} is kept for {each.days} days, the journal only for {keep_days} (`[journal] keep_days`)."
            )
    assets = cities.load(config.post.city).assets
    kinds = [*vocabulary.ASSETS, *(kind for d in declarations for kind in d.assets)]
    unowned = assets.validate({kind.name: kind.attributes for kind in kinds})
    Numbering.of(assets, declarations).register(0).check_room(config.edges.slots)
    for kind in unowned:
        warnings.append(
            f"{len(assets.of_kind(kind))} assets of kind {kind!r} belong to no allowed plugin: they stay dumb."
        )
    wanted, possible = files_needed(config.edges.sessions), files_possible()
    if possible < wanted:
        warnings.append(
            f"{config.edges.sessions} sessions need {wanted} open files an edge, this user may have {possible}: "
            "gateways beyond stay outside. Raise the hard limit (LimitNOFILE= in systemd, `ulimit -Hn`), "
            "or lower `sessions` in [edges]."
        )
    return warnings
