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
    logins,
    partners,
    registers,
    sealed_values,
    segments,
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
    logins.TARGET,
    segments.TARGET,
    states.TARGET,
    journals.TARGET,
    sealed_values.TARGET,
    configs.TARGET,
    keyfiles.TARGET,
    *inventories.TARGETS,
)
BY_NAME = {target.name: target for target in ALL}
