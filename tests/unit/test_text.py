"""Words as searches and terms compare them."""

import pytest

from domain.text import fold, words, words_of_term


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("PENNE Rigate", {"penne", "rigate"}),
        ("Crème brûlée", {"creme", "brulee"}),
        ("creme\u0301 FRAI\u0302CHE", {"creme", "fraiche"}),
        ("œufs frais", {"oeufs", "frais"}),
        ("ŒUFS", {"oeufs"}),
        ("l'huile d\u2019olive", {"l", "huile", "d", "olive"}),
        ("eau 1,5 L", {"eau", "1", "5", "l"}),
        ("lait_demi-écrémé", {"lait", "demi", "ecreme"}),
        ("Straße SMØRREBRØD", {"strasse", "smorrebrod"}),
        ("İstanbul", {"istanbul"}),
        ("ﬁlet", {"filet"}),
        ("βασικός ΒΑΣΙΚΌΣ", {"βασικοσ"}),
        ("寿司", {"寿司"}),
        ("  … !?", set()),
        ("", set()),
    ],
)
def test_words_lose_case_accents_and_punctuation(text: str, expected: set[str]) -> None:
    """What people type in different ways gives the same words."""
    assert expected == words(text)
    assert expected == words_of_term(text)


def test_fold_keeps_the_rest() -> None:
    """Folding touches case and accents alone."""
    assert fold("Pâtes & Sauce, 500 g") == "pates & sauce, 500 g"
