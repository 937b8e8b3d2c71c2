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
_ESCAPED_BEYOND = re.compile(r"(?:%[89A-Fa-f][0-9A-Fa-f]){2,}")

# What people and links put between groups of digits: any space, hyphen, dot, underscore, and `+`, a link's space.
_GAP = r"[\s.+_\u2010-\u2013-]"
# Every repetition is bounded, so that hostile text costs no more than its length. `logo@2x.png` is a picture.
_EMAIL = re.compile(
    r"[\w.!$%'*+^`{|}~-]{1,64}(?:@\s?|\s@\s)(?![1-4]x\.)(?:[\w%-]{1,63}\.){1,8}[^\W\d_]{2,24}",
)
_IBAN = re.compile(rf"(?<![A-Za-z0-9])[A-Za-z]{{2}}{_GAP}?[0-9]{{2}}(?:{_GAP}{{0,2}}[A-Za-z0-9]){{11,30}}")
_NIR = re.compile(
    rf"(?<![0-9])[1-478]{_GAP}?[0-9]{{2}}{_GAP}?[0-9]{{2}}{_GAP}?(?:[0-9]{{2}}|2[ABab]){_GAP}?[0-9]{{3}}{_GAP}?"
    rf"[0-9]{{3}}(?:{_GAP}|{_GAP}?(?:/|cl[ée]){_GAP}?)?[0-9]{{2}}(?![0-9])"
)
_NIR_GAPS = re.compile("[^0-9AB]")
_LONG_DIGITS = re.compile(rf"[0-9](?:{_GAP}{{0,2}}[0-9]){{12,}}")
_GROUP = re.compile(r"[0-9]+")
# The lengths that networks issue: Visa 13, 16, 19; Diners 14; Amex 15; Mastercard, JCB, Discover, UnionPay, RuPay,
# Mir 16; Maestro and UnionPay up to 19. Any other number that passes Luhn's formula does so by chance.
_ISSUED = re.compile(
    r"4[0-9]{12}|3[0689][0-9]{12}|3[47][0-9]{13}|(?:2[2-7]|3[05689]|[4-6][0-9]|8[12])[0-9]{14}"
    r"|(?:4[0-9]|5[0678]|6[0-9]|81)[0-9]{15,17}"
)
# A digit → the sum of the digits of its double.
_DOUBLED = str.maketrans("0123456789", "0246813579")
_TELEPHONE_GAP = r"[\s./()+\u2010-\u2013-]{0,3}"
_AREA = r"(?<![0-9A-Za-z])(?<![0-9]{2}[/.-])\(?0[1-9]"
_AFTER_AREA = rf"(?:\){_GAP}?|[\s+]?[/\u2013-][\s+]?|{_GAP})"
# The end of a number in groups: a letter may stand there in the middle of a UUID.
_END = r"(?![0-9A-Za-z])"
_PHONES: tuple[tuple[str, re.Pattern[str]], ...] = (
    # +33 6 12 34 56 78, +44 (0)20 7946 0958, (+49) 171/1234567
    ("+", re.compile(rf"(?<![0-9])\+{_GAP}?\(?[1-9](?:{_TELEPHONE_GAP}[0-9]){{7,14}}(?![0-9])")),
    # 0033612345678, 00 49 (0)171 1234567; 5 001234 567890 is a printed bar code, 00130 12/11/2026 a lot and its date
    (
        "00",
        re.compile(
            rf"(?<![0-9A-Za-z+])(?<![0-9]-)"
            rf"(?!(?<=[0-9] )[0-9]{{6}} [0-9]{{6}}(?![0-9]))(?![0-9]{{4,6}} [0-9]{{2}}/[0-9]{{2}}/)"
            rf"00{_GAP}?\(?[1-9](?:{_TELEPHONE_GAP}[0-9]){{9,12}}(?![0-9])"
        ),
    ),
    # 06 12 34 56 78, 06/12/34/56/78, 0612345678, 07700900123, 015112345678; 6A01234567890 is a parcel
    (
        "0",
        re.compile(
            r"(?<![0-9])(?<![0-9][A-Za-z])0[1-9](?:([\s+]?[./_\u2010-\u2013-][\s+]?|[\s+]{1,2})[0-9]{2}(?:\1[0-9]{2}){3}"
            r"|[0-9]{8,9}|[567][0-9]{9})(?![A-Za-z]?[0-9])"
        ),
    ),
    # 06 1234 5678, 06 123 456 78, 06 12 34 5678, 06-12345678; 06 2026 1000 is a month and a size
    (
        "0",
        re.compile(
            rf"(?<![0-9A-Za-z])0[1-9]({_GAP})(?:(?!20[1-4][0-9]{_GAP}[0-9]{{2}}[05]0)[0-9]{{4}}\1[0-9]{{4}}"
            rf"|[0-9]{{3}}\1[0-9]{{3}}\1[0-9]{{2}}|[0-9]{{2}}\1[0-9]{{2}}\1(?!20[1-4])[0-9]{{4}}|[0-9]{{8}}){_END}"
        ),
    ),
    # 0612 34 56 78, 0612-34-56-78, (089) 12 34 56, 0171 / 12 34 567
    (
        "0",
        re.compile(
            rf"{_AREA}[0-9]{{1,2}}(?:(?:\)[\s+]?|[\s+]?/[\s+]?|[\s+])[0-9]{{2}}(?:[\s+][0-9]{{2}}){{2}}(?:[\s+]?[0-9]{{1,2}})?"
            rf"|([_-])[0-9]{{2}}(?:\1[0-9]{{2}}){{2,3}}){_END}"
        ),
    ),
    # 020 7946 0958, (030) 123456, 030/12345-67; 0900-1230 are hours
    (
        "0",
        re.compile(
            rf"{_AREA}(?![0-5][05][\s+\u2013-]{{1,3}}[0-2][0-9][0-5][05](?![0-9]))[0-9]{{1,2}}{_AFTER_AREA}"
            rf"(?:[0-9]{{3}}{_GAP}[0-9]{{2}}{_GAP}[0-9]{{2,3}}|[0-9]{{3,4}}{_GAP}[0-9]{{3,5}}|[0-9]{{5}}-[0-9]{{2,3}}"
            rf"|[0-9]{{6,8}}){_END}"
        ),
    ),
    # 07700 900123, (01632) 960 123
    ("0", re.compile(rf"{_AREA}[0-9]{{3}}{_AFTER_AREA}(?:[0-9]{{3}}{_GAP}[0-9]{{3,4}}|[0-9]{{6,7}}){_END}")),
    # (415) 555-2671, 415-555-2671, 1 415 555 2671; 250 500 1000 are sizes
    (
        "",
        re.compile(
            rf"(?<![0-9])(?:1{_GAP})?(?:\([2-9][0-9]{{2}}\){_GAP}?[2-9][0-9]{{2}}{_GAP}?"
            rf"|(?![0-9]{{2}}0{_GAP}[0-9]{{2}}0{_GAP}[0-9]{{2}}00)[2-9][0-9]{{2}}{_GAP}[2-9][0-9]{{2}}{_GAP})[0-9]{{4}}(?![0-9])"
        ),
    ),
)
"""What has to stand in a text for the pattern to be tried at all, and the pattern."""
# What begins so and stands in no link is a number of a country near by, even if its last digit is a right check digit.
_NEAR = ("0031", "0032", "0033", "0034", "0039", "0041", "0044", "0049", "015", "016", "017")
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
    return ("@" in text or "%" in text) and _EMAIL.search(_unescape(text)) is not None


def redact(text: str) -> tuple[str, tuple[Kind, ...]]:
    """Replaces personal data by its kind in brackets, like `[card]`.

    Args:
        text: what a shopper typed, a link or a path; percent-encoding is looked through.

    Returns:
        The text without it, and the kinds found in the order of the detectors; the very text if there is none.
    """
    readable = _unescape(text) if "%" in text else text
    if _SUSPECT.search(readable) is None:
        return text, ()
    bar_code = _BAR_CODE.fullmatch(readable)
    # Of the lengths up to thirteen, a card begins with 4.
    if bar_code is not None and (bar_code[1][0] != "4" or not _is_lone_card(bar_code[1])):
        return text, ()
    readable = _ESCAPED_BEYOND.sub(_unescape_beyond, readable) if "%" in readable else readable
    kinds: list[Kind] = []
    for kind, detector in _DETECTORS:
        cleaned = detector(readable, f"[{kind}]")
        if cleaned != readable:
            kinds.append(kind)
            readable = cleaned
    return (readable, tuple(kinds)) if kinds else (text, ())


def _unescape(text: str) -> str:
    """Looks through percent-encoding, one that was encoded again included."""
    return _ESCAPED_ASCII.sub(lambda found: chr(int(found[1], 16)), text.replace("%25", "%"))


def _unescape_beyond(found: re.Match[str]) -> str:
    """Decodes UTF-8 beyond ASCII: a pasted number may bring its own spaces along. Control characters stay encoded."""
    decoded = bytes.fromhex(found[0].replace("%", "")).decode(errors="replace")
    return decoded if min(decoded) >= "\xa0" and "\ufffd" not in decoded else found[0]


def _emails(text: str, mark: str) -> str:
    return _EMAIL.sub(mark, text) if "@" in text else text


def _ibans(text: str, mark: str) -> str:
    """Replaces accounts; each look goes on where the last number ends, for a match may run into the next one."""
    kept, done, at = [], 0, 0
    while (found := _IBAN.search(text, at)) is not None:
        length = _iban_length(found[0], text[found.end() : found.end() + 1])
        # No other country code begins within the two letters and two digits of this one.
        at = found.start() + (length or 4)
        if length:
            kept += [text[done : found.start()], mark]
            done = at
    return "".join(kept) + text[done:] if kept else text


def _iban_length(candidate: str, after: str) -> int:
    """Gives the characters of the account that the candidate begins with, by its country; 0 if it is none.

    Args:
        candidate: a country, two digits, and what may belong to the account or be the next words.
        after: the character that follows; empty at the text's end.
    """
    length = _IBAN_LENGTHS.get(candidate[:2].upper())
    ends = [index + 1 for index, character in enumerate(candidate) if character.isalnum()]
    if length is None or len(ends) < length:
        return 0
    end = ends[length - 1]
    number = "".join(filter(str.isalnum, candidate[:end]))
    # `de 12 tranches` begins like a German account, but words have few digits.
    if (candidate[end:] or after)[:1].isalnum() or sum(map(str.isdigit, number)) * 3 < length or not _is_iban(number):
        return 0
    return end


def _is_iban(number: str) -> bool:
    """Source: ISO 13616, ISO 7064 mod 97-10."""
    turned = number[4:] + number[:4]
    return int("".join(str(int(character, 36)) for character in turned)) % 97 == 1


def _nirs(text: str, mark: str) -> str:
    return _NIR.sub(lambda found: mark if _is_nir(found[0]) else found[0], text)


def _is_nir(candidate: str) -> bool:
    """Source: INSEE, NIR: key = 97 - (number mod 97), where Corsica's 2A and 2B count as 19 and 18."""
    # A digit and fourteen in one piece: the size before a bar code.
    if candidate[2:].isdigit() and not candidate[1].isdigit():
        return False
    characters = _NIR_GAPS.sub("", candidate.upper())
    number = characters[:13].replace("2A", "19").replace("2B", "18")
    return 97 - int(number) % 97 == int(characters[13:])


def _cards(text: str, mark: str) -> str:
    return _LONG_DIGITS.sub(lambda found: _cards_among(found[0], mark), text)


def _cards_among(run: str, mark: str) -> str:
    """Replaces cards in a run of digit groups: a quantity or a date may stand right before or after one."""
    if run.isdigit():
        return mark if _is_lone_card(run) else run
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
    """Gives the group that ends the longest card begun in group `first`.

    A card's groups have three to eight digits, what follows the sixteenth fewer; a longer one stands for itself.
    """
    digits, last = "", None
    for index in range(first, len(groups)):
        start, end = groups[index]
        size = end - start
        if size > 8:
            return first if index == first and _is_lone_card(run[start:end]) else last
        if size < 3 and len(digits) < 16:
            return last
        digits += run[start:end]
        if len(digits) > 19:
            return last
        # The shortest may be anything, a lot and its date: they alone have to be grouped like on a card.
        if _is_card(digits) and (len(digits) > 13 or groups[first][1] - groups[first][0] == 4):
            last = index
    return last


def _is_lone_card(digits: str) -> bool:
    """A right bar code in one piece is one: Visa has long issued sixteen digits, and hardly anybody has a Diners."""
    return _is_card(digits) and not _is_bar_code(digits)


def _is_card(digits: str) -> bool:
    """Tells whether a network may have issued this number: its beginning, its length and Luhn's formula.

    Source: ISO/IEC 7812-1, annex B.
    """
    if _ISSUED.fullmatch(digits) is None or digits == digits[0] * len(digits):
        return False
    luhn = digits[-1::-2] + digits[-2::-2].translate(_DOUBLED)
    return (sum(luhn.encode()) - ord("0") * len(luhn)) % 10 == 0


def _is_bar_code(number: str) -> bool:
    """Source: GS1 General Specifications, check digit of GTIN-12, GTIN-13 and GTIN-14."""
    if not number.isdigit() or not 12 <= len(number) <= 14:
        return False
    digits = [int(digit) for digit in reversed(number)]
    return (sum(digits[::2]) + 3 * sum(digits[1::2])) % 10 == 0


def _phones(text: str, mark: str) -> str:
    def replace(found: re.Match[str]) -> str:
        """A right bar code may begin like a number abroad."""
        if not _is_bar_code(found[0]):
            return mark
        before = found.string[max(0, found.start() - 1) : found.start()]
        return mark if found[0].startswith(_NEAR) and before not in {"/", "-", "_", "="} else found[0]

    for needed, pattern in _PHONES:
        if needed in text:
            text = pattern.sub(replace, text)
    return text


# The longest numbers first: a phone number may be read out of the middle of any of the others.
_DETECTORS: tuple[tuple[Kind, Callable[[str, str], str]], ...] = (
    ("email", _emails),
    ("iban", _ibans),
    ("nir", _nirs),
    ("card", _cards),
    ("phone", _phones),
)
