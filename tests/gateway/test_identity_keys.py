"""The key under which a gateway names shoppers: the one in force, from one request to the next, or no answer."""

from __future__ import annotations

from adapters.key_wrapping import KeyEncryptionKey
from domain.errors import PortError
from gateway.app import Gateway
from tests.gateway.standing import Standing, added
from tests.gateway.test_app import client
from tests.identity import KEYS


async def shoppers(standing: Standing) -> list[str]:
    """The hashes of the stored events, in their order."""
    return [record.event.shopper_id for record in await standing.stored()]


async def test_a_new_shopper_key_is_in_force_with_the_next_request(standing: Standing) -> None:
    """The same shopper id is another shopper from then on; nothing is restarted, and the other retailer's stays."""
    assert 200 == (await standing.post(added("pasta", "c-1"))).status_code
    before, other = standing.key("c-1").shopper, standing.key("c-1", standing.other)
    await standing.ports.identity.renew_shopper_key("r-shop")
    assert 200 == (await standing.post(added("pasta", "c-1"))).status_code
    after = standing.key("c-1").shopper
    assert before != after
    assert [before, after] == await shoppers(standing)
    assert other == standing.key("c-1", standing.other)


async def test_keys_that_are_wrapped_anew_name_the_same_shoppers(standing: Standing) -> None:
    """Who changes what wraps the keys changes no shopper."""
    await standing.post(added("pasta", "c-1"))
    await standing.ports.identity.rewrap("r-shop")
    await standing.post(added("pasta", "c-1"))
    assert [standing.key("c-1").shopper] * 2 == await shoppers(standing)


async def test_a_retailer_whose_keys_cannot_be_opened_is_refused(standing: Standing) -> None:
    """Nothing is stored under a wrong name: 503 until it is mended, for this retailer alone."""
    kept = standing.ports.retailers.current().wrapped["r-shop"]
    foreign = KeyEncryptionKey(bytes(32)).wrap("r-shop", KEYS)
    assert await standing.ports.key_rows.replace("r-shop", foreign, instead_of=kept)
    for _ in range(2):
        answer = await standing.post(added("pasta", "c-1"))
        assert (503, "control_unavailable") == (answer.status_code, answer.json()["error"])
        assert "retry-after" in answer.headers
    assert [] == await standing.stored()
    elsewhere = await standing.post(added("pasta", "c-1"), headers=standing.other.write)
    assert 200 == elsewhere.status_code
    assert await standing.ports.key_rows.replace("r-shop", kept, instead_of=foreign)
    assert 200 == (await standing.post(added("pasta", "c-1"))).status_code


async def test_nobody_is_looked_up_whom_the_trail_cannot_name(standing: Standing) -> None:
    """A privacy key that can't be opened any more by the time it is needed refuses the lookup, which tells nothing."""

    def closed(_: str) -> bytes:
        raise PortError("neither key-encryption key opens the keys of retailer r-shop", retriable=False)

    gateway = Gateway(standing.stores(), standing.keys._replace(privacy_key=closed), standing.settings)
    async with client(gateway) as http:
        answer = await http.post("/v1/shoppers/lookup", json={"shopper_id": "c-1"}, headers=standing.shop.secret)
    assert (503, "audit_unavailable", "1") == (
        answer.status_code,
        answer.json()["error"],
        answer.headers["retry-after"],
    )
