"""Reads a JSON value as a type and lists every fault on the way, each with its path: what people need to mend a file.

`msgspec.convert` stops at the first fault. Here a value that does not convert is taken apart, and each part is read
for itself, so one wrong number doesn't hide the next.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from math import isfinite
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec import Meta, Struct, structs

from domain.ids import Identifier

Rule = Callable[[Any, str], Iterator[str]]
"""Gives what is wrong with a value of the right type that stands at a path: whole faults, path included."""

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]+")
_SHOWN_MAX = 80


def read(value: object, kind: Any, path: str, rules: Mapping[type, Rule], faults: list[str]) -> Any:
    """Adds to `faults` everything that keeps a JSON value from being of a type and from keeping the type's rules.

    Args:
        value: of dicts, lists, strings, numbers, booleans and None.
        kind: a type that `msgspec.convert` knows.
        path: where the value stands, like `$.nodes`.
        rules: by struct class; they see values of the right type alone.
        faults: what was found so far.

    Returns:
        The value as that type, None where it is none.
    """
    try:
        made = msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        before = len(faults)
        _take_apart(value, kind, path, rules, faults)
        if len(faults) == before:
            faults.append(f"{path}: {_expectation(str(error), kind)}, found {shown(value)}")
    else:
        if not _is_sound(made, rules):
            faults.extend(_broken_rules(made, path, rules))
        return made
    return None


def inside(path: str, name: str) -> str:
    """Gives the path of a field: `$.nodes.start`, or `$.nodes["a b"]` where a dot would mislead."""
    return f"{path}.{name}" if _PLAIN_NAME.fullmatch(name) else f"{path}[{shown(name)}]"


def name_of(name: str) -> str:
    """Gives a name as a sentence shows it: as it is, or in quotes where it would mislead."""
    return name if _PLAIN_NAME.fullmatch(name) else shown(name)


def shown(value: object) -> str:
    """Gives a value as a fault shows it: JSON, cut where it is long."""
    try:
        text = msgspec.json.encode(value).decode()
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError):
        text = f"a {type(value).__name__}"
    if isinstance(value, float) and not isfinite(value):
        text = str(value)
    return text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX] + "…"


def _take_apart(value: object, kind: Any, path: str, rules: Mapping[type, Rule], faults: list[str]) -> None:
    """Reads each part of a value that as a whole is not of its type."""
    kind, meta = _bare(kind)
    options = [_bare(option)[0] for option in get_args(kind)] if _is_union(kind) else [kind]
    if isinstance(value, dict):
        forms = [option for option in options if isinstance(option, type) and issubclass(option, Struct)]
        if len(forms) > 1 or (forms and forms[0].__struct_config__.tag is not None):
            _read_tagged(value, forms, path, rules, faults)
        elif forms:
            _read_fields(value, forms[0], path, rules, faults)
        elif get_origin(options[0]) is dict:
            _read_items(value, options[0], path, rules, faults)
    elif isinstance(value, list | tuple):
        for option in options:
            if get_origin(option) is tuple:
                if _too_few_or_many(value, meta):
                    faults.append(f"{path}: {_expectation('', Annotated[option, meta])}, found {len(value)}")
                for index, item in enumerate(value):
                    read(item, get_args(option)[0], f"{path}[{index}]", rules, faults)


def _read_tagged(
    value: dict[Any, Any], forms: list[type[Struct]], path: str, rules: Mapping[type, Rule], faults: list[str]
) -> None:
    """Reads a value whose tag says which of several types it is."""
    field = forms[0].__struct_config__.tag_field
    assert field is not None
    by_tag = {form.__struct_config__.tag: form for form in forms}
    if field not in value:
        faults.append(f"{inside(path, field)}: missing, one of {', '.join(map(str, by_tag))}")
        return
    tag = value[field]
    if not isinstance(tag, str) or tag not in by_tag:
        faults.append(f"{inside(path, field)}: {shown(tag)} is none of {', '.join(map(str, by_tag))}")
        return
    _read_fields(value, by_tag[tag], path, rules, faults)


def _read_fields(
    value: dict[Any, Any], form: type[Struct], path: str, rules: Mapping[type, Rule], faults: list[str]
) -> None:
    """Reads the fields of a struct, the unknown and the missing included."""
    fields = _fields(form)
    for name, item in value.items():
        if name in fields:
            read(item, fields[name].type, inside(path, name), rules, faults)
        elif name != form.__struct_config__.tag_field:
            known = ", ".join(fields)
            faults.append(f"{inside(path, str(name))}: unknown field {shown(name)}, known here are {known}")
    for name, field in fields.items():
        if field.required and name not in value:
            faults.append(f"{inside(path, name)}: missing")


def _read_items(value: dict[Any, Any], kind: Any, path: str, rules: Mapping[type, Rule], faults: list[str]) -> None:
    """Reads the names and values of a dict."""
    name_kind, item_kind = get_args(kind)
    for name, item in value.items():
        try:
            msgspec.convert(name, name_kind)
        except msgspec.ValidationError as error:
            faults.append(f"{path}: {_expectation(str(error), name_kind)} as a name, found {shown(name)}")
        read(item, item_kind, inside(path, str(name)), rules, faults)


def _is_sound(made: object, rules: Mapping[type, Rule]) -> bool:
    """Tells whether `_broken_rules` has nothing to give, in a fraction of its time: it builds no paths."""
    if isinstance(made, Struct):
        form = type(made)
        rule = rules.get(form)
        if rule is not None and next(rule(made, ""), None) is not None:
            return False
        if any(next(_unprintable(getattr(made, name), ""), None) for name in _identifier_fields(form)):
            return False
        return all(_is_sound(getattr(made, name), rules) for name in _part_fields(form))
    if isinstance(made, tuple | dict):
        return all(_is_sound(item, rules) for item in (made.values() if isinstance(made, dict) else made))
    return True


def _broken_rules(made: object, path: str, rules: Mapping[type, Rule]) -> Iterator[str]:
    """Gives what a value of the right type breaks, in all its depth."""
    rule = rules.get(type(made))
    if rule is not None:
        yield from rule(made, path)
    if isinstance(made, Struct):
        for name in _identifier_fields(type(made)):
            yield from _unprintable(getattr(made, name), inside(path, name))
    for part, at in _parts(made, path):
        if isinstance(part, Struct | tuple | dict):
            yield from _broken_rules(part, at, rules)


def _parts(made: object, path: str) -> Iterator[tuple[object, str]]:
    """Gives the parts of a value with their paths."""
    if isinstance(made, Struct):
        for name in made.__struct_fields__:
            yield getattr(made, name), inside(path, name)
    elif isinstance(made, dict):
        for name, item in made.items():
            yield item, inside(path, name)
    elif isinstance(made, tuple):
        for index, item in enumerate(made):
            yield item, f"{path}[{index}]"


def _unprintable(item: object, path: str) -> Iterator[str]:
    """Gives the identifiers that hold characters which can't be printed; length is a matter of the type."""
    if isinstance(item, str) and not item.isprintable():
        yield f"{path}: an identifier has printable characters alone, found {shown(item)}"
    elif isinstance(item, tuple):
        for index, part in enumerate(item):
            if isinstance(part, str):
                yield from _unprintable(part, f"{path}[{index}]")
    elif isinstance(item, dict):
        for name in item:
            if not name.isprintable():
                yield f"{path}: a name has printable characters alone, found {shown(name)}"


@cache
def _fields(form: type[Struct]) -> dict[str, structs.FieldInfo]:
    return {field.encode_name: field for field in structs.fields(form)}


@cache
def _identifier_fields(form: type[Struct]) -> tuple[str, ...]:
    return tuple(field.name for field in structs.fields(form) if _mentions_identifier(field.type))


@cache
def _part_fields(form: type[Struct]) -> tuple[str, ...]:
    """Gives the fields that may hold structs."""
    return tuple(field.name for field in structs.fields(form) if _mentions_struct(field.type))


def _mentions_struct(kind: Any) -> bool:
    return (isinstance(kind, type) and issubclass(kind, Struct)) or any(map(_mentions_struct, get_args(kind)))


def _mentions_identifier(kind: Any) -> bool:
    return kind == Identifier or any(_mentions_identifier(part) for part in get_args(kind))


def _bare(kind: Any) -> tuple[Any, Meta | None]:
    """Gives a type without its bounds, and these; of an optional type the type alone."""
    if _is_union(kind):
        options = [option for option in get_args(kind) if option is not type(None)]
        return _bare(options[0]) if len(options) == 1 else (Union[tuple(options)], None)  # noqa: UP007
    if get_origin(kind) is Annotated:
        inner, *bounds = get_args(kind)
        return inner, next((bound for bound in bounds if isinstance(bound, Meta)), None)
    return kind, None


def _is_union(kind: Any) -> bool:
    return get_origin(kind) in (Union, UnionType)


def _too_few_or_many(value: list[Any] | tuple[Any, ...], meta: Meta | None) -> bool:
    if meta is None:
        return False
    return len(value) < (meta.min_length or 0) or (meta.max_length is not None and len(value) > meta.max_length)


def _literals(kind: Any) -> list[Any]:
    """Gives the values that a type of literals allows, nothing for other types."""
    bare = _bare(kind)[0]
    if get_origin(bare) is Literal:
        return list(get_args(bare))
    if _is_union(bare):
        return [value for option in get_args(bare) for value in _literals(option)]
    return []


def _expectation(message: str, kind: Any) -> str:
    """Gives what was expected: in the type's own words (`Meta.description`) where it has some, else in msgspec's.

    Those become a part of a sentence: `Expected `int` >= 1 - at `$.x`` → `expected int >= 1`.
    """
    allowed = _literals(kind)
    if allowed:
        return f"expected {'one of ' if len(allowed) > 1 else ''}{', '.join(map(str, allowed))}"
    meta = _bare(kind)[1]
    if not message:
        assert meta is not None
        least = meta.min_length or 0
        if meta.max_length is not None:
            return f"expected {least} to {meta.max_length} items"
        return f"expected at least {least} item{'' if least == 1 else 's'}"
    if meta is not None and meta.description is not None:
        return f"expected {meta.description}"
    words = message.partition(" - at `")[0].partition(", got ")[0].replace("`", "")
    return words[:1].lower() + words[1:]
