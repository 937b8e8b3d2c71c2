"""Erases shoppers whose consent ends, where the retailer wants that: what comes within a moment is one request.

Between `collect`, which has made the withdrawal durable, so that nothing is decided any more, and the privacy requests;
the event is answered when its request is durable. An erasure costs every store a search, whether or not it knows the
shopper. The gateway can't tell who ever consented: a stranger's erasure finds nothing and costs the same.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Final
from uuid import UUID

from adapters.sealed_shoppers import Sealer
from adapters.settings import Settings
from domain.errors import HotbasketError, PortError
from domain.ids import ShopperHash, withdrawals_request_id
from domain.ports.privacy_requests import Subject
from domain.privacy import asked, erases, request_target, withdrawn_in
from domain.records import Record
from domain.repeated_requests import SUBJECTS_MAX
from gateway.access import Access
from gateway.answers import Refusal
from gateway.audited import Auditor
from gateway.stores import Keys, Stores

GATHER_S: Final = 0.2
"""How long the first of a group waits for others."""
WAITING_MAX: Final = 4 * SUBJECTS_MAX
"""Shoppers waiting in one gateway; beyond, the sender is asked to come again."""
WHO: Final = "withdrawal"
_RETRY_AFTER_S: Final = 1
_log = logging.getLogger("hotbasket.gateway")


class _Group:
    """Shoppers of one request: each once, with the withdrawal that named them first."""

    def __init__(self) -> None:
        self.subjects: dict[str, tuple[UUID, Subject]] = {}
        self.is_full = asyncio.Event()
        self.opened: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        """Whether the request is durable; set in any case."""

    def add(self, event_id: UUID, subject: Subject) -> bool:
        """Takes one more, and tells whether it was not there."""
        before = len(self.subjects)
        self.subjects.setdefault(subject.digest, (event_id, subject))
        if len(self.subjects) == SUBJECTS_MAX:
            self.is_full.set()
        return len(self.subjects) > before


class Withdrawals:
    """Gathers shoppers by retailer and opens a request for each group, of one retailer one after the other.

    Sent again, a withdrawal that was alone leads to the same request; one that came with others may lead to a second,
    which finds little to do. As a rule it leads to none: its shopper is on the list, and the door drops it.

    Args:
        stores: the requests, the clock, the metrics.
        keys: of which the privacy keys are asked.
        auditor: takes down each request.
        settings: how long a sender waits, and within how many days requests have to be done.
    """

    def __init__(self, stores: Stores, keys: Keys, auditor: Auditor, settings: Settings) -> None:
        self._requests = stores.privacy
        self._clock = stores.clock
        self._metrics = stores.metrics
        self._privacy_key = keys.privacy_key
        self._auditor = auditor
        self._due_days = settings.privacy_due_days
        self._wait_s = GATHER_S + settings.append_timeout_s
        self._gathering: dict[str, _Group] = {}
        self._turns: dict[str, asyncio.Lock] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting = 0
        self._is_failing = False

    async def erase(self, access: Access, records: Sequence[Record]) -> None:
        """Opens an erasure for the shoppers whose last word among the records ends their consent.

        Args:
            access: of whoever sent them; its retailer says whether there is anything to do.
            records: of one request, durable, in order.

        Raises:
            Refusal: 503, it may be open or not.
        """
        withdrawn = withdrawn_in(records)
        if not (withdrawn and erases(access.grant.retailer.on_withdrawal, verified=access.is_verified)):
            return
        groups = self._joined(access.door.retailer_id, withdrawn)
        done, late = await asyncio.wait([group.opened for group in groups], timeout=self._wait_s)
        if late or not all(opened.result() for opened in done):
            raise _unavailable()

    async def stop(self) -> None:
        """Gives up what nobody waits for any more; after the last request."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _joined(self, retailer_id: str, withdrawn: Sequence[Record]) -> set[_Group]:
        """Gives the groups that the shoppers are in, two where one got full.

        Raises:
            Refusal: 503, too many wait, or the retailer's shoppers can't be named now.
        """
        if self._requests is None or self._privacy_key is None or self._waiting + len(withdrawn) > WAITING_MAX:
            raise _unavailable()
        try:
            sealer = Sealer(self._privacy_key(retailer_id))
        except PortError:
            raise _unavailable() from None
        joined: set[_Group] = set()
        for record in withdrawn:
            group = self._gathering.get(retailer_id)
            if group is None or group.is_full.is_set():
                group = self._begun(retailer_id)
            event = record.event
            self._waiting += group.add(event.event_id, sealer.subject(ShopperHash(event.shopper_id)))
            joined.add(group)
        return joined

    def _begun(self, retailer_id: str) -> _Group:
        group = self._gathering[retailer_id] = _Group()
        task = asyncio.get_running_loop().create_task(self._settle(retailer_id, group), name="gateway-withdrawals")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return group

    async def _settle(self, retailer_id: str, group: _Group) -> None:
        """Opens a group's request when it has waited for others, and for those before it, who gather more meanwhile."""
        is_opened = False
        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(group.is_full.wait(), GATHER_S)
            async with self._turns.setdefault(retailer_id, asyncio.Lock()):
                if self._gathering.get(retailer_id) is group:
                    del self._gathering[retailer_id]
                await self._open(retailer_id, group)
            is_opened, self._is_failing = True, False
        except HotbasketError as error:
            if not self._is_failing:
                _log.warning("consent was withdrawn, and no erasure can begin: %s", error)
            self._is_failing = True
        except Exception:  # noqa: BLE001 - the loop's edge: one group's bug is that group's answer
            self._metrics.gateway_errors.labels("withdrawals").inc()
            _log.exception("an erasure could not begin")
        finally:
            self._waiting -= len(group.subjects)
            self._metrics.erased_on_withdrawal.labels("begun" if is_opened else "failed").inc(len(group.subjects))
            group.opened.set_result(is_opened)

    async def _open(self, retailer_id: str, group: _Group) -> None:
        assert self._requests is not None, "nobody joins a group where there are no requests"
        withdrawn = [(event_id, digest) for digest, (event_id, _) in group.subjects.items()]
        request_id = withdrawals_request_id(retailer_id, withdrawn)
        request = asked(request_id, retailer_id, "erase", self._clock.now_ms(), due_days=self._due_days)
        target = request_target(request.request_id)
        async with self._auditor.noting_for(retailer_id, WHO, "privacy.erase", target) as noted:
            opened = await self._requests.open(request, [subject for _, subject in group.subjects.values()])
            noted.target = request_target(opened.request_id)


def _unavailable() -> Refusal:
    detail = "consent has ended, and the erasure that follows can't begin now: send it again"
    return Refusal("erasure_unavailable", detail, retry_after_s=_RETRY_AFTER_S)
