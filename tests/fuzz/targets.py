"""All targets, in the order data takes: wire, link, files."""

from __future__ import annotations

from tests.fuzz import (
    changes,
    cities,
    configs,
    control,
    desk,
    frames,
    handover,
    inventories,
    journals,
    keyfiles,
    links,
    partners,
    registers,
    states,
)

ALL = (
    frames.TARGET,
    handover.TARGET,
    control.TARGET,
    links.TARGET,
    partners.TARGET,
    registers.TARGET,
    cities.TARGET,
    changes.TARGET,
    desk.TARGET,
    states.TARGET,
    journals.TARGET,
    configs.TARGET,
    keyfiles.TARGET,
    *inventories.TARGETS,
)
BY_NAME = {target.name: target for target in ALL}
