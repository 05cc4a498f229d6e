"""Messages → prompt, as the model was trained to read them (MODEL.md 4.8, without tools).

Our own code for this one family; the template inside the file is never executed. Scaffolding and
text are encoded apart, so nothing that a person types can close a turn or open another. Line breaks
and markers part them, and the tokenizer never merges across those: the ids are the same as if the
rendered prompt had been encoded in one piece.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

from sfumato.engine.protocol import Message
from sfumato.engine.tokenizer import Tokenizer

NO_THOUGHT = "<|channel>thought\n<channel|>"

_Segment = tuple[Literal["markup", "text"], str]


def encode_prompt(
    tokenizer: Tokenizer,
    messages: Sequence[Message],
    *,
    thinking: bool,
    continue_answer: bool = False,
) -> list[int]:
    """Ids of a conversation up to where the model goes on; the first is `<bos>`.

    continue_answer: the last message is an assistant's and stays open. Raises ValueError where it
    is not an assistant's.
    """
    ids: list[int] = []
    for kind, text in _segments(messages, thinking, continue_answer):
        ids += tokenizer.encode_markup(text) if kind == "markup" else tokenizer.encode_text(text)
    return ids


def render_prompt(
    messages: Sequence[Message], *, thinking: bool, continue_answer: bool = False
) -> str:
    """The same prompt as text, to look at; it is not what is encoded."""
    return "".join(text for _, text in _segments(messages, thinking, continue_answer))


def without_thinking(text: str) -> str:
    """An assistant's text without what lies between `<|channel>` and the next `<channel|>`."""
    return "".join(part.partition("<|channel>")[0] for part in text.split("<channel|>"))


def _segments(
    messages: Sequence[Message], thinking: bool, continue_answer: bool
) -> Iterator[_Segment]:
    opened: Message | None = None
    if continue_answer:
        if not messages or messages[-1].role != "assistant":
            raise ValueError("only an assistant's message can be continued")
        *messages, opened = messages
    yield "markup", "<bos>"
    has_system = bool(messages) and messages[0].role == "system"
    if thinking or has_system:
        yield "markup", "<|turn>system\n" + ("<|think|>\n" if thinking else "")
        if has_system:
            yield "text", messages[0].text.strip()
        yield "markup", "<turn|>\n"
    previous = None
    for message in messages[1:] if has_system else messages:
        if not message.role == previous == "assistant":
            role = "model" if message.role == "assistant" else message.role
            yield "markup", f"<|turn>{role}\n"
        yield "text", _content(message).strip()
        yield "markup", "<turn|>\n"
        previous = message.role
    yield "markup", "<|turn>model\n" + ("" if thinking else NO_THOUGHT)
    if opened:
        # a space or line break at its end is where the model left off
        yield "text", _content(opened).lstrip()


def _content(message: Message) -> str:
    return without_thinking(message.text) if message.role == "assistant" else message.text
