"""Two forms of one value: with named fields, as people write trees, and as arrays, as trees lie at rest.

A packed class subclasses its named one, adding `array_like=True` and a small number as its tag.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from msgspec import Struct


def forms_of(*packed: type[Struct]) -> dict[type[Struct], type[Struct]]:
    """Gives the packed class of each named one."""
    return {form.__bases__[0]: form for form in packed}


def as_array(value: Any, forms: Mapping[type[Struct], type[Struct]]) -> Any:
    """Gives what the packed form of a value decodes from: tag and fields in order, without trailing None."""
    if isinstance(value, Struct):
        form = forms[type(value)]
        tag = form.__struct_config__.tag
        array = [] if tag is None else [tag]
        array += [as_array(getattr(value, name), forms) for name in form.__struct_fields__]
        while array and array[-1] is None:
            array.pop()
        return array
    if isinstance(value, tuple):
        return [as_array(item, forms) for item in value]
    return value


def named(value: Any) -> Any:
    """Gives the JSON form of a value in either form; fields that are None are left out, tuples become lists."""
    if isinstance(value, Struct):
        document = dict(_tag_of(type(value)))
        for name in value.__struct_fields__:
            item = getattr(value, name)
            if item is not None:
                document[name] = named(item)
        return document
    if isinstance(value, tuple):
        return [named(item) for item in value]
    return value


@cache
def _tag_of(form: type[Struct]) -> dict[str, Any]:
    """Gives the tag field of a form's named class with its value, nothing where it has none."""
    named_form: type[Struct] = form.__bases__[0] if form.__struct_config__.array_like else form
    config = named_form.__struct_config__
    return {} if config.tag is None or config.tag_field is None else {config.tag_field: config.tag}
