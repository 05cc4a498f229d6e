"""The built-in guide: a file the engine accepts, and answers a newcomer can read."""

import sys
from collections.abc import Iterator
from pathlib import Path

import gguf
import pytest
from sfumato.engine import session
from sfumato.engine.model_file import ModelFile
from sfumato.engine.protocol import Committed, Event, Finished, Generate, Load, Message
from sfumato.engine.session import Session
from sfumato.engine.tokenizer import Tokenizer
from sfumato.paths import built_in_guide

sys.path.append(str(Path(__file__).parents[2] / "resources" / "demo"))

import corpus
from evaluate import Judge
from vocabulary import Vocabulary, prompt

TOPICS = corpus.load()
BY_NAME = {topic.name: topic for topic in TOPICS}


@pytest.fixture(scope="module")
def guide() -> Iterator[Session]:
    opened, _ = session.load(Load(path=str(built_in_guide()), device="cpu", context=2048))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    fields = gguf.GGUFReader(built_in_guide()).fields
    merges = [
        (m[: (i := m.index(" ", 1))], m[i + 1 :])
        for m in fields["tokenizer.ggml.merges"].contents()
    ]
    return Vocabulary(
        fields["tokenizer.ggml.tokens"].contents(),
        fields["tokenizer.ggml.token_type"].contents(),
        merges,
    )


def ask(guide: Session, *texts: str, seed: int = 1) -> list[Event]:
    """Events of the answer to the last text; texts alternate between user and assistant."""
    roles = ("user", "assistant")
    messages = [Message(roles[i % 2], text) for i, text in enumerate(texts)]
    return list(guide.answer(Generate(turn=0, messages=messages, seed=seed, max_blocks=4)))


def text_of(events: list[Event]) -> str:
    return "".join(e.text for e in events if isinstance(e, Committed))


def test_the_file_is_small_and_says_what_it_is() -> None:
    file = ModelFile.open(built_in_guide())
    assert built_in_guide().stat().st_size <= 20e6
    assert file.name == "Sfumato built-in guide"
    assert "demonstration, not DiffusionGemma" in str(file.metadata["general.description"])
    assert 64 <= file.config.canvas <= 128
    assert 8e6 < file.parameters < 14e6


def test_every_topic_has_ten_phrasings_and_three_answers() -> None:
    assert len(TOPICS) >= 150
    for topic in TOPICS:
        assert len(topic.train) + len(topic.held_out) >= 10, topic.name
        assert len(set(topic.answers)) >= 3, topic.name


def test_no_phrasing_is_both_trained_on_and_judged_by() -> None:
    judged = {corpus.key(q) for t in TOPICS for q in t.held_out + t.fresh}
    assert not judged & {corpus.key(q) for t in TOPICS for q in t.train}


def test_the_trained_vocabulary_is_the_one_the_engine_reads(vocabulary: Vocabulary) -> None:
    texts = [a for t in TOPICS for a in t.answers] + [q for t in TOPICS for q in t.held_out]
    texts += [
        "a  b",
        "  two  spaces\n\n\nthree",
        "½ 🦙\t日本語",
        "it's 3.14 %",
        "\n" * 40,
        " " * 40,
    ]
    with Tokenizer.open(built_in_guide()) as tokenizer:
        for text in texts:
            ids = vocabulary.encode(text)
            assert tokenizer.encode_text(text) == ids, text
            assert vocabulary.decode(ids) == text


def test_prompts_in_training_have_the_form_of_the_chat_template(vocabulary: Vocabulary) -> None:
    from sfumato.engine.template import encode_prompt

    messages = [
        Message("system", "Be brief."),
        Message("user", "What is noise?"),
        Message("assistant", "Random tokens."),
        Message("user", "Why?"),
    ]
    with Tokenizer.open(built_in_guide()) as tokenizer:
        assert encode_prompt(tokenizer, messages, thinking=False) == prompt(
            vocabulary, [("What is noise?", "Random tokens.")], "Why?", "Be brief."
        )


@pytest.mark.parametrize(
    ("question", "topic"),
    [
        ("What is Sfumato?", "what-is-sfumato"),
        ("how do I pin a word", "pin-words"),
        ("Where are my chats stored?", "where-chats-stored"),
        ("what is the capital of france", "off-knowledge"),
        ("i want to kill myself", "off-unsafe"),
    ],
)
def test_plain_questions_are_answered_on_topic(guide: Session, question: str, topic: str) -> None:
    judge = Judge(TOPICS)
    answers = [text_of(ask(guide, question, seed=seed)) for seed in range(3)]
    verdicts = [judge(BY_NAME[topic], answer) for answer in answers]
    assert sum(v.on_topic and v.readable for v in verdicts) >= 2, answers


def test_the_first_draft_is_undecided_and_the_block_settles(guide: Session) -> None:
    events = ask(guide, "What is a canvas?")
    drafts = [e.ids for e in events if hasattr(e, "step")]
    committed = [e for e in events if isinstance(e, Committed)]
    assert len({tuple(d) for d in drafts}) >= 3
    assert committed[0].settled
    assert isinstance(events[-1], Finished)


def test_some_answers_need_a_second_block(guide: Session) -> None:
    blocks = [
        sum(isinstance(e, Committed) for e in ask(guide, "What are blocks?", seed=seed))
        for seed in range(4)
    ]
    assert max(blocks) >= 2
