"""A pytest plugin for the A2A conformance kit: every message it sends gets an id of its own.

The kit makes its ids unique per session, and uses one id for all messages of a kind. An agent that answers
the same message the same way (A2A 1.0 section 3.3.1 lets it) then gives a later test the task an earlier
one has ended, or takes a second message for the first one sent again. Nothing else of the kit is touched.
"""

import uuid

from tck.requirements import base


class _Fresh:
    """Stands for the session's suffix, and is another one whenever it is written."""

    def __format__(self, _spec: str) -> str:
        return uuid.uuid4().hex[:8]


base._SESSION = _Fresh()
