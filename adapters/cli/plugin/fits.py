"""Could a post go on with its plugins as they lie on the disk now? ``python -m adapters.cli.plugin.fits RUN``.

A process of its own, because Python keeps what it has imported. It ends with 0, or with one sentence and the error's
exit status; the post is only read.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Mapping
from pathlib import Path

from core import city as cities
from core import plugins as plugin_host
from core import run as runs
from core import snapshot as snapshots
from core import vocabulary
from core.errors import OndijonError
from core.register import Numbering
from core.run import Run


def fits(run: Run) -> None:
    """Begin each plugin with the city and the state that the post has. Raises OndijonError."""
    plugins = plugin_host.load(run.plugins, run.plugin_folder)
    kinds = {kind.name: kind for plugin in plugins for kind in plugin.declaration.assets}
    kinds |= {kind.name: kind for kind in vocabulary.ASSETS}
    assets = cities.load_assets(run.assets_path).knowing(kinds)
    assets.validate({name: kind.attributes for name, kind in kinds.items()})
    city = cities.load(run.city).with_assets(assets)
    states = _states(run)
    for plugin in plugins:
        plugin.configure(run.plugin_config.get(plugin.name, {}))
        plugin.begin(city, states.get(plugin.name))
    Numbering.of(assets, [plugin.declaration for plugin in plugins]).register(0).check_room(run.edges.slots)


def _states(run: Run) -> Mapping[str, bytes]:
    db = sqlite3.connect(f"file:{run.data / 'journal.sqlite'}?mode=ro", uri=True)
    try:
        found = db.execute("SELECT data FROM snapshot ORDER BY seq DESC LIMIT 1").fetchone()
    finally:
        db.close()
    return snapshots.decode(found[0]).plugins if found else {}


def main() -> None:
    """Entry of the process."""
    try:
        fits(runs.load(Path(sys.argv[1])))
    except OndijonError as error:
        print(error, file=sys.stderr)
        raise SystemExit(error.exit_status) from None


if __name__ == "__main__":
    main()
