"""The loosely typed objects of other vocabularies, read field by field with the place of each fault.

Only what an event of ours needs is ever looked at, so nothing else of theirs can be stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from domain.admission import CONTROL, TEXT_MAX
from domain.faults import Fault, step
from domain.money import is_currency, minor_units

IDENTIFIER_MAX: Final = 128
QUANTITY_MAX: Final = 9_999
_COUNT_MAX: Final = 10**9


class Fields:
    """One foreign object. An absent field, a null and an empty text are the same: nothing was said.

    Attributes:
        values: its fields.
        path: where it stands in the request.
        dialect: our first name for a field → the vocabulary's, to say what is missing in the sender's own words.
    """

    __slots__ = ("dialect", "path", "values")

    def __init__(self, values: Mapping[str, object], path: str, dialect: Mapping[str, str] | None = None) -> None:
        self.values = values
        self.path = path
        self.dialect = dialect or {}

    def find(self, *names: str) -> tuple[str, object]:
        """Gives path and value of the first field that says something, else the first path and None."""
        for name in names:
            value = self.values.get(name)
            if value is not None and value != "":
                return step(self.path, name), value
        return step(self.path, names[0]), None

    def missing(self, *names: str) -> Fault:
        """Gives the fault that none of these fields says anything."""
        name = self.dialect.get(names[0], names[0])
        return Fault("missing_field", f"one of these is required: {', '.join(names)}", step(self.path, name))

    def identifier(self, *names: str) -> str | None:
        """Reads an identifier of 1-128 printable characters; whole numbers count as their digits."""
        path, value = self.find(*names)
        if value is None:
            return None
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str) or len(value) > IDENTIFIER_MAX or not value.isprintable():
            raise Fault("invalid_value", f"an identifier is 1-{IDENTIFIER_MAX} printable characters", path)
        return value

    def required_identifier(self, *names: str) -> str:
        """Reads an identifier that must be there."""
        value = self.identifier(*names)
        if value is None:
            raise self.missing(*names)
        return value

    def text(self, *names: str, length_max: int = TEXT_MAX) -> str | None:
        """Reads a free text; numbers count as they are written."""
        path, value = self.find(*names)
        if value is None:
            return None
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str) or len(value) > length_max or CONTROL.search(value) is not None:
            raise Fault("invalid_value", f"a text has at most {length_max} characters and no control characters", path)
        return value

    def word(self, *names: str) -> str:
        """Reads a text as a word to compare: lower case, single spaces for `_` and `-`; empty if it is none."""
        _, value = self.find(*names)
        return normalised(value) if isinstance(value, str) else ""

    def count(self, *names: str) -> int | None:
        """Reads a whole number from 0, given as a number or a text; None if there is none."""
        path, value = self.find(*names)
        if value is None:
            return None
        number = _whole(value)
        if number is None or not 0 <= number <= 10**9:
            raise Fault("invalid_value", "a whole number from 0 to 1,000,000,000", path)
        return number

    def quantity(self) -> int:
        """Reads a quantity of 1-9,999; 1 if none is given."""
        path, value = self.find("quantity")
        if value is None:
            return 1
        number = _whole(value)
        if number is None or not 1 <= number <= QUANTITY_MAX:
            raise Fault("invalid_value", "a quantity is a whole number from 1 to 9,999", path)
        return number

    def currency(self) -> str | None:
        """Reads a currency, in either case."""
        path, value = self.find("currency", "currencyCode", "currency_code")
        if value is None:
            return None
        code = value.upper() if isinstance(value, str) else ""
        if not is_currency(code):
            raise Fault("invalid_value", "no currency of ISO 4217 that has a minor unit", path)
        return code

    def minor(self, currency: str | None, *names: str) -> int | None:
        """Reads an amount in major units and gives it in minor units of the currency, half up."""
        path, value = self.find(*names)
        if value is None:
            return None
        minor = minor_units(value, currency)
        if minor is None:
            raise Fault("invalid_value", "an amount is a decimal number from 0 to 10**12 minor units", path)
        return minor

    def part(self, name: str) -> Fields:
        """Gives the object in a field; an empty one if nothing is there."""
        path, value = self.find(name)
        if value is None:
            return Fields({}, path, self.dialect)
        if not isinstance(value, dict):
            raise Fault("invalid_value", "this is an object", path)
        return Fields(value, path, self.dialect)

    def parts(self, *names: str, length_max: int) -> tuple[Fields, ...]:
        """Gives the objects of a list; none if nothing is there."""
        path, value = self.find(*names)
        if value is None:
            return ()
        if not isinstance(value, list):
            raise Fault("invalid_value", "this is a list of objects", path)
        if len(value) > length_max:
            raise Fault("too_large", f"at most {length_max} items", path)
        for index, inner in enumerate(value):
            if not isinstance(inner, dict):
                raise Fault("invalid_value", "this is an object", f"{path}[{index}]")
        return tuple(Fields(inner, f"{path}[{index}]", self.dialect) for index, inner in enumerate(value))


def normalised(name: str) -> str:
    """Gives a name as the tables have it: `Product_Added`, `product-added` → `product added`."""
    return " ".join(name.replace("_", " ").replace("-", " ").casefold().split())


def _whole(value: object) -> int | None:
    """Gives a whole number that may be written as `2`, `2.0` or `"2"`."""
    if isinstance(value, str):
        value = int(value) if value.isascii() and value.strip().isdigit() and len(value) <= 20 else None
    if isinstance(value, Decimal):
        if not value.is_finite() or value.adjusted() > 20 or value != value.to_integral_value():
            return None
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
