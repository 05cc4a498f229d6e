"""Sentences keep their facts apart, and are strings all the same."""

from copy import deepcopy

from sfumato.sentence import Sentence

NO_CARD = Sentence("Machine", "No card.")
WHY = Sentence("Fit", "{why}: CPU only, about {time} s.").filled(why=NO_CARD, time="1.5")
GERMAN = {
    "No card.": "Keine Karte.",
    "{why}: CPU only, about {time} s.": "Etwa {time} s auf der CPU ({why}).",
}


def german(context: str, pattern: str) -> str:
    return GERMAN[pattern]


def test_a_sentence_is_its_english() -> None:
    assert WHY == "No card: CPU only, about 1.5 s."


def test_another_language_may_order_the_facts_otherwise() -> None:
    assert WHY.said(german) == "Etwa 1.5 s auf der CPU (Keine Karte)."


def test_braces_in_a_fact_are_no_place() -> None:
    said = Sentence("Machine", "It says {error}.").filled(error="{why} {0}")
    assert said == "It says {why} {0}."
    assert said.said(lambda context, pattern: pattern) == said


def test_a_copy_can_still_be_said() -> None:
    assert deepcopy(WHY).said(german) == WHY.said(german)


def test_numbers_are_written_as_the_language_does() -> None:
    said = Sentence("Engine", "{tokens} tokens, {size} GB").filled(tokens=8192, size=17.94)
    assert said == "8,192 tokens, 17.9 GB"

    def german_number(number: float) -> str:
        return f"{number:,}".replace(",", ".") if isinstance(number, int) else "17,9"

    assert said.said(lambda context, pattern: pattern, german_number) == "8.192 tokens, 17,9 GB"


FULL = Sentence("Engine", "{file} is full; {way_out}; go on.").filled(file="a; b", way_out="empty")


def test_the_fact_and_the_way_out_stand_apart() -> None:
    parted = FULL.parted()
    assert parted == ("a; b is full; empty.", "Go on.")


def test_the_parts_are_cut_in_the_other_language() -> None:
    parted = FULL.parted()
    assert parted is not None
    said = [
        part.said(lambda context, pattern: "{file} ist voll; {way_out} leeren") for part in parted
    ]
    assert said == ["a; b ist voll.", "Empty leeren"]


def test_what_names_no_way_out_is_not_cut() -> None:
    assert NO_CARD.parted() is None
