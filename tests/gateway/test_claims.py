"""`POST /v1/rewards/claims`: a winner's address goes to the vault once, and nowhere else."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

import jwt
import pytest

from domain.errors import PortError
from domain.ports.reward_vault import ClaimId
from gateway.app import Gateway
from tests.gateway.claiming import EMAIL, PATH, claim, emails, forged, token
from tests.gateway.conftest import Stand
from tests.gateway.standing import FOREIGN_ORIGIN, ORIGIN, Standing, added, until
from tests.gateway.test_app import client

DAY_MS = 86_400_000


class Broken:
    """A vault that can't be used."""

    async def put(self, *_: object) -> str:
        """Fails, as a port does."""
        raise PortError("Postgres at 10.0.0.7:5432/vault: it can't be used now", retriable=True)


def bytes_in(folder: Path) -> dict[str, bytes]:
    """What the files of a folder hold, write-ahead logs included."""
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def test_a_winner_leaves_an_address(standing: Standing) -> None:
    """The address is kept with what the token said, and the answer says no more than that."""
    answer = await claim(standing, token(standing))
    assert (200, {"status": "stored"}) == (answer.status_code, answer.json())
    (payout,) = await standing.vault.vault.payouts(standing.shop.retailer.retailer_id)
    assert (EMAIL, "spring", 4_723, "EUR", "due") == (
        payout.email,
        payout.campaign_id,
        payout.value_minor,
        payout.currency,
        payout.state,
    )


async def test_a_page_may_claim(standing: Standing) -> None:
    """With the write key in the address and a plain text a browser asks for no preflight, and may read the answer."""
    content = json.dumps({"claim": token(standing), "email": f" {EMAIL} "})
    headers = {"content-type": "text/plain", "origin": ORIGIN}
    answer = await standing.http.post(
        PATH, content=content, headers=headers, params={"write_key": standing.shop.write_key}
    )
    assert (200, ORIGIN) == (answer.status_code, answer.headers["access-control-allow-origin"])
    assert [EMAIL] == await emails(standing)


@pytest.mark.parametrize("email", [EMAIL, "stranger@elsewhere.example"])
async def test_a_second_claim_is_refused(standing: Standing, email: str) -> None:
    """A replayed token gets one answer, whether with the same address or a stranger's, and the first address stays."""
    claimed = token(standing)
    await claim(standing, claimed)
    replayed = await claim(standing, claimed, email)
    issued_again = await claim(standing, token(standing), email)
    assert [(409, "claimed_already")] * 2 == [
        (one.status_code, one.json()["error"]) for one in (replayed, issued_again)
    ]
    assert replayed.content == issued_again.content
    assert ([EMAIL], False) == (await emails(standing), "winner" in replayed.text)


async def test_of_claims_at_once_one_is_stored(standing: Standing) -> None:
    """Two pages of one shopper that claim together get one reward."""
    claimed = token(standing)
    answers = await asyncio.gather(*(claim(standing, claimed, f"{number}@post.example") for number in range(5)))
    assert [200, 409, 409, 409, 409] == sorted(answer.status_code for answer in answers)
    assert 1 == len(await emails(standing))


async def test_each_win_has_its_claim(standing: Standing) -> None:
    """Another experience that won is another reward."""
    for experience_id in ("e-1", "e-2"):
        assert 200 == (await claim(standing, token(standing, experience_id))).status_code
    assert [EMAIL, EMAIL] == await emails(standing)


async def test_a_withdrawn_right_is_gone(standing: Standing) -> None:
    """Whether the right was withdrawn before or after the claim, the page is told that it is gone."""
    claim_id = standing.vault.keys.claims.claim_id("e-1")
    await standing.vault.vault.withdraw([claim_id])
    before = await claim(standing, token(standing))
    await claim(standing, token(standing, "e-2"))
    await standing.vault.vault.withdraw([standing.vault.keys.claims.claim_id("e-2")])
    after = await claim(standing, token(standing, "e-2"))
    assert [(410, "withdrawn")] * 2 == [(one.status_code, one.json()["error"]) for one in (before, after)]


async def test_a_claim_has_its_time(standing: Standing) -> None:
    """On its last day a token is good, a moment later it has expired, and nothing is stored."""
    claimed = token(standing)
    standing.clock.shift_ms += 30 * DAY_MS + 1_000
    answer = await claim(standing, claimed)
    assert (401, "expired_claim") == (answer.status_code, answer.json()["error"])
    assert answer.headers["www-authenticate"].startswith("Bearer")
    standing.clock.shift_ms -= 10_000
    assert 200 == (await claim(standing, claimed)).status_code


def altered(claimed: str, **changes: Any) -> str:
    """Gives a token whose signature is that of what it said before."""
    fields = jwt.decode(claimed, options={"verify_signature": False}) | changes
    head, _, signature = claimed.split(".")
    return ".".join((head, jwt.encode(fields, "k" * 32).split(".")[1], signature))


def unsigned(claimed: str) -> str:
    """Gives a token that says that it needs no signature."""
    return ".".join((_base64(b'{"alg":"none","typ":"JWT"}').decode(), claimed.split(".")[1], ""))


def signed_otherwise(standing: Standing) -> str:
    """Gives a token under the right key, by an algorithm that we don't use."""
    said = token(standing).split(".")[1]
    signing = b".".join((_base64(b'{"alg":"HS512","typ":"JWT"}'), said.encode()))
    signature = hmac.digest(standing.vault.keys.claims.tokens, signing, "sha512")
    return b".".join((signing, _base64(signature))).decode()


def _base64(text: bytes) -> bytes:
    return urlsafe_b64encode(text).rstrip(b"=")


FORGED: dict[str, Any] = {
    "another key": lambda standing: forged(standing, b"k" * 32),
    "the key of subscriptions": lambda standing: forged(standing, standing.keys.subscription),
    "no signature": lambda standing: unsigned(token(standing)),
    "another algorithm": signed_otherwise,
    "another audience": lambda standing: forged(standing, aud="hotbasket/experiences"),
    "no audience": lambda standing: forged(standing, aud=None),
    "no end": lambda standing: forged(standing, exp=None),
    "no id": lambda standing: forged(standing, jti=None),
    "an id of another form": lambda standing: forged(standing, jti="e-1"),
    "no amount": lambda standing: forged(standing, value_minor=None),
    "an amount in words": lambda standing: forged(standing, value_minor="4723"),
    "another retailer": lambda standing: token(standing, shop=standing.other),
    "a higher amount": lambda standing: altered(token(standing), value_minor=999_999),
    "cut": lambda standing: token(standing)[:-1],
    "empty": lambda _: "",
    "no token": lambda _: "é.☃.x",
    "too many dots": lambda _: "." * 3_000,
}


@pytest.mark.parametrize("name", FORGED)
async def test_a_forged_claim_is_refused(standing: Standing, name: str) -> None:
    """What this installation did not issue for the key's retailer is 401, says so to browsers, and stores nothing."""
    answer = await claim(standing, FORGED[name](standing), headers=standing.shop.write | {"origin": ORIGIN})
    assert (401, "invalid_claim", ORIGIN) == (
        answer.status_code,
        answer.json()["error"],
        answer.headers["access-control-allow-origin"],
    )
    assert ([], []) == (await emails(standing), await emails(standing, standing.other))


async def test_a_claim_belongs_to_its_retailer(standing: Standing) -> None:
    """With another retailer's key a good token is worth nothing, and it stays good for its own."""
    claimed = token(standing)
    assert 401 == (await claim(standing, claimed, headers=standing.other.write)).status_code
    assert 200 == (await claim(standing, claimed)).status_code
    assert ([EMAIL], []) == (await emails(standing), await emails(standing, standing.other))


@pytest.mark.parametrize(
    "email",
    [
        *("", "@", "winner", "winner@", "@post.example", "a@b@c", "a b@c", "a\r\nBcc: x@y", "a@b\x00c", "a\u202e@b"),
        *("=1+1@post.example", "+1@post.example", "-1@post.example", "é" * 122 + "@post.example", 7, None, ["a@b"]),
    ],
)
async def test_what_is_no_address_is_refused(standing: Standing, email: Any) -> None:
    """It is 400 with the field's path, and the answer repeats nothing of what was sent; the token stays good."""
    claimed = token(standing)
    answer = await claim(standing, claimed, email)
    assert (400, "invalid_email", "$.email") == (answer.status_code, answer.json()["error"], answer.json()["path"])
    assert not isinstance(email, str) or len(email) < 6 or email not in answer.text
    assert 200 == (await claim(standing, claimed)).status_code


@pytest.mark.parametrize("email", ["x@y", "o'neil+shop@post.example", "用户@例子.example", "a" * 241 + "@post.example"])
async def test_what_may_be_an_address_is_kept_as_it_is(standing: Standing, email: str) -> None:
    """Only mail can tell whether anybody reads it: what has the form is kept, to the last letter."""
    assert 200 == (await claim(standing, token(standing), email)).status_code
    assert [email] == await emails(standing)


BAD: dict[str, tuple[bytes, int, str]] = {
    "empty": (b"", 400, "empty_body"),
    "no JSON": (b"{", 400, "invalid_json"),
    "no object": (b"[]", 400, "not_an_object"),
    "no UTF-8": (b'{"claim": "\xff"}', 400, "invalid_utf8"),
    "no claim": (b'{"email": "winner@post.example"}', 400, "missing_field"),
    "no e-mail": (b'{"claim": "x"}', 400, "missing_field"),
    "no text": (b'{"claim": 1, "email": "winner@post.example"}', 400, "invalid_value"),
    "unknown field": (b'{"claim": "x", "email": "a@b", "winner@post.example": 1}', 400, "unknown_field"),
    "large": (b'{"claim": "' + b"x" * 4_096 + b'", "email": "winner@post.example"}', 413, "body_too_large"),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_body_is_refused(standing: Standing, name: str) -> None:
    """Each fault has its status and name, and no answer repeats an address."""
    body, status, error = BAD[name]
    headers = {"content-type": "application/json", **standing.shop.write}
    answer = await standing.http.post(PATH, content=body, headers=headers)
    assert (status, error) == (answer.status_code, answer.json()["error"])
    assert ("post.example" in answer.text, "fewer events" in answer.text) == (False, False)


async def test_keys_and_origins_are_checked_first(standing: Standing) -> None:
    """As with events: no key is 401, a foreign origin and the secret key from a page are 403, another type is 415."""
    claimed = token(standing)
    asked = {
        (401, "unauthorized"): {},
        (403, "origin_not_listed"): standing.shop.write | {"origin": FOREIGN_ORIGIN},
        (403, "secret_key_in_browser"): standing.shop.secret | {"origin": ORIGIN},
        (415, "unsupported_content_type"): standing.shop.write | {"content-type": "application/xml"},
    }
    for expected, headers in asked.items():
        answer = await claim(standing, claimed, headers=headers)
        assert expected == (answer.status_code, answer.json()["error"])
    assert 405 == (await standing.http.get(PATH, headers=standing.shop.write)).status_code
    assert 200 == (await claim(standing, claimed, headers=standing.shop.secret)).status_code


async def test_claims_count_against_the_key(stand: Stand) -> None:
    """A claim takes its share of the write key's rate, as an event does."""
    standing = await stand(rate_events_per_s=1)
    answers = [await claim(standing, token(standing, f"e-{number}")) for number in range(2)]
    assert [(200, None), (429, "rate_limited")] == [(one.status_code, one.json().get("error")) for one in answers]
    assert int(answers[1].headers["retry-after"]) >= 1


async def test_a_vault_that_is_away_is_503(standing: Standing, caplog: pytest.LogCaptureFixture) -> None:
    """The page may try again; events are taken meanwhile; the log says why and names nobody."""
    stores = standing.stores()._replace(vault=Broken())  # type: ignore[arg-type]  # claims only put
    gateway = Gateway(stores, standing.keys, standing.settings)
    claimed = token(standing)
    with caplog.at_level(logging.DEBUG):
        async with client(gateway) as http:
            sent = {"claim": claimed, "email": EMAIL}
            answer = await http.post(PATH, json=sent, headers=standing.shop.write)
            assert 200 == (await http.post("/v1/events", json=added(), headers=standing.shop.write)).status_code
    assert (503, "vault_unavailable", "2") == (
        answer.status_code,
        answer.json()["error"],
        answer.headers["retry-after"],
    )
    assert 1 == standing.counted("gateway_errors_total", what="vault")
    assert ("10.0.0.7" in caplog.text, "10.0.0.7" in answer.text) == (True, False)
    assert (EMAIL in caplog.text, claimed in caplog.text, "winner" in answer.text) == (False, False, False)


@pytest.mark.parametrize("without", ["vault", "keys"])
async def test_without_a_vault_there_is_no_such_path(standing: Standing, without: str) -> None:
    """An installation that pays no rewards answers as it does for any path that is not there."""
    stores, keys = standing.stores(), standing.keys
    if without == "vault":
        stores = stores._replace(vault=None)
    else:
        keys = keys._replace(claims=None)
    async with client(Gateway(stores, keys, standing.settings)) as http:
        answer = await http.post(PATH, json={"claim": token(standing), "email": EMAIL}, headers=standing.shop.write)
        nothing = await http.post("/v1/rewards/nothing", headers=standing.shop.write)
    assert (404, answer.content) == (answer.status_code, nothing.content)


async def test_no_file_holds_an_address_or_a_claim(stand: Stand, tmp_path: Path) -> None:
    """Read as bytes, no file of the data directory has the address, the claim's id, its token or the experience's id.

    Events and a worker's decisions are stored beside, so that there is something in every file.
    """
    standing = await stand()
    await standing.work()
    event = added("pasta", "loyalty-no-9")
    await standing.post(event)

    async def is_saved() -> bool:
        return (await standing.ask("/v1/shoppers/lookup", "loyalty-no-9")).status_code == 200

    await until(is_saved, "a checkpoint")
    claimed, experience_id = token(standing, "experience-77"), "experience-77"
    claim_id = standing.vault.keys.claims.claim_id(experience_id)
    assert 200 == (await claim(standing, claimed)).status_code
    await standing.vault.vault.withdraw([ClaimId("f" * 64)])
    files = bytes_in(tmp_path)
    assert {"log.db", "state.db", "control.db", "vault.db", "vault.db-wal"} <= set(files)
    assert [] != [name for name, held in files.items() if event["event_id"].encode() in held or b"sauce" in held]
    told = [EMAIL, "winner", claim_id, "f" * 64, claimed, claimed.split(".")[2], experience_id]
    secret = [word.encode() for word in told] + [bytes.fromhex(claim_id)]
    assert [] == [(name, word) for name, held in files.items() for word in secret if word in held]
    shopper = standing.key("loyalty-no-9").shopper
    vault = b"".join(held for name, held in files.items() if name.startswith("vault"))
    assert [] == [word for word in (shopper, event["event_id"], "4723") if word.encode() in vault]


async def test_nothing_of_a_claim_is_logged_or_counted_by_name(
    standing: Standing, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever becomes of a claim, metrics and log lines carry neither address nor token."""
    claimed = token(standing)
    with caplog.at_level(logging.DEBUG):
        for sent, email in ((claimed, EMAIL), (claimed, EMAIL), (claimed[:-1], EMAIL), (claimed, "winner@")):
            await claim(standing, sent, email)
    metrics = [str(sample) for metric in standing.metrics.registry.collect() for sample in metric.samples]
    for word in ("winner", claimed[-20:], standing.vault.keys.claims.claim_id("e-1")):
        assert [] == [line for line in (*metrics, caplog.text) if word in line]
    assert 1 == standing.counted("refused_requests_total", status="409", error="claimed_already")
