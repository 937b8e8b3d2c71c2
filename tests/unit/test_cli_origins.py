"""What an operator may call a web origin, and what the gateway will compare with the browser's header."""

import pytest

from deploy.origins import origin
from domain.errors import Refused


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("https://shop.example", "https://shop.example"),
        ("HTTPS://Shop.Example", "https://shop.example"),
        ("https://shop.example:443", "https://shop.example"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
        ("https://épicerie.example", "https://xn--picerie-9xa.example"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        (" https://shop.example ", "https://shop.example"),
    ],
)
def test_an_origin_is_what_a_browser_sends(said: str, expected: str) -> None:
    """Case, default ports and national names are brought to the form of the `Origin` header."""
    assert expected == origin(said)


@pytest.mark.parametrize(
    "said",
    [
        "",
        "shop.example",
        "*",
        "https://*.shop.example",
        "https://shop.example/",
        "https://shop.example/cart",
        "https://shop.example?x=1",
        "https://user@shop.example",
        "https://shop.example:port",
        "https://shop.example:99999",
        "https://",
        "ftp://shop.example",
        "null",
        "https://shop example",
        "https://[::1",
    ],
)
def test_what_is_no_origin_is_refused_with_the_cure(said: str) -> None:
    """A path, a wildcard, a bare host or a broken address never becomes an origin."""
    with pytest.raises(Refused, match=r"like https://shop\.example"):
        origin(said)
