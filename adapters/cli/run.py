"""``ondijon run``: the service."""

from __future__ import annotations

from pathlib import Path

import click

from adapters.cli.check import check_config
from adapters.cli.follow import Follower, remember
from core import config as configs
from core.health import Health
from core.supervisor import Supervisor


@click.command()
@click.option(
    "--config",
    "file",
    required=True,
    type=click.Path(path_type=Path),
    help="The configuration, a TOML file; `ondijon example` prints one.",
)
def run(file: Path) -> None:
    """Run the post as a service, until SIGTERM.

    Starts and watches every process: the kernel, the edges, the adapters of the configuration. A process
    that dies is started again. The logs lie in DATA/run/*.log; `ondijon top` shows it live. SIGTERM stops
    adapters, then edges, then the kernel, so that nothing on its way is lost.

    \b
    Example:
      ondijon run --config /etc/ondijon/ondijon.toml
    """
    config = configs.load(file)
    for warning in check_config(config):
        click.secho(f"warning: {warning}", fg="yellow", err=True)
    supervisor = Supervisor(config, config.post.data / "run")
    remember(supervisor.folder)
    follower = Follower(supervisor.run.status_ipc)
    health = Health(config.health.address, config.health.port, lambda: follower.readiness(supervisor.alive()))
    click.echo(f"health: http://{config.health.address}:{health.port}/readyz")
    for name, endpoint in (
        ("telemetry", supervisor.run.endpoints.telemetry),
        ("control", supervisor.run.endpoints.control),
        ("events", supervisor.run.endpoints.events),
        ("partners", supervisor.run.endpoints.partners),
    ):
        click.echo(f"{name}: {endpoint}")
    health.start()
    supervisor.start()
    try:
        supervisor.watch()
    finally:
        supervisor.stop()
        health.stop()
        follower.close()
