"""A sentence whose facts stand apart, so that the window can say it in another language."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Self

Number = int | float
Fact = str | Number
Part = Literal["whole", "fact", "way out"]


def english(number: Number) -> str:
    return f"{number:,}" if isinstance(number, int) else f"{number:,.1f}"


class Sentence(str):
    """English, and usable as any string; `pattern` has a {name} for each of `facts`.

        Sentence("Fit", "Needs {needed}, {free} free.").filled(needed="17.9 GB", free="15.6 GB")

    A fact may be a sentence too; inside another it loses its full stop. A number as a fact is
    written as the language groups its digits, a float with one decimal; what is only a name, such
    as an id, is given as a string. `context` is where translations look for the pattern; both are
    written out where a Sentence is made, because the tool that collects them reads the source.
    """

    context: str
    pattern: str
    facts: dict[str, Fact]
    part: Part

    def __new__(cls, context: str, pattern: str, part: Part = "whole", /, **facts: Fact) -> Self:
        words = _filled(pattern, part, facts, str, english)
        made = super().__new__(cls, words)
        made.context, made.pattern, made.facts, made.part = context, pattern, facts, part
        return made

    def filled(self, **facts: Fact) -> Self:
        return type(self)(self.context, self.pattern, **facts)

    def said(
        self, translate: Callable[[str, str], str], number: Callable[[Number], str] = english
    ) -> str:
        """In the language of `translate(context, pattern)` and `number`."""

        def said(fact: str) -> str:
            return fact.said(translate, number) if isinstance(fact, Sentence) else fact

        pattern = translate(self.context, self.pattern)
        return _filled(pattern, self.part, self.facts, said, number)

    def parted(self) -> tuple[Self, Self] | None:
        """Fact and way out of “fact; way out.”, each a sentence; None where there is no way out."""
        if "; " not in self.pattern:
            return None
        whole = (self.context, self.pattern)
        return (
            type(self)(*whole, "fact", **self.facts),
            type(self)(*whole, "way out", **self.facts),
        )

    def __getnewargs_ex__(self) -> tuple[tuple[str, str, Part], dict[str, Fact]]:
        return (self.context, self.pattern, self.part), self.facts


def _filled(
    pattern: str,
    part: Part,
    facts: dict[str, Fact],
    said: Callable[[str], str],
    number: Callable[[Number], str],
) -> str:
    if part != "whole":
        before, _, after = pattern.rpartition("; ")
        pattern = f"{before}." if part == "fact" else after
    if facts:
        words = {}
        for name, fact in facts.items():
            if isinstance(fact, Sentence):
                words[name] = said(fact).removesuffix(".")
            else:
                words[name] = fact if isinstance(fact, str) else number(fact)
        pattern = pattern.format(**words)
    return pattern[:1].upper() + pattern[1:] if part == "way out" else pattern
