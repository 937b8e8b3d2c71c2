import msgspec
from domain.events import OutsideEvent
from msgspec import structs
from domain.records import Record, Known, SCHEMA_VERSION
from domain.errors import PortError
from datetime import datetime
from tests.simulation.client import Reply
from tests.simulation.shop import hash_of, PRICES
class Door:
    def __init__(self, log, clock):
        self.log=log; self.clock=clock
    async def post(self, retailer_id, document, wait_s):
        now=self.clock.now_ms()
        sent=document.get("sent_at")
        correction = now-int(datetime.fromisoformat(sent).timestamp()*1000) if sent else 0
        recs=[]
        for e in document["events"]:
            ev=msgspec.convert(e, OutsideEvent)
            ev=structs.replace(ev, shopper_id=hash_of(retailer_id, ev.shopper_id))
            occ=int(ev.occurred_at.timestamp()*1000)+correction
            known={}
            if hasattr(ev,"product"):
                known={ev.product.product_id: Known(price_minor=PRICES[ev.product.product_id]+1, currency="EUR")}
            recs.append(Record(schema_version=SCHEMA_VERSION, retailer_id=retailer_id, received_at_ms=now, event_time_ms=min(now,occ), event=ev, known=known))
        try:
            await self.log.append(recs)
        except PortError as error:
            return Reply(503, {"error":"unavailable"})
        return Reply(200, {"results":[{"event_id":e["event_id"],"status":"stored"} for e in document["events"]]})
