"""A pytest plugin for the A2A conformance kit: every test gets message ids of its own.

The kit makes its ids unique per session, and uses one id for every task of a kind. An agent that answers
the same message the same way (A2A 1.0 section 3.3.1 lets it) then gives a later test the task an earlier
one has ended, and the kit skips the test. Nothing else of the kit is touched.
"""

import uuid

import pytest


@pytest.fixture(autouse=True)
def _fresh_ids(monkeypatch):
    from tck.requirements import base

    monkeypatch.setattr(base, "_SESSION", uuid.uuid4().hex[:8])
