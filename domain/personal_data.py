"""Personal data at the door: field names that are never taken, and detectors for what shoppers type into free text.

The detectors see `query`, `label`, `target` and `path` alone: in an id they would find cards in loyalty numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

Kind = Literal["email", "iban", "nir", "card", "phone"]

_NAMES = """
    name fullname firstname lastname givenname familyname middlename maidenname surname nickname username displayname
    customername shoppername nom prenom nomcomplet
    email emailaddress emailhash mail courriel replyto
    phone phonenumber phonehash telephone telephonenumber tel mobile mobilenumber mobilephone cellphone fax
    age agerange birthdate birthday birthyear dateofbirth dob yearofbirth datenaissance datedenaissance
    gender sex sexe genre salutation civility civilite pronouns
    address addressline1 addressline2 billingaddress shippingaddress deliveryaddress homeaddress postaladdress adresse
    street streetaddress housenumber city town zip zipcode postcode postalcode codepostal
    location latitude longitude lat lng geo geolocation gps
    origin ethnicity ethnicorigin race nationality nationalite religion birthplace placeofbirth
    ip ipaddress useragent deviceid advertisingid idfa gaid
    ssn nir socialsecuritynumber nationalid passport passportnumber idcard
    iban bic cardnumber creditcard pan cvv
"""
FORBIDDEN_NAMES = frozenset(_NAMES.split())
"""Names of fields that hold or may hold personal data, folded by `is_forbidden_name`."""

_FOLD = re.compile(r"[\W_]+")
_SUSPECT = re.compile(r"@|[0-9](?:[^0-9]{0,3}[0-9]){7}")
# A product page's path mostly ends in a bar code: one number that only the card detector might take.
_BAR_CODE = re.compile(r"(?:[^0-9@+]*[^0-9@A-Za-z+(])?([1-9][0-9]{7,12})(?:[^0-9@A-Za-z][^0-9@]*)?")
_ESCAPED_ASCII = re.compile(r"%([2-7][0-9A-Fa-f])")

# Every repetition is bounded, so that hostile text costs no more than its length.
_EMAIL = re.compile(r"[\w.!$'*+^`{|}~-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}")
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[0-9]{2}(?:[ -]?[A-Za-z0-9]){11,30}")
_NIR = re.compile(
    r"(?<![0-9])[1-478][ .-]?[0-9]{2}[ .-]?[0-9]{2}[ .-]?(?:[0-9]{2}|2[ABab])[ .-]?[0-9]{3}[ .-]?[0-9]{3}"
    r"[ .-]?[0-9]{2}(?![0-9])"
)
_LONG_DIGITS = re.compile(r"[0-9](?:[ .-]?[0-9]){12,}")
_GROUP = re.compile(r"[0-9]+")
# A digit → the sum of the digits of its double.
_DOUBLED = str.maketrans("0123456789", "0246813579")
_PHONES = (
    # +33 6 12 34 56 78, 0033612345678, +44 (0)20 7946 0958
    re.compile(r"(?<![0-9+])(?:\+|00)[ ]?[1-9](?:[ .()-]{0,3}[0-9]){7,14}(?![0-9])"),
    # 06 12 34 56 78, 06.12.34.56.78, 0612345678, 07700900123
    re.compile(r"(?<![0-9])0[1-9](?:([ .-])[0-9]{2}(?:\1[0-9]{2}){3}|[0-9]{8,9})(?![0-9])"),
    # 020 7946 0958, (030) 123456, 07700 900123
    re.compile(
        r"(?<![0-9])(?<![0-9]{2}[ /.-])\(?0[1-9][0-9]{0,3}\)?[ -]"
        r"(?=(?:[ -]?[0-9]){6,9}(?![ -]?[0-9]))[0-9]{3,6}(?:[ -][0-9]{3,4})?"
    ),
    # (415) 555-2671, 415-555-2671, 1 415 555 2671
    re.compile(r"(?<![0-9])(?:1[ .-])?(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}([ .-]))[2-9][0-9]{2}[ .-][0-9]{4}(?![0-9])"),
)
_IBAN_LENGTHS = {
    **dict.fromkeys(("NO",), 15),
    **dict.fromkeys(("BE",), 16),
    **dict.fromkeys(("DK", "FI", "FK", "FO", "GL", "NL", "SD"), 18),
    **dict.fromkeys(("MK", "SI"), 19),
    **dict.fromkeys(("AT", "BA", "EE", "KZ", "LT", "LU", "MN", "XK"), 20),
    **dict.fromkeys(("CH", "HR", "LI", "LV", "NI"), 21),
    **dict.fromkeys(("BG", "BH", "CR", "DE", "GB", "GE", "IE", "ME", "RS", "VA"), 22),
    **dict.fromkeys(("AE", "GI", "IL", "IQ", "OM", "SO", "TL"), 23),
    **dict.fromkeys(("AD", "CZ", "ES", "MD", "PK", "RO", "SA", "SE", "SK", "TN", "VG"), 24),
    **dict.fromkeys(("LY", "PT", "ST"), 25),
    **dict.fromkeys(("IS", "TR"), 26),
    **dict.fromkeys(("BI", "DJ", "FR", "GR", "IT", "MC", "MR", "SM"), 27),
    **dict.fromkeys(("AL", "AZ", "BY", "CY", "DO", "GT", "HN", "HU", "LB", "PL", "SV"), 28),
    **dict.fromkeys(("BR", "EG", "PS", "QA", "UA"), 29),
    **dict.fromkeys(("JO", "KW", "MU", "YE"), 30),
    **dict.fromkeys(("MT", "SC"), 31),
    **dict.fromkeys(("LC",), 32),
    **dict.fromkeys(("RU",), 33),
}
"""Country → characters of its IBAN. Source: SWIFT, IBAN registry."""


def is_forbidden_name(name: str) -> bool:
    """Tells whether a field of this name holds or may hold personal data; `first_name` = `firstName` = `FIRST-NAME`."""
    return _FOLD.sub("", name).lower() in FORBIDDEN_NAMES


def forbidden_path(value: object, path: str) -> str | None:
    """Gives the path of the first field in `value` with a forbidden name, at any depth; None if there is none.

    Args:
        value: a decoded JSON value.
        path: where `value` stands, like `$.events[1]`.
    """
    if isinstance(value, dict):
        for name, inner in value.items():
            at = f"{path}.{name}"
            found = at if is_forbidden_name(name) else forbidden_path(inner, at)
            if found is not None:
                return found
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            found = forbidden_path(inner, f"{path}[{index}]")
            if found is not None:
                return found
    return None


def contains_email(text: str) -> bool:
    """Tells whether an e-mail address stands in the text, percent-encoded or not."""
    return ("@" in text or "%40" in text) and _EMAIL.search(_unescape(text)) is not None


def redact(text: str) -> tuple[str, tuple[Kind, ...]]:
    """Replaces personal data by its kind in brackets, like `[card]`.

    Args:
        text: what a shopper typed, a link or a path; percent-encoded ASCII is looked through.

    Returns:
        The text without it, and the kinds found in the order of the detectors; the very text if there is none.
    """
    readable = _unescape(text) if "%" in text else text
    if _SUSPECT.search(readable) is None:
        return text, ()
    bar_code = _BAR_CODE.fullmatch(readable)
    if bar_code is not None and not _is_card(bar_code[1]):
        return text, ()
    kinds: list[Kind] = []
    for kind, detector in _DETECTORS:
        cleaned = detector(readable, f"[{kind}]")
        if cleaned != readable:
            kinds.append(kind)
            readable = cleaned
    return (readable, tuple(kinds)) if kinds else (text, ())


def _unescape(text: str) -> str:
    return _ESCAPED_ASCII.sub(lambda found: chr(int(found[1], 16)), text)


def _emails(text: str, mark: str) -> str:
    return _EMAIL.sub(mark, text) if "@" in text else text


def _ibans(text: str, mark: str) -> str:
    def replace(found: re.Match[str]) -> str:
        """A greedy match may run into the next words: the country says where the number ends."""
        candidate = found[0]
        length = _IBAN_LENGTHS.get(candidate[:2].upper())
        if length is None:
            return candidate
        ends = [index + 1 for index, character in enumerate(candidate) if character.isalnum()]
        if len(ends) < length:
            return candidate
        number, rest = candidate[: ends[length - 1]], candidate[ends[length - 1] :]
        if rest[:1].isalnum() or not _is_iban(re.sub("[ -]", "", number)):
            return candidate
        return mark + rest

    return _IBAN.sub(replace, text)


def _is_iban(number: str) -> bool:
    """Source: ISO 13616, ISO 7064 mod 97-10."""
    turned = number[4:] + number[:4]
    return int("".join(str(int(character, 36)) for character in turned)) % 97 == 1


def _nirs(text: str, mark: str) -> str:
    return _NIR.sub(lambda found: mark if _is_nir(found[0]) else found[0], text)


def _is_nir(candidate: str) -> bool:
    """Source: INSEE, NIR: key = 97 - (number mod 97), where Corsica's 2A and 2B count as 19 and 18."""
    characters = re.sub("[ .-]", "", candidate).upper()
    number = characters[:13].replace("2A", "19").replace("2B", "18")
    return 97 - int(number) % 97 == int(characters[13:])


def _cards(text: str, mark: str) -> str:
    return _LONG_DIGITS.sub(lambda found: _cards_among(found[0], mark), text)


def _cards_among(run: str, mark: str) -> str:
    """Replaces cards in a run of digit groups: a quantity or a date may stand right before or after one."""
    if run.isdigit():
        return mark if _is_card(run) else run
    groups = [found.span() for found in _GROUP.finditer(run)]
    kept, done, first = [], 0, 0
    while first < len(groups):
        last = _card_from(run, groups, first)
        if last is None:
            first += 1
            continue
        kept += [run[done : groups[first][0]], mark]
        done, first = groups[last][1], last + 1
    return "".join(kept) + run[done:]


def _card_from(run: str, groups: list[tuple[int, int]], first: int) -> int | None:
    """Gives the group that ends a card begun in group `first`; no group of a card has less than three digits."""
    digits = ""
    for index in range(first, len(groups)):
        start, end = groups[index]
        digits += run[start:end]
        if end - start < 3 or len(digits) > 19:
            return None
        if _is_card(digits):
            return index
    return None


def _is_card(digits: str) -> bool:
    """Luhn's formula; of thirteen digits only what begins like a card, for the others are mostly EAN bar codes.

    Source: ISO/IEC 7812-1, annex B.
    """
    if not 13 <= len(digits) <= 19 or (len(digits) == 13 and digits[0] != "4") or digits == digits[0] * len(digits):
        return False
    luhn = digits[-1::-2] + digits[-2::-2].translate(_DOUBLED)
    return (sum(luhn.encode()) - ord("0") * len(luhn)) % 10 == 0


def _phones(text: str, mark: str) -> str:
    for pattern in _PHONES:
        text = pattern.sub(mark, text)
    return text


# The longest numbers first: a phone number may be read out of the middle of any of the others.
_DETECTORS: tuple[tuple[Kind, Callable[[str, str], str]], ...] = (
    ("email", _emails),
    ("iban", _ibans),
    ("nir", _nirs),
    ("card", _cards),
    ("phone", _phones),
)
