"""What a catalogue file may hold, and how each fault in it is told."""

from pathlib import Path

import pytest

from deploy.catalogue import FAULTS_MAX, read_catalogue
from domain.errors import Refused
from domain.ports.retailers import CatalogueItem

HEADER = "product_id,name,category_id,brand,price_minor,cost_minor\n"
PENNE = CatalogueItem(
    product_id="p-1", name="Penne, 500 g", category_id="pasta", brand="Oro", price_minor=249, cost_minor=90
)
PESTO = CatalogueItem(product_id="p-2", name="Pesto", category_id="sauces")


def written(folder: Path, text: str | bytes, name: str = "products.csv") -> Path:
    """A file of this content."""
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    "text",
    [
        HEADER + '"p-1","Penne, 500 g",pasta,Oro,249,90\np-2,Pesto,sauces,,,\n',
        "\ufeff" + HEADER + 'p-1,"Penne, 500 g",pasta,Oro,249,90\r\n\r\np-2,Pesto,sauces,,,\r\n',
        (
            "name,category_id,product_id,cost_minor,price_minor,brand\n"
            '"Penne, 500 g",pasta,p-1,90,249,Oro\nPesto,sauces,p-2,,,\n'
        ),
        (
            '{"product_id":"p-1","name":"Penne, 500 g","category_id":"pasta","brand":"Oro",'
            '"price_minor":249,"cost_minor":90}\n'
            '\n{"product_id":"p-2","name":"Pesto","category_id":"sauces","brand":null}'
        ),
    ],
    ids=["csv", "csv-from-a-spreadsheet", "columns-in-any-order", "jsonl"],
)
def test_each_form_of_a_catalogue_gives_the_same_products(text: str, tmp_path: Path) -> None:
    """CSV and JSON Lines are read alike, whatever the line ends and the order of columns."""
    assert [PENNE, PESTO] == read_catalogue(written(tmp_path, text))


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (",Penne,pasta,,,", "product_id is missing"),
        ("p-1,,pasta,,,", "name is missing"),
        ("p-1,Penne,,,,", "category_id is missing"),
        ("p-1,Penne,pasta,,2.49,", "price_minor '2.49' is no integer from 0"),
        ("p-1,Penne,pasta,,-1,", "price_minor '-1' is no integer"),
        ("p-1,Penne,pasta,,,1000000000001", "cost_minor 1000000000001 is no integer"),
        ("p-1,Penne,pasta,," + "9" * 5_000 + ",", "is no integer"),
        ("p-1,Penne,pasta", "3 cells under 6 columns"),
        (f"{'p' * 129},Penne,pasta,,,", "is no text of 1 to 128 printable characters"),
        ("p\x07,Penne,pasta,,,", "is no text of 1 to 128 printable characters"),
    ],
)
def test_a_fault_names_its_line(row: str, fault: str, tmp_path: Path) -> None:
    """The message says which line, which field and what is wrong with it."""
    path = written(tmp_path, f"{HEADER}p-0,Good,pasta,,,\n{row}\n")
    with pytest.raises(Refused) as refused:
        read_catalogue(path)
    assert refused.value.faults[0].startswith(f"{path} line 3: ")
    assert fault in refused.value.faults[0]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('{"product_id":"p-1"', "truncated"),
        ("[1]", "not a JSON object"),
        ('{"product_id":"p-1","name":"Penne","category_id":"pasta","colour":"red"}', "'colour' is no field"),
        ('{"product_id":7,"name":"Penne","category_id":"pasta"}', "product_id 7 is no text"),
        ('{"product_id":"p-1","name":"Penne","category_id":"pasta","brand":""}', "brand '' is no text"),
        (
            '{"product_id":"p-1","name":"Penne","category_id":"pasta","price_minor":true}',
            "price_minor True is no integer",
        ),
        ('{"product_id":"p-0","name":"Penne","category_id":"pasta"}', "stands in line 1 already"),
    ],
)
def test_a_fault_of_json_lines_names_its_line(line: str, fault: str, tmp_path: Path) -> None:
    """JSON Lines get the same care as CSV."""
    path = written(tmp_path, '{"product_id":"p-0","name":"Good","category_id":"pasta"}\n' + line)
    with pytest.raises(Refused) as refused:
        read_catalogue(path)
    assert refused.value.faults[0].startswith(f"{path} line 2: ")
    assert fault in refused.value.faults[0]


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    """One reading of the message is enough to mend the file."""
    path = written(
        tmp_path, HEADER + "p-1,Penne,pasta,,x,\np-1,Penne,pasta,,1,\np-1,Penne,pasta,,1,\n,Penne,pasta,,1,\n"
    )
    with pytest.raises(Refused) as refused:
        read_catalogue(path)
    assert [
        f"{path} line 2: price_minor 'x' is no integer from 0 to 1000000000000: 2.49 is 249",
        f"{path} line 4: product_id 'p-1' stands in line 3 already",
        f"{path} line 5: product_id is missing",
        f"nothing was imported from {path}",
    ] == list(refused.value.faults)


def test_a_hopeless_file_does_not_flood_the_terminal(tmp_path: Path) -> None:
    """Beyond a bound faults are counted, not named."""
    with pytest.raises(Refused) as refused:
        read_catalogue(written(tmp_path, HEADER + ",,,,,x\n" * (FAULTS_MAX + 7)))
    assert (FAULTS_MAX + 2, "and 7 more") == (len(refused.value.faults), refused.value.faults[-2])


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "line 1: the header lacks product_id, name, category_id"),
        (b"sku,title\n1,Penne\n", "the header lacks product_id, name, category_id"),
        (HEADER.encode(), "holds no product"),
        (b"product_id,name,category_id\np-1,Cr\xe8me,dairy\n", "is not UTF-8 at byte 34"),
        (b'product_id,name,category_id\np-1,"Penne,pasta\n', "line 2: unexpected end of data"),
    ],
)
def test_a_file_that_is_no_catalogue_is_refused(content: bytes, fault: str, tmp_path: Path) -> None:
    """Empty, without a header, in another encoding or cut: each has its sentence."""
    with pytest.raises(Refused, match=fault):
        read_catalogue(written(tmp_path, content))
