"""How people ask: frames around a thing or an action, and the way questions are typed."""

import random


def phrases(text: str) -> list[str]:
    return [" ".join(part.split()) for part in text.split("|")]


def word_list(text: str) -> list[str]:
    return text.split()


THING = phrases(
    """
    what is X | what's X | what is X exactly | what exactly is X | explain X | please explain X |
    tell me about X | can you explain X | could you explain X to me | what does X mean | what do
    you mean by X | define X | describe X | X | how does X work | what do I need to know about X |
    help me understand X | X explained | I don't understand X | I would like to know about X |
    what about X | what can you tell me about X | give me a short explanation of X | do you know
    what X is | I have a question about X | what is meant by X | information about X | why is
    there X | I want to learn about X | talk about X | more about X | what is the meaning of X |
    have you heard of X | what is X good for | X what is it | about X
    """
)
ACTION = phrases(
    """
    how do I X | how can I X | how to X | can I X | is it possible to X | I want to X | I'd like
    to X | where do I X | help me X | show me how to X | what do I do to X | how does one X | X |
    please tell me how to X | I need to X | is there a way to X | how would I X | what is the way
    to X | can you tell me how to X | how do you X | I am trying to X | where can I X | what must
    I do to X | I can't figure out how to X | could I X | let me X | does it let me X | am I able
    to X | explain how to X | which button do I press to X | what is the best way to X | would it
    be possible to X
    """
)
# names that are not written in lower case
PROPER = {
    word.lower(): word
    for word in word_list(
        """
    Sfumato DiffusionGemma Gemma Google I I'm I've I'd GPU CPU VRAM RAM NVIDIA GGUF Linux Windows
    AMD GB ChatGPT English Python RTX API KV
    """
    )
}
BEFORE = phrases(
    """
    please | hey, | hi, | hello, | so, | ok, | well, | and | but | now | quick question: |
    question: | can you tell me, | tell me, | excuse me, | i wonder, | sorry, | guide, | also, |
    one more thing: | just curious, | hm, | hello! | hi there, | thanks, | alright, | okay so | i
    was wondering, | first, | another question: | dear guide, | right, | um, | actually, | by the
    way, | good morning, | oh,
    """
)
AFTER = phrases(
    """
    please | thanks | exactly | actually | then | in sfumato | here | by the way | in this app |
    for me | in general | really | again | now | to me | in short | briefly | today | if i may ask
    | i wonder | on my machine | at all | in simple words | do you know | in this program | thank
    you | maybe | guide
    """
)
SYNONYMS = {
    words[0]: words[1:]
    for words in map(
        phrases,
        """
        show | display | present
        explain | describe | clarify
        make | create | do
        tell | inform | show
        use | run | employ
        big | large | huge
        fast | quick | speedy
        slow | sluggish | laggy
        answer | reply | response
        answers | replies | responses
        chat | conversation
        chats | conversations
        model | llm | network
        word | token
        words | tokens
        program | app | software | tool
        app | program | application
        change | alter | modify
        delete | remove | erase
        find | locate | see
        need | require | want
        get | obtain | have
        difference | distinction
        start | begin | open
        stop | halt | end
        computer | pc | machine
        machine | pc | computer
        save | store | keep
        stored | saved | kept
        download | fetch | get
        block | canvas | chunk
        much | many
        works | functions
        work | function
        card | gpu
        settings | options
        why | how come | for what reason
        question | prompt | message
        text | writing
        memory | ram | vram
        steps | passes | iterations
        picture | image
        write | produce | type
        see | view | watch
        choose | pick | select
        happens | occurs | goes on
        mean | signify | stand for
        good | decent | nice
        best | ideal | optimal
        """.strip().splitlines(),
    )
}
# left out when somebody types key words only
STOP_WORDS = set(
    word_list(
        """
        a an the is are am do does did i me my it this that of to in on for with and or you your
        please can could would what's whats be been will shall tell give have has there here so just
        """
    )
)
ASKING = set(
    word_list(
        """
        what what's why how how's is are can does do where which who when will should could would
        has am
        """
    )
)
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def typo(word: str, rng: random.Random) -> str:
    i = rng.randrange(len(word) - 1)
    kind = rng.randrange(4)
    if kind == 0:
        return word[:i] + word[i + 1 :]
    if kind == 1:
        return word[:i] + word[i + 1] + word[i] + word[i + 2 :]
    if kind == 2:
        return word[:i] + word[i] + word[i:]
    return word[:i] + rng.choice(LETTERS) + word[i + 1 :]


def as_typed(question: str, rng: random.Random, filler: list[str]) -> str:
    """A phrasing as somebody might type it: synonyms, key words only, extra words, typos, case.

    `filler` are words that may turn up anywhere and mean nothing for the topic.
    """
    words = question.split()
    asks = words[0].strip(",") in ASKING
    if rng.random() < 0.25:
        words = [
            rng.choice(SYNONYMS[w]) if w in SYNONYMS and rng.random() < 0.5 else w for w in words
        ]
    if len(words) > 3 and rng.random() < 0.12:
        content = [w for w in words if w.lower() not in STOP_WORDS]
        if len(content) > 1:
            words = content
            if rng.random() < 0.3:
                rng.shuffle(words)
    elif len(words) > 3 and rng.random() < 0.1:
        del words[rng.randrange(len(words))]
    if rng.random() < 0.22:
        words = rng.choice(BEFORE).split() + words
    if rng.random() < 0.16:
        words = words + rng.choice(AFTER).split()
    if rng.random() < 0.1:
        for _ in range(rng.randint(1, 2)):
            words.insert(rng.randrange(len(words) + 1), rng.choice(filler))
    if rng.random() < 0.14:
        long = [i for i, w in enumerate(words) if len(w) > 3 and w.isalpha()]
        for i in rng.sample(long, min(len(long), rng.choice([1, 1, 2]))):
            words[i] = typo(words[i], rng)
    proper = rng.random() < 0.65
    text = " ".join(PROPER.get(w.lower(), w) if proper else w.lower() for w in words)
    style = rng.random()
    if style < 0.6:
        text = text[:1].upper() + text[1:]
    elif style > 0.98:
        text = text.upper()
    end = rng.random()
    if asks:
        return text + ("?" if end < 0.7 else "" if end < 0.93 else " ?" if end < 0.96 else "??")
    return text + (
        ""
        if end < 0.55
        else "."
        if end < 0.72
        else "?"
        if end < 0.88
        else "!"
        if end < 0.96
        else "..."
    )
