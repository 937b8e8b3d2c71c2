"""Reads a public next-basket split (history, future, keyset) into arrays; refuses what it can't use."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from batch.baskets.histories import Histories, Ints, Matrix, from_lists, target_matrix
from domain.errors import Refused

FENCE = [-1]
GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Split:
    """Histories of all shoppers with the basket that followed, and who is there to learn from.

    Attributes:
        shoppers: names, in the order of the rows: train, then val, then test.
        histories: of all shoppers.
        targets: [n, item_num]; rows of test shoppers are read only to score.
        train: rows; likewise val and test.
        empty: shoppers left out because nothing is known to have followed.
    """

    shoppers: list[str]
    histories: Histories
    targets: Matrix
    train: Ints
    val: Ints
    test: Ints
    empty: int


def read_split(history: Path, future: Path, keyset: Path) -> Split:
    """Reads the three files, gzipped or plain.

    Args:
        history: JSON object: shopper → [[-1], basket, …, [-1]], a basket being a list of item numbers, oldest first.
        future: the same form, one basket a shopper.
        keyset: JSON object: item_num, and the lists train, val and test of shoppers.

    Raises:
        Refused: a file is missing or no JSON, or something in it contradicts the form; the message says what and where.
    """
    past, next_baskets, keys = _document(history), _document(future), _document(keyset)
    item_num = keys.get("item_num")
    if not isinstance(item_num, int) or isinstance(item_num, bool) or item_num < 1:
        raise Refused(f"{keyset}: item_num is {item_num!r}, and must be a whole number above 0")
    parts = [_shoppers(keys, name, keyset) for name in ("train", "val", "test")]
    if not parts[2]:
        raise Refused(f"{keyset}: no test shoppers, so there is nothing to score")
    if not parts[0]:
        raise Refused(f"{keyset}: no train shoppers, so there is nothing to learn from")
    names = [shopper for part in parts for shopper in part]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise Refused(f"{keyset}: shopper {twice!r} stands there twice, and must be in one of train, val and test")
    kept: list[str] = []
    baskets: list[list[list[int]]] = []
    targets: list[list[int]] = []
    sizes: list[int] = []
    for part in parts:
        before = len(kept)
        for shopper in part:
            own = _baskets(past, shopper, item_num, history)
            if not own:
                raise Refused(f"{history}: shopper {shopper!r} of the keyset has no history")
            target = [item for basket in _baskets(next_baskets, shopper, item_num, future) for item in basket]
            if target:
                kept.append(shopper)
                baskets.append(own)
                targets.append(target)
        sizes.append(len(kept) - before)
    if not sizes[2] or not sizes[0]:
        raise Refused(f"{future}: no {'train' if sizes[2] else 'test'} shopper has a basket there")
    train, val, test = np.split(np.arange(len(kept), dtype=np.int64), np.cumsum(sizes)[:2])
    matrix = target_matrix(targets, item_num)
    return Split(kept, from_lists(baskets, item_num), matrix, train, val, test, len(names) - len(kept))


def _document(path: Path) -> dict[str, Any]:  # Any: whatever the JSON holds
    try:
        raw = path.read_bytes()
        if raw[:2] == GZIP:
            raw = gzip.decompress(raw)
        value = msgspec.json.decode(raw)
    except FileNotFoundError:
        raise Refused(f"{path} is no file") from None
    except OSError as error:
        raise Refused(f"{path}: {error.strerror or error}") from None
    except (EOFError, zlib.error) as error:
        raise Refused(f"{path}: damaged gzip: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused(f"{path} is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise Refused(f"{path} holds no JSON object")
    return value


def _shoppers(keys: dict[str, Any], name: str, keyset: Path) -> list[str]:
    """The names in one list of the keyset; numbers are taken as the names they stand for."""
    part = keys.get(name, [])
    if not isinstance(part, list):
        raise Refused(f"{keyset}: {name} is no list of shoppers")
    return [str(shopper) for shopper in part]


def _baskets(document: dict[str, Any], shopper: str, item_num: int, path: Path) -> list[list[int]]:
    """A shopper's baskets without the fences and without the empty ones."""
    baskets = document.get(shopper, [])
    if not isinstance(baskets, list) or not all(isinstance(basket, list) for basket in baskets):
        raise Refused(f"{path}: shopper {shopper!r} has no list of baskets")
    inner = [basket for basket in baskets if basket and basket != FENCE]
    for basket in inner:
        for item in basket:
            if not isinstance(item, int) or isinstance(item, bool) or not 0 <= item < item_num:
                raise Refused(f"{path}: shopper {shopper!r} has item {item!r}, outside of 0..{item_num - 1}")
    return inner
