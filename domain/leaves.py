"""What every condition of a Shopping Experience Tree is: the facts it looks at, and how it explains itself."""

from __future__ import annotations

from typing import Annotated, Any, Generic, TypeVar

from msgspec import Meta, Struct

from domain.ids import Identifier
from domain.packing import named
from domain.records import Record, Why
from domain.shopper import Shopper

Seen = TypeVar("Seen")
Identifiers = Annotated[tuple[Identifier, ...], Meta(min_length=1)]


class Facts(Struct, frozen=True):
    """What a condition looks at.

    Attributes:
        state: of the shopper, after the event.
        record: the event, with what the catalogue knew of its products.
        seen: what conditions found out about the event, by what they asked: dozens of edges and campaigns ask the same.
    """

    state: Shopper
    record: Record
    seen: dict[str, Any] = {}


# Frozen, and made of strings, numbers and other conditions: no cycle can form, so the collector need not look at them.
class Condition(
    Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag_field="kind",
    gc=False,
):
    """Something that is true or false of the facts."""

    def holds(self, facts: Facts) -> bool:
        """Tells whether the condition is true of the facts."""
        raise NotImplementedError

    def explain(self, facts: Facts, why: list[Why]) -> bool:
        """Does what `holds` does, and adds to `why` each leaf that was evaluated on the way."""
        raise NotImplementedError


class Leaf(Condition, Generic[Seen], frozen=True, kw_only=True):
    """A condition without parts: observe one value, then judge it; explanations do the same, so they can't differ."""

    def observe(self, facts: Facts) -> Seen:
        """Gives the value that the condition looks at."""
        raise NotImplementedError

    def judge(self, seen: Seen) -> bool:
        """Tells whether the observed value meets the condition."""
        raise NotImplementedError

    def show(self, seen: Seen) -> Any:
        """Gives the observed value as JSON can carry it."""
        return seen

    def holds(self, facts: Facts) -> bool:
        """Tells whether the observed value meets the condition."""
        return self.judge(self.observe(facts))

    def explain(self, facts: Facts, why: list[Why]) -> bool:
        """Does what `holds` does, and adds the condition to `why` with what it saw."""
        seen = self.observe(facts)
        held = self.judge(seen)
        why.append(Why(condition=named(self), seen=self.show(seen), held=held))
        return held
