"""Fixtures of several sinks."""

from collections.abc import Iterator

import pytest

from tests.support.imported import Imported
from tests.support.project import Bake


@pytest.fixture
def timed(bake: Bake) -> Iterator[Imported]:
    """Import the package of a project with a timed file and no queue."""
    imported = Imported(bake(project_slug="timed-file", multiprocessing=False))
    yield imported
    imported.close()
