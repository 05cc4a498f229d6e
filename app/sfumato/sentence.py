"""A sentence whose facts stand apart, so that the window can say it in another language."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self


class Sentence(str):
    """English, and usable as any string; `pattern` has a {name} for each of `facts`.

        Sentence("Fit", "Needs {needed}, {free} free.").filled(needed="17.9 GB", free="15.6 GB")

    A fact may be a sentence too; inside another it loses its full stop. `context` is where
    translations look for the pattern; both are written out where a Sentence is made, because the
    tool that collects them reads the source.
    """

    context: str
    pattern: str
    facts: dict[str, str]

    def __new__(cls, context: str, pattern: str, /, **facts: str) -> Self:
        made = super().__new__(cls, _whole(pattern, facts))
        made.context, made.pattern, made.facts = context, pattern, facts
        return made

    def filled(self, **facts: str) -> Self:
        return type(self)(self.context, self.pattern, **facts)

    def said(self, translate: Callable[[str, str], str]) -> str:
        """In the language of `translate(context, pattern)`."""
        facts = {
            name: fact.said(translate).removesuffix(".") if isinstance(fact, Sentence) else fact
            for name, fact in self.facts.items()
        }
        return _whole(translate(self.context, self.pattern), facts)

    def __getnewargs_ex__(self) -> tuple[tuple[str, str], dict[str, str]]:
        return (self.context, self.pattern), self.facts


def _whole(pattern: str, facts: dict[str, str]) -> str:
    if not facts:
        return pattern
    inner = {k: f.removesuffix(".") if isinstance(f, Sentence) else f for k, f in facts.items()}
    return pattern.format(**inner)
