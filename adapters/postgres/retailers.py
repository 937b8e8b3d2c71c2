"""The production control plane (`domain.ports.retailers`): retailers, keys and catalogues in Postgres.

`current` answers from memory. A catalogue is loaded only where its version changed, slice by slice: 100,000 products
must not hold up the requests of a running gateway.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import msgspec

from adapters.postgres.control_cache import ControlCache, Versions
from adapters.postgres.database import Row, Session
from adapters.postgres.faults import Taken
from domain.errors import PortError, Refused
from domain.permissions import Scope
from domain.ports.identity_keys import WrappedKeys
from domain.ports.retailers import CatalogueItem, Control, Grant, Retailer
from domain.records import Known

T = TypeVar("T")

IMPORT_S = 60.0
"""Seconds for one statement of an import, of which the largest moves a whole catalogue."""

RETAILERS = "retailers"
_CATALOGUE = "catalogue "
"""Before a retailer id, in the table of versions."""
_NAME_KEYS = ("retailers_pkey", "retailers_name_key")
_encoder = msgspec.json.Encoder()
_retailer = msgspec.json.Decoder(Retailer)
_item = msgspec.json.Decoder(CatalogueItem)


class PostgresRetailers:
    """Retailers, keys and catalogues."""

    def __init__(self, cache: ControlCache) -> None:
        """Takes the cache, not started yet."""
        self._cache = cache
        self._catalogues: dict[str, _Catalogue] = {}
        self._kept = cache.keep(RETAILERS, self._load, Control(0, {}, {}, frozenset(), {}, {}))

    def current(self) -> Control:
        """Gives what was last loaded, at most 2 s old while the server answers."""
        return self._kept.value

    async def add(
        self, retailer: Retailer, write_key_digest: str, secret_key_digest: str, wrapped: WrappedKeys
    ) -> None:
        """Adds a retailer and its keys."""

        async def write(session: Session) -> None:
            await session.rows(
                "INSERT INTO retailers VALUES (%s, %s, %s::jsonb)",
                (retailer.retailer_id, retailer.name, _json(retailer)),
            )
            for digest, scope in ((write_key_digest, "write"), (secret_key_digest, "secret")):
                await session.rows("INSERT INTO keys VALUES (%s, %s, %s)", (digest, retailer.retailer_id, scope))
            await put_wrapped(session, retailer.retailer_id, wrapped)

        try:
            await self._cache.change((RETAILERS,), write)
        except Taken as taken:
            if taken.constraint in _NAME_KEYS:
                raise Refused(
                    f"there is a retailer {retailer.name!r} already: choose another name, or retailer set"
                ) from taken
            raise

    async def change(self, retailer: Retailer) -> None:
        """Replaces settings."""

        async def write(session: Session) -> None:
            await lock_retailer(session, retailer.retailer_id)
            await session.rows(
                "UPDATE retailers SET name = %s, settings = %s::jsonb WHERE retailer_id = %s",
                (retailer.name, _json(retailer), retailer.retailer_id),
            )

        try:
            await self._cache.change((RETAILERS,), write)
        except Taken as taken:
            raise Refused(f"there is another retailer {retailer.name!r}: choose another name") from taken

    async def rotate_key(
        self,
        retailer_id: str,
        scope: Scope,
        digest: str | None,
        *,
        old_until_ms: int | None,
        only: str | None = None,
    ) -> None:
        """Sets the end of old keys, then adds the new one."""

        async def write(session: Session) -> None:
            await lock_retailer(session, retailer_id)
            # LEAST passes over nulls: without an end the old ones keep theirs, and are counted all the same.
            old = await session.count(
                "UPDATE keys SET until_ms = LEAST(until_ms, %s::bigint)"
                " WHERE retailer_id = %s AND scope = %s AND digest = COALESCE(%s::text, digest)",
                (old_until_ms, retailer_id, scope, only),
            )
            if only is not None and not old:
                raise Refused(f"the retailer has no such {scope} key: hotbasket retailer keys shows those there are")
            if digest is not None:
                await session.rows("INSERT INTO keys VALUES (%s, %s, %s)", (digest, retailer_id, scope))

        await self._cache.change((RETAILERS,), write)

    async def import_catalogue(self, retailer_id: str, items: Sequence[CatalogueItem]) -> None:
        """Replaces a catalogue in one transaction; of two items with one product id the last wins."""
        last = {item.product_id: item for item in items}

        async def write(session: Session) -> None:
            await lock_retailer(session, retailer_id)
            await session.rows("DELETE FROM catalogue WHERE retailer_id = %s", (retailer_id,))
            await session.copy(
                "COPY catalogue (retailer_id, product_id, item) FROM STDIN",
                ((retailer_id, product_id, _json(item)) for product_id, item in last.items()),
            )

        await self._cache.change((_CATALOGUE + retailer_id, RETAILERS), write, statement_s=IMPORT_S)

    async def catalogue(self, retailer_id: str) -> Sequence[CatalogueItem]:
        """Reads a catalogue."""
        found: list[CatalogueItem] = []
        async with self._cache.database.session() as session, session.transaction("BEGIN READ ONLY"):
            query = "SELECT item::text FROM catalogue WHERE retailer_id = %s ORDER BY product_id"
            async for rows in session.slices(query, (retailer_id,)):
                found += [_decoded(_item, item, f"catalogue of {retailer_id}") for (item,) in rows]
        return found

    async def _load(self, session: Session, versions: Versions) -> Control:
        rows = await session.rows("SELECT retailer_id, settings::text FROM retailers ORDER BY name")
        retailers = {
            retailer_id: _decoded(_retailer, settings, f"retailer {retailer_id}") for retailer_id, settings in rows
        }
        keys = await session.rows("SELECT digest, retailer_id, scope, until_ms FROM keys")
        grants = {
            digest: Grant(retailers[retailer_id], scope, until_ms)
            for digest, retailer_id, scope, until_ms in keys
            if retailer_id in retailers
        }
        origins = frozenset(origin for retailer in retailers.values() for origin in retailer.origins)
        catalogues: dict[str, _Catalogue] = {}
        for one in retailers.values():
            stands_for = (versions.get(_CATALOGUE + one.retailer_id, 0), one.currency)
            found = self._catalogues.get(one.retailer_id)
            if found is None or found.stands_for != stands_for:
                found = _Catalogue(stands_for, await _known(session, one))
            catalogues[one.retailer_id] = found
        self._catalogues = catalogues
        known = {retailer_id: found.known for retailer_id, found in catalogues.items()}
        wrapped = await wrapped_keys(session)
        return Control(versions.get(RETAILERS, 0), retailers, grants, origins, known, wrapped)


class _Catalogue(NamedTuple):
    """A retailer's catalogue in memory, and the version and currency that it stands for."""

    stands_for: tuple[int, str]
    known: dict[str, Known]


async def check_known(session: Session, retailer_id: str) -> None:
    """Checks that there is such a retailer.

    Raises:
        Refused: there is none.
    """
    _refuse_unknown(await session.rows("SELECT 1 FROM retailers WHERE retailer_id = %s", (retailer_id,)), retailer_id)


async def lock_retailer(session: Session, retailer_id: str) -> None:
    """Makes changes of one retailer wait for each other.

    Raises:
        Refused: there is none.
    """
    found = await session.rows("SELECT 1 FROM retailers WHERE retailer_id = %s FOR UPDATE", (retailer_id,))
    _refuse_unknown(found, retailer_id)


def _refuse_unknown(found: Sequence[Row], retailer_id: str) -> None:
    if not found:
        raise Refused(f"there is no retailer {retailer_id}: hotbasket retailer list shows those there are")


async def wrapped_keys(session: Session) -> dict[str, WrappedKeys]:
    """Gives the wrapped keys that are kept, by retailer id."""
    rows = await session.rows("SELECT retailer_id, kek, shopper, privacy FROM identity_keys")
    return {retailer_id: WrappedKeys(kek, shopper, privacy) for retailer_id, kek, shopper, privacy in rows}


async def put_wrapped(session: Session, retailer_id: str, wrapped: WrappedKeys) -> None:
    """Keeps a retailer's wrapped keys, in place of those before."""
    await session.rows(
        "INSERT INTO identity_keys VALUES (%s, %s, %s, %s) ON CONFLICT (retailer_id)"
        " DO UPDATE SET kek = EXCLUDED.kek, shopper = EXCLUDED.shopper, privacy = EXCLUDED.privacy",
        (retailer_id, *wrapped),
    )


async def _known(session: Session, retailer: Retailer) -> dict[str, Known]:
    known: dict[str, Known] = {}
    query = (
        "SELECT product_id, item ->> 'category_id', item ->> 'brand', (item ->> 'price_minor')::bigint FROM catalogue"
        " WHERE retailer_id = %s"
    )
    async for rows in session.slices(query, (retailer.retailer_id,)):
        for product_id, category_id, brand, price_minor in rows:
            currency = retailer.currency if price_minor is not None else None
            known[product_id] = Known(category_id=category_id, brand=brand, price_minor=price_minor, currency=currency)
    return known


def _json(value: Retailer | CatalogueItem) -> str:
    try:
        return _encoder.encode(value).decode()
    except UnicodeEncodeError as error:
        raise Refused(f"a text can't be stored ({error.reason}): remove what is no Unicode") from error


def _decoded(decoder: msgspec.json.Decoder[T], text: str, which: str) -> T:
    try:
        return decoder.decode(text)
    except msgspec.MsgspecError as error:
        raise PortError(f"{which} can't be read ({error}): run the newer hotbasket", retriable=False) from error
