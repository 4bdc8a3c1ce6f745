"""``ondijon plugin new``: a small trade that works, to begin from."""

from __future__ import annotations

import keyword
import re
import sys
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

import click

from core import plugins as plugin_host
from core import vocabulary
from core.errors import OndijonError

STARTER = Path(__file__).with_name("starter")

#: The starter's own name: wherever it stands, the new trade's comes.
STARTER_NAME = "crowds"

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


@click.command()
@click.argument("name")
@click.option("--package", is_flag=True, help="A package that others can install, not one file.")
@click.option(
    "--out",
    default=".",
    show_default=True,
    type=click.Path(path_type=Path),
    help="The folder to write into.",
)
def new(name: str, package: bool, out: Path) -> None:
    """Begin a trade called NAME.

    Writes one file and its test, or a folder ondijon-NAME with a package. It works as it stands: it counts
    people at the city's sensors and tells where many gather. Make it yours from there. Nothing is overwritten.

    \b
    Examples:
      ondijon plugin new footfall
      ondijon plugin new footfall --package --out ~/trades
    """
    check_name(name)
    written = write(name, package, out)
    for path in written:
        click.echo(path)
    folder, what = (out / f"ondijon-{name}", name) if package else (out, f"{name}.py")
    steps = [] if folder == Path() else [f"cd {folder}"]
    steps += ["pip install -e ."] if package else []
    steps += ["python -m pytest -q", f"ondijon plugin check {what}", f"ondijon plugin dev {what}"]
    click.echo("Next: " + " && ".join(steps))


def check_name(name: str) -> None:
    """Raise OndijonError where a trade cannot be called so."""
    why = ""
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        why = "is no name for a trade: a word of a-z, 0-9 and _, of at most 40 letters."
    elif name == vocabulary.POST:
        why = "is the kernel's own name."
    elif name in {entry.name for entry in entry_points(group=plugin_host.GROUP)}:
        why = "is taken by an installed plugin."
    elif name in sys.stdlib_module_names or find_spec(name) is not None:
        why = "is the name of another Python module here, which would be hidden."
    if why:
        raise OndijonError(f"{name!r} {why}", next="Choose another, such as `footfall`.")


def write(name: str, package: bool, out: Path) -> list[Path]:
    """Write the starter under another name; return what was written. Raises OndijonError, with nothing written."""
    source = STARTER / ("package" if package else "file")
    home = out / f"ondijon-{name}" if package else out
    files = {
        home / str(path.relative_to(source)).replace(STARTER_NAME, name): path.read_text("utf-8")
        for path in sorted(source.rglob("*"))
        if path.suffix in (".py", ".toml", ".md") and ".pytest_cache" not in path.parts
    }
    there = [path for path in files if path.exists()]
    if there:
        raise OndijonError(
            f"{there[0]} is there already.", next="Nothing was written. Choose another name or --out."
        )
    try:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace(STARTER_NAME, name), "utf-8")
    except OSError as error:
        raise OndijonError(
            f"cannot be written: {error.strerror}.", where=str(path), next="Choose another --out."
        ) from error
    return list(files)
