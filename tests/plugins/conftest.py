"""What tests of several trades share."""

from __future__ import annotations

import pytest

from tests.plugins.teamwork import Teamwork


@pytest.fixture
def teamwork() -> Teamwork:
    """A post with teams, in which a trade asks for jobs."""
    return Teamwork()
