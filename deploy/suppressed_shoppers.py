"""Whether nothing of a shopper is taken: asked by commands that would bring something into the running system."""

from __future__ import annotations

from collections.abc import Callable

from adapters.wiring import Ports
from domain.ids import ShopperHash, shopper_digest


def suppression(ports: Ports, retailer_id: str) -> Callable[[ShopperHash], bool]:
    """Gives what tells of each of a retailer's shoppers whether they are suppressed, by the list as it is now.

    Args:
        ports: of the system.
        retailer_id: whose shoppers.

    Raises:
        PortError: the list can't be read now.
        Refused: somebody is on the list, and this process was not given the key under which it names them.
    """
    digests = ports.privacy.suppressed().digests.get(retailer_id)
    if not digests:
        return lambda _: False
    privacy_key = ports.identity.privacy_key(retailer_id)
    return lambda shopper: shopper_digest(privacy_key, shopper) in digests
