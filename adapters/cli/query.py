"""``ondijon query``: what the city showed, and what happened in it."""

from __future__ import annotations

import csv
import getpass
import json
import sys
from pathlib import Path
from typing import Any

import click
import zmq
from rich.table import Table as Drawing

from adapters.cli import screen
from adapters.cli.follow import last_run
from adapters.history import asked as messages
from adapters.history.asked import About, Answer, Asked, Kept, Query, Ready, Table
from core import run as runs
from core.errors import OndijonError
from core.run import Run
from core.wire import Refused

_PATH = click.Path(path_type=Path)

#: How much longer (s) than a question may take an answer is waited for: others may be before it.
PATIENCE_S = 90.0


@click.command()
@click.argument("sql", required=False, default="")
@click.option("--asset", help="All that one asset showed, minute by minute.")
@click.option("--street", help='One street by the hour, or "" for each; needs --metric.')
@click.option("--minute", help="What all assets showed at a minute, as 2026-01-15T22:59; needs --metric.")
@click.option("--metric", help="Of the questions above, such as lamp.power.")
@click.option("--day", default="", help="The city's day, as 2026-01-15; by default today.")
@click.option("--to", default="", help="The last of several days.")
@click.option("--json", "form", flag_value="json", help="A JSON list of objects, one a row.")
@click.option("--csv", "form", flag_value="csv", help="CSV, with a head.")
@click.option("--token", type=_PATH, help="File of a session token: who asks; else this machine's user.")
@click.option(
    "--run", "folder", type=_PATH, help="The run's folder, DATA/run; else that of the last post started here."
)
def query(
    sql: str,
    asset: str | None,
    street: str | None,
    minute: str | None,
    metric: str | None,
    day: str,
    to: str,
    form: str | None,
    token: Path | None,
    folder: Path | None,
) -> None:
    """Ask what the city showed, and what happened in it.

    SQL is one SELECT of DuckDB over two tables, as far as the asker may read them (history.read):

    \b
      minutes  a row an asset, metric and minute: minute (UTC), local (the city's time), trade, commune,
               street, kind, asset, metric, last, low, high, mean, total, count (samples; 0: it stood)
      events   alarms, commands, events: happened (UTC), local, received, topic, trade, commune, asset,
               name, key, data (JSON: data->>'$.state')

    Without SQL and options it tells what is kept. A question reads the days from --day to --to, and is bounded
    in time, memory and rows; docs/history.md tells more.

    \b
    Examples:
      ondijon query --asset L0001 --day 2026-01-15
      ondijon query --street "Rue de la Liberté" --metric lamp.power
      ondijon query --street "" --metric lamp.power --csv > streets.csv
      ondijon query --minute 2026-01-15T22:59 --metric lamp.level
      ondijon query "SELECT commune, avg(mean) FROM minutes WHERE metric = 'lamp.power' GROUP BY ALL"
    """
    run = runs.load(folder or last_run())
    secret, by = _token(token), getpass.getuser()
    ready: dict[Ready, tuple[str, str | None]] = {
        "asset": ("asset", asset),
        "street": ("street", street),
        "snapshot": ("minute", minute),
    }
    chosen = [name for name, (_, value) in ready.items() if value is not None]
    if not sql and not chosen:
        _show_kept(_ask(run, About(token=secret, by=by)))
        return
    if len(chosen) + bool(sql) > 1:
        raise click.UsageError("Ask one thing: SQL, --asset, --street or --minute.")
    question: Ready | None = chosen[0] if chosen else None
    parameters = {} if question is None else {ready[question][0]: ready[question][1] or ""}
    if metric is not None:
        parameters["metric"] = metric
    asking = Query(token=secret, by=by, sql=sql, ready=question, parameters=parameters, first=day, last=to)
    answer = _ask(run, asking)
    assert isinstance(answer, Table)
    _show(answer, form)


def _token(path: Path | None) -> bytes:
    try:
        return path.read_bytes() if path else b""
    except OSError as error:
        raise OndijonError(f"no token: {error.strerror}.", where=str(path), next="Log in again.") from error


def _ask(run: Run, question: Asked) -> Answer:
    """Ask the history, and wait for its answer. Raises OndijonError where it refuses, or says nothing."""
    if "history" not in run.adapter_config:
        raise OndijonError(
            "this post keeps no history.",
            where=str(run.folder),
            next="Add [adapters.history] and start it again.",
        )
    with zmq.Context.instance().socket(zmq.DEALER) as socket:
        socket.set(zmq.LINGER, 0)
        socket.set(zmq.MAXMSGSIZE, 2 * messages.ANSWER_MAX)
        socket.connect(messages.endpoint(run))
        socket.send(messages.encode(question))
        if not socket.poll(int(PATIENCE_S * 1000)):
            raise OndijonError(
                f"no answer for {PATIENCE_S:.0f} s.",
                where=str(run.folder / "history-1.log"),
                next="Is the post running? `ondijon top --once` shows it.",
            )
        answer = messages.decode_answer(socket.recv(zmq.DONTWAIT))
    if isinstance(answer, Refused):
        raise OndijonError(answer.what, where="history", next=answer.next)
    return answer


def _show(table: Table, form: str | None) -> None:
    if form == "json":
        rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
        click.echo(json.dumps(rows, ensure_ascii=False, default=str))
    elif form == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(table.columns)
        writer.writerows(table.rows)
    elif table.rows:
        drawn = Drawing(*table.columns)
        for row in table.rows:
            drawn.add_row(*map(_cell, row))
        screen.show(drawn)
    # What is said beside the rows must not get into a file of them.
    for path in table.passed_over:
        click.secho(f"passed over, it cannot be read: {path}", fg="yellow", err=True)
    if table.why:
        click.echo(f"No rows: {table.why}", err=True)
    elif table.truncated:
        click.secho(f"The first {len(table.rows)} rows: there are more.", fg="yellow", err=True)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}" if abs(value) < 1e6 else f"{value:,.1f}"
    # What a gateway or a person sent may hold what a terminal obeys.
    text = "" if value is None else str(value)
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text).replace(
        "[", r"\["
    )


def _show_kept(kept: Answer) -> None:
    assert isinstance(kept, Kept)
    if not kept.files:
        click.echo("Nothing that you may read is kept yet: a minute is, some seconds after it ended.")
        return
    click.echo(
        f"{kept.first} to {kept.last} (UTC), {kept.bytes / (1 << 20):,.1f} MiB in {kept.files:,} files."
    )
    drawn = Drawing("trade", "communes")
    for trade, communes in sorted(kept.places.items()):
        drawn.add_row(trade, ", ".join(communes))
    screen.show(drawn)
    counts = Drawing("since the start", "n")
    for name, n in kept.counts.items():
        counts.add_row(name, f"{n:,}")
    screen.show(counts)
    click.echo("`ondijon query --help` tells the tables and gives examples.")
