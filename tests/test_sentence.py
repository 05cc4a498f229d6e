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
