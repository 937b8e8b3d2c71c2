"""From a request's body to its events: the first step at the door, called by the gateway for each request.

A native event alone is the common case and decoded at once. Everything else is taken apart just far enough that each
event stands for itself: one that is bad never harms its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Raw, Struct

from domain.admission import admit
from domain.door import EVENT_BYTES_MAX, Accepted, Arrival, Door, Dropped, Outcome, Rejected
from domain.envelope import Envelope, Part, open_envelope
from domain.events import OutsideEvent
from domain.faults import BadBody, Fault, of_event
from domain.foreign_event import read_foreign
