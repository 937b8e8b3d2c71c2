"""Texts as shoppers type them and links carry them, with personal data of a known kind planted in them and without.

Every text is made from a seeded generator. Check digits are worked out here once more, on purpose in another way
than the guard does: a mistake there must not hide in its own measurement.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from random import Random
from typing import NamedTuple
from urllib.parse import quote, quote_plus

from domain.personal_data import Kind

Maker = Callable[[Random], str]


def cut(texts: str) -> tuple[str, ...]:
    """Gives the texts that `|` separates."""
    return tuple(texts.split("|"))


def one_of(draw: Random, texts: str) -> str:
    """Gives one of the texts that `|` separates."""
    return draw.choice(texts.split("|"))


class Planted(NamedTuple):
    """A text that holds personal data: the `secret` as it would be typed, and in prose the `words` around it."""

    kind: Kind
    form: str
    text: str
    secret: str
    words: tuple[str, ...]


class Innocent(NamedTuple):
    """A text that holds none."""

    kind: str
    text: str


def digits(draw: Random, count: int) -> str:
    """Gives so many digits."""
    return "".join(draw.choices("0123456789", k=count))


def filled(draw: Random, template: str) -> str:
    """Gives the template with a digit for each `#` and one of 2-9 for each `N`."""
    return "".join(draw.choice({"#": "0123456789", "N": "23456789"}.get(mark, mark)) for mark in template)


def grouped(number: str, sizes: tuple[int, ...], gap: str) -> str:
    """Cuts a number into groups; what is left over is cut into groups of the last size."""
    parts, at, turn = [], 0, 0
    while at < len(number):
        size = sizes[min(turn, len(sizes) - 1)]
        parts.append(number[at : at + size])
        at, turn = at + size, turn + 1
    return gap.join(parts)


GAPS = (" ", " ", " ", " ", "-", ".", "\u00a0", "\u202f")
"""Between groups: mostly a space, sometimes the wide or narrow one that a copied number brings along."""

FIRST = cut("jean|marie|lucas|chloe|o.dupont|pierre-yves|sophie_m|jdoe|emma.watts|h.muller|katie89|nguyen.t|x|leblanc")
ACCENTED = cut("hélène|rené.benoît|françoise|jürgen.groß|zoë|andré_m")
DOMAINS = cut("gmail.com|orange.fr|hotmail.co.uk|wanadoo.fr|web.de|laposte.net|example.org|proton.me|sfr.fr|bt-int.com")
MACHINES = cut("mail|eu.post|smtp-3")
ADDRESSES: dict[str, Maker] = {
    "plain": lambda draw: f"{draw.choice(FIRST)}@{draw.choice(DOMAINS)}",
    "plus tag": lambda draw: f"{draw.choice(FIRST)}+{draw.choice(['shop', 'courses', '2026'])}@{draw.choice(DOMAINS)}",
    "subdomain": lambda draw: f"{draw.choice(FIRST)}@{draw.choice(MACHINES)}.{draw.choice(DOMAINS)}",
    "accents": lambda draw: f"{draw.choice(ACCENTED)}@{draw.choice(['exämple.fr', 'société-générale.fr', *DOMAINS])}",
    "upper case": lambda draw: f"{draw.choice(FIRST)}{digits(draw, 2)}@{draw.choice(DOMAINS)}".upper(),
}

PAIRS = (" ", " ", " ", " ", ".", "-", "/", "", "", "\u00a0", "\u202f", " - ", "  ")
FRENCH_OTHER = ("0{}## ## ## ##", "0{}## ### ###", "0{} #### ####", "0{} ### ### ##", "0{} ## ## ####")
FRENCH_ABROAD = cut(
    "+33 {} ## ## ## ##|+33{}########|+33 (0){} ## ## ## ##|+33(0){}########|(+33) {} ## ## ## ##|+33.{}.##.##.##.##|"
    "+33-{}-##-##-##-##|+33\u00a0{}\u00a0##\u00a0##\u00a0##\u00a0##|0033 {} ## ## ## ##|0033{}########|"
    "00 33 {} ## ## ## ##|0033 (0){} ## ## ## ##|0033-{}-##-##-##-##"
)
BRITISH = cut(
    "07### ######|07### ### ###|07#########|+44 7### ######|+44 (0)7### ######|+447#########|0044 7### ######|"
    "020 N### ####|(020) N### ####|020-N###-####|020.N###.####|020N#######|0161 N## ####|01632 9#####|(01632) 9#####|"
    "01632 9## ###|+44 20 N### ####|+44 (0)20 N### ####|+44(0)161 N## ####|+44-161-N##-####|00442#########"
)
AMERICAN = cut(
    "(N##) N##-####|(N##)N##-####|(N##) N## ####|(N##) N##.####|N##-N##-####|N##.N##.####|N## N## ####|N## N##-####|"
    "1-N##-N##-####|1 N## N## ####|1 (N##) N##-####|+1 N## N## ####|+1 (N##) N##-####|+1-N##-N##-####|+1N##N######|"
    "+1.N##.N##.####|001 N## N## ####"
)
GERMAN = cut(
    "030 N#######|030 N######|(030) N#######|030/N#######|030 / ### ## ##|030-N#######|030 N####-##|089 N# ## ## ##|"
    "(089) N# ## ##|0N##1 N#####|0171 #######|0171/#######|0171-#######|0171 ### ## ##|0171 ### ####|0171 ## ## ###|"
    "0171#######|0151 ########|0151########|030N#######|+49 171 #######|+49 (0)171 #######|+49 (171) #######|"
    "+49171#######|+49 30 N#######|+49 (0)30 / N######|+49/171/#######|0049 171 #######|0049 (0)30 N#######"
)


def french(draw: Random, first: str) -> str:
    """Gives a French number: mostly pairs, as everybody writes them, else other groups or with the country's code."""
    which = draw.random()
    if which < 0.5:
        return grouped(filled(draw, f"0{draw.choice(first)}########"), (2,), draw.choice(PAIRS))
    return filled(draw, draw.choice(FRENCH_OTHER if which < 0.65 else FRENCH_ABROAD).format(draw.choice(first)))


TELEPHONES: dict[str, Maker] = {
    "French mobile": lambda draw: french(draw, "67"),
    "French land line": lambda draw: french(draw, "123459"),
    "UK": lambda draw: filled(draw, draw.choice(BRITISH)),
    "US": lambda draw: filled(draw, draw.choice(AMERICAN)),
    "German": lambda draw: filled(draw, draw.choice(GERMAN)),
}


def luhn_digit(body: str) -> str:
    """Gives the digit that completes a card number: the one that makes the whole pass Luhn's formula."""
    total = 0
    for place, digit in enumerate(reversed(body)):
        total += sum(divmod(int(digit) * 2, 10)) if place % 2 == 0 else int(digit)
    return str(-total % 10)


def card(draw: Random, prefix: str, length: int, sizes: tuple[int, ...]) -> str:
    """Gives a valid card number, as embossed, in one piece, or with hyphens."""
    body = prefix + digits(draw, length - len(prefix) - 1)
    number = f"{body}{luhn_digit(body)}"
    return number if draw.random() < 0.35 else grouped(number, sizes, draw.choice(GAPS))


CARDS: dict[str, Maker] = {
    "Visa, 16 digits": lambda draw: card(draw, "4", 16, (4,)),
    "Visa, 13 digits": lambda draw: card(draw, "4", 13, (4, 3)),
    "Mastercard": lambda draw: card(draw, f"5{draw.choice('12345')}", 16, (4,)),
    "Mastercard, 2-series": lambda draw: card(draw, str(draw.randint(2221, 2720)), 16, (4,)),
    "American Express": lambda draw: card(draw, draw.choice(["34", "37"]), 15, (4, 6, 5)),
    "Maestro, 19 digits": lambda draw: card(draw, draw.choice(["50", "56", "58", "6304", "6759", "676770"]), 19, (4,)),
}
ACCOUNTS = {
    country: re.findall("([0-9]+)([nac])", parts)
    for country, parts in re.findall(
        "([A-Z]{2})([^ ]+)", "FR10n11c2n DE18n GB4a14n ES20n IT1a10n12c BE12n NL4a10n LU3n13c PT21n CH5n12c"
    )
}
"""Country → what stands behind its check digits: n = digits, a = letters, c = either. Source: SWIFT, IBAN registry."""
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def iban(draw: Random, country: str) -> str:
    """Gives a valid IBAN: grouped by four as printed, in one piece, lower case now and then."""
    marks = "".join(mark * int(count) for count, mark in ACCOUNTS[country])
    lettered = (mark == "a" or (mark == "c" and draw.random() < 0.1) for mark in marks)
    body = "".join(draw.choice(LETTERS if letter else "0123456789") for letter in lettered)
    # Remainder letter by letter, as one would on paper: A = 10 to Z = 35 take two places.
    remainder = 0
    for character in f"{body}{country}00":
        remainder = (remainder * (10 if character.isdigit() else 100) + int(character, 36)) % 97
    number = f"{country}{98 - remainder:02}{body}"
    if draw.random() < 0.6:
        number = grouped(number, (4,), draw.choice(GAPS))
    return number.lower() if draw.random() < 0.3 else number


def nir(draw: Random, first: str, department: str) -> str:
    """Gives a valid French national number with its key."""
    born = f"{draw.randint(30, 99) if draw.random() < 0.8 else draw.randint(0, 8):02}{draw.randint(1, 12):02}"
    number = f"{first}{born}{department}{draw.randint(1, 990):03}{draw.randint(1, 999):03}"
    # Source: INSEE: 2A counts as 19, 2B as 18, which is what subtracting a million, or two, from A or B = 0 gives.
    counted = int(number.replace("A", "0").replace("B", "0"))
    counted -= 1_000_000 if "A" in number else 2_000_000 if "B" in number else 0
    key = f"{97 - counted % 97:02}"
    number = number.lower() if draw.random() < 0.3 else number
    if draw.random() < 0.35:
        return number + key
    gap, last_gap = draw.choice(GAPS), draw.choice([" ", " ", " ", "", "-", " / ", " clé "])
    return grouped(number, (1, 2, 2, 2, 3, 3), gap) + last_gap + key


NIRS: dict[str, Maker] = {
    "man": lambda draw: nir(draw, "1", f"{draw.randint(1, 95):02}"),
    "woman": lambda draw: nir(draw, "2", f"{draw.randint(1, 95):02}"),
    "Corsica": lambda draw: nir(draw, draw.choice("12"), draw.choice(["2A", "2B"])),
    "abroad": lambda draw: nir(draw, draw.choice("12"), "99"),
}
PERSONAL: dict[Kind, dict[str, Maker]] = {
    "email": ADDRESSES,
    "phone": TELEPHONES,
    "card": CARDS,
    "iban": {country: lambda draw, country=country: iban(draw, country) for country in ACCOUNTS},  # type: ignore[misc]
    "nir": NIRS,
}

PROSE = cut(
    "{}|{}|{}|{} merci|appelez-moi au {} svp|mon numéro est le {}.|livraison pour Mme Martin, {}, 75011 Paris|"
    "pain complet {} deux baguettes|2 {}|{} 12 oeufs|lait 500 g {}|le 23/11/2026 {}|ma carte ({}) ne passe pas|"
    "c'est {} pas l'autre|compte : {} ; remboursement|commande o-2026-00123, {}|contact={}|"
    "please call {} after six|my number is {}|refund to {} today|gift card {} not working|ship to Ada, {}, thanks|"
    "milk 2 l {}|{} 2 pizzas|1 {} and 500 g flour|{}\norganic eggs|is it {}?|order 4711: {}|{}, {}"
)
PATHS = cut(
    "/recherche/{}|/search/{}|/search/{}/2|/compte/{}/commandes|/account/{}|https://boutique.test/c/{}|"
    "https://boutique.test/suivi/{}/etat|/contact/tel:{}|/u/{}/"
)


def _planted(draw: Random, kind: Kind, form: str, make: Maker) -> Planted:
    secret = make(draw)
    if draw.random() < 0.7:
        carrier = draw.choice(PROSE)
        words = tuple(word for word in carrier.replace("{}", " ").split() if word.isalpha())
        return Planted(kind, form, carrier.format(secret, secret), secret, words)
    carrier = draw.choice(PATHS)
    encoded = draw.choice([quote(secret, safe=""), quote(secret), quote_plus(secret), quote(secret, safe="@+:()/")])
    # Sometimes encoded again, as a redirect does with the address that it carries.
    return Planted(kind, form, carrier.format(quote(encoded) if draw.random() < 0.05 else encoded), secret, ())


def planted(draw: Random, of_each_kind: int) -> Iterator[Planted]:
    """Gives texts with personal data, as many of each kind, evenly over its forms."""
    for kind, forms in PERSONAL.items():
        names = list(forms)
        for turn in range(of_each_kind):
            form = names[turn % len(names)]
            yield _planted(draw, kind, form, forms[form])


PRODUCTS = cut(
    "lait demi-écrémé|spaghetti n°5|crème fraîche|oeufs bio|beurre doux|eau pétillante|couches taille 4|café moulu|"
    "yaourt nature|jambon blanc|tomates cerises|pommes golden|lessive liquide|croquettes chat|papier toilette|"
    "whole milk|free range eggs|oat drink|orange juice|basmati rice|cheddar|nappies size 5|dog food|olive oil|"
    "dishwasher tablets|toothpaste|sourdough bread|bananas|red wine|baby formula"
)
SIZES = cut("50|100|125|200|250|300|330|400|450|500|750|800|1000|1500|2000")
PREFIXES = cut(
    "00|01|03|04|06|07|08|2|20|26|30|317|325|335|356|37|400|401|402|405|410|42|43|440|45|49|500|501|505|509|54|57|590|"
    "611|64|69|729|73|76|80|803|84|87|90|93|977|978"
)
"""Of bar codes; those that begin like a card or a number abroad are among them."""
UNITS = cut("g|kg|ml|cl|l|L|litres|tranches|sachets|pièces|slices|pcs|capsules")


def number(draw: Random, least: int, most: int) -> int:
    """Gives a number, the small ones more often: quantities are."""
    return int(least + (most - least + 1) * draw.random() ** 2)


def date(draw: Random) -> str:
    """Gives a date in one of the usual spellings."""
    day, month, year = draw.randint(1, 28), draw.randint(1, 12), draw.randint(2019, 2032)
    spellings = (
        f"{day:02}/{month:02}/{year}|{day:02}.{month:02}.{year}|{day:02}-{month:02}-{year}|{year}-{month:02}-{day:02}|"
        f"{day:02}/{month:02}/{year % 100:02}|{day} novembre {year}|{month:02}/{year}|{month:02} {year}|"
        f"{day:02} {month:02} {year}|{year}{month:02}{day:02}"
    )
    return one_of(draw, spellings)


def hours(draw: Random) -> str:
    """Gives opening hours of one day."""
    opens, closes = draw.randint(6, 10), draw.randint(17, 22)
    half, quarter = draw.choice(["00", "30"]), draw.choice(["00", "15", "30", "45"])
    spellings = (
        f"{opens}h-{closes}h|{opens}h{half} - {closes}h{quarter}|{opens:02}:{half} - {closes}:{quarter}|"
        f"{opens:02}:{half}-12:30 14:00-{closes}:{quarter}|{opens:02}h{half}-12h30 et 14h-{closes}h{quarter}|"
        f"{opens:02}.{half}-{closes}.{quarter}|{opens} am - {closes - 12} pm|{opens:02}{half}-{closes}{quarter}|"
        f"{opens:02}{half} - 1230 1400 - {closes}{quarter}"
    )
    return one_of(draw, spellings)


def bar_code(draw: Random, length: int) -> str:
    """Gives an EAN-8, EAN-13 or GTIN-14 of a country whose goods are sold here, its check digit right."""
    indicator = draw.choice("00012358") if length == 14 else ""
    body = (indicator + draw.choice(PREFIXES) + digits(draw, length))[: length - 1]
    # Source: GS1 General Specifications: every second digit counts three times, beginning beside the check digit.
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(body)))
    return f"{body}{-total % 10}"


def loyalty_number(draw: Random) -> str:
    """Gives a loyalty card's number: 13 to 19 digits that pass Luhn's formula, as many retailers print them."""
    length = draw.choice([13, 16, 16, 17, 19])
    body = (draw.choice(["4", "50", "63", "9250", "2250", "3", "1"]) + digits(draw, length))[: length - 1]
    return body + luhn_digit(body)


# Each of these gives the alternatives that `one_of` chooses from.
def _search(draw: Random) -> str:
    product, size, unit, count = draw.choice(PRODUCTS), draw.choice(SIZES), draw.choice(UNITS), number(draw, 1, 48)
    price = f"{number(draw, 0, 99)}{draw.choice('.,')}{draw.randint(0, 99):02}"
    return (
        f"{product}|{product} {size} {unit}|{product} {count}x{size}{unit}|{count} x {size} {unit} {product}|"
        f"{product} {price} €|{product} moins de {price}|{product} £{price}|{product} -{count} %|"
        f"{product} {draw.choice(SIZES)} {draw.choice(SIZES)} {size}|{product} {size}/{draw.choice(SIZES)} {unit}|"
        f"{product} {count} + {number(draw, 1, 9)} offerts|{count} {product}, {number(draw, 1, 12)} {product}|"
        f"{product} {size} {unit} x{count} {price} EUR|{product} 100 % {price} €/kg|{product} 1 299,00 € 2 499,00 €|"
        f"{product} {draw.randint(10, 99)}% {size}{unit} {draw.randint(1990, 2026)}|{product} 3 for {price}"
    )


def _dated(draw: Random) -> str:
    product, size = draw.choice(PRODUCTS), draw.choice(SIZES)
    return (
        f"livraison le {date(draw)} entre {number(draw, 8, 20)}h et 21h|{product} DLC {date(draw)} {size} g|"
        f"du {date(draw)} au {date(draw)} -{number(draw, 5, 70)} %|catalogue {date(draw)}|promo {date(draw)} {product}|"
        f"delivery on {date(draw)} at {number(draw, 8, 20)}:30|{product} best before {date(draw)} {size} ml|"
        f"champagne {draw.randint(1985, 2024)} {draw.randint(1985, 2024)}|{date(draw)} {product} {size}|{date(draw)}"
    )


def _open(draw: Random) -> str:
    day = draw.choice(["lundi", "dimanche", "lun-ven", "Monday", "Sat-Sun", "24/12", "jours fériés"])
    return f"horaires {day} {hours(draw)}|drive {hours(draw)}|open {day} {hours(draw)} {day}"


def _bar_code_typed(draw: Random) -> str:
    code = bar_code(draw, draw.choice([8, 13, 13, 13, 14]))
    printed = {8: grouped(code, (4,), " "), 13: grouped(code, (1, 6, 6), " "), 14: code}[len(code)]
    return f"{code}|{printed}|{draw.choice(PRODUCTS)} {code}|EAN {code} x{number(draw, 1, 12)}"


def _bar_code_in_path(draw: Random) -> str:
    slug = draw.choice(PRODUCTS).replace(" ", "-")
    code = bar_code(draw, draw.choice([8, 13, 13, 13, 13, 14]))
    return (
        f"/p/{code}|/produit/{quote(slug)}-{code}|/p/{quote(slug)}-{draw.choice(SIZES)}-g-{code}|/product/{code}/reviews|"
        f"https://boutique.test/p/{slug}/{code}.html|/p/{slug}-{draw.choice(SIZES)}-{code}|/img/{code}_{code[:3]}_2.jpg|"
        f"/rayon-{number(draw, 1, 40)}/{code}|/p/ean={code}|/{draw.choice(SIZES)}/{code}"
    )


def _order(draw: Random) -> str:
    year, serial, letter = draw.randint(2023, 2026), draw.randint(1, 99_999), draw.choice(LETTERS)
    return (
        f"o-{year}-{serial:05}|commande o-{year}-{serial:05} {number(draw, 1, 24)} articles|order #{year}{serial:06}|"
        f"facture F{year}-{serial:06}|lot {letter}{serial:05} {date(draw)}|lot {serial:05}{letter} {hours(draw)}|"
        f"batch {serial:05}-{number(draw, 1, 99):02}|colis 6{letter}{digits(draw, 11)}|invoice {year}/{serial:05}|"
        f"/commandes/o-{year}-{serial:05}/lignes/{number(draw, 1, 60)}|réf. {serial:05} {number(draw, 1, 999)}|"
        f"order o-{year}-{serial:05} and o-{year}-{serial + 1:05}|lot L{digits(draw, 4)} 0{digits(draw, 3)}"
    )


def _place(draw: Random) -> str:
    french, german = f"{draw.randint(1, 95):02}{draw.choice(['000', '100', '200', '250', '370'])}", digits(draw, 5)
    return (
        f"livraison {french} Lyon|drive {french}|{number(draw, 1, 250)} rue de Paris {french}|{french} {german}|"
        f"magasin {french} {hours(draw)}|delivery M{number(draw, 1, 9)} 1AE|SW1A 1AA {number(draw, 1, 99)}|"
        f"{german} Berlin|CEDEX {number(draw, 1, 20)} {french}|store near {german}-{digits(draw, 4)}"
    )


def _model(draw: Random) -> str:
    models = (
        "Vertuo ENV120.BAE|Bosch TAS1402|piles LR06 AA x12|Philips HD9252/90|HP 305XL 3YM62AE|iPhone 15 128|CR2032 3V|"
        "E27 806 lm 2700K|Krups EA8150|Tefal L2300902|Dyson V15 SV22|Brita Maxtra 1044032|LEGO 71374|Canon PG-545XL"
    )
    made = f"{draw.choice(['WX', 'KF', 'RB', 'EA'])}{digits(draw, 3)}{draw.choice(LETTERS)}{digits(draw, 4)}"
    return f"{models}|{made}|{made} {draw.choice(SIZES)} W|{made}/{digits(draw, 2)}"


def _link(draw: Random) -> str:
    hexes = "".join(draw.choices("0123456789abcdef", k=32))
    return (
        f"/c/fruits-legumes/pommes-{draw.choice(SIZES)}-{draw.choice(SIZES)}|/recettes/{number(draw, 2, 12)}-parts|"
        f"/o/{grouped(hexes, (8, 4, 4, 4, 12), '-')}|/assets/app.{hexes[:20]}.js|/img/logo@{number(draw, 2, 3)}x.png|"
        f"/%C3%A9picerie/{quote(draw.choice(PRODUCTS))}|/promo/{date(draw).replace('/', '-')}/{number(draw, 1, 9)}|"
        f"https://maps.test/@48.{digits(draw, 4)},2.{digits(draw, 4)},15z|https://video.test/@boutique.officielle|"
        f"/c/{number(draw, 1, 99)}/{number(draw, 1, 999)}/{number(draw, 1, 9999)}|/p/{number(draw, 1, 10**8)}|"
        f"/t/{draw.randint(1_600_000_000, 1_799_999_999)}|banner-{draw.choice(SIZES)}x{draw.choice(SIZES)}"
    )


HARMLESS: dict[str, Maker] = {
    "searches with sizes and prices": _search,
    "dates and years": _dated,
    "opening hours": _open,
    "bar codes, typed": _bar_code_typed,
    "bar codes in paths": _bar_code_in_path,
    "order and batch numbers": _order,
    "postcodes": _place,
    "model names": _model,
    "other paths and links": _link,
}


def innocent(draw: Random, of_each_kind: int) -> Iterator[Innocent]:
    """Gives texts without personal data, as many of each kind."""
    for kind, make in HARMLESS.items():
        for _ in range(of_each_kind):
            yield Innocent(kind, one_of(draw, make(draw)))
