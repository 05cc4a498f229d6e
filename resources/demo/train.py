#!/usr/bin/env python3
"""Train the built-in guide from nothing and write guide.gguf.

    python resources/demo/train.py --out build/guide

Everything is seeded; the log goes to standard output and OUT/training.log, checkpoints to OUT.
Objective: each canvas token is replaced by a uniformly random id with probability t; cross-entropy
against the clean canvas; on half of the steps a first pass without gradient gives the
self-conditioning logits. Linear heads, thrown away after training, name the topic from the
prompt's last token, of the examples and of as many questions again that get no answer, and from the
canvas: a direct lesson in reading, which the tokens alone teach late.
Prompts of a batch have one length, so no padding masks are needed.
One single-threaded process per core, gradients averaged after each step: on a busy machine that
loses far less than threads which wait for each other hundreds of times in a step.
"""

import argparse
import math
import os
import random
import time
from collections import Counter
from pathlib import Path

import corpus
import fused  # noqa: F401  (replaces slow parts of the model class)
import numpy as np
import phrasing
import torch
import torch.distributed as dist
import vocabulary
from model import CANVAS, build, parameters, write_gguf
from sampler import answer
from vocabulary import END_OF_TURN, PAD, Vocabulary, prompt

SIZE = 3072  # tokens in the vocabulary
BATCH = 32
PAD_WEIGHT = 0.2  # of a padding position in the loss
BALANCE = 0.01  # weight of the router's load-balance term
TOPIC = 1.0  # weight of the topic heads' loss
PROMPT_LAYERS = (1, 3)  # whose output they read: early enough for later layers to use it
CANVAS_LAYERS = (2, 4)
NO_TOPIC = -100  # of a prompt that does not name one; cross-entropy ignores it
# words that may turn up anywhere in a question and mean nothing for its topic
FILLER = phrasing.word_list(
    """
    something thing maybe kind of stuff really today just quickly simply also maybe please um well
    like little some any this that my friend told me once curious new old nice here now still yet
    ever so very quite
    """
)
SYSTEM = phrasing.phrases(
    """
    Be brief. | Answer briefly. | You are a helpful assistant. | Be friendly and precise. | Use
    simple words. | Answer in English. | You are the guide of Sfumato. | Keep it short. | Be
    polite. | Do not use lists. | Explain things calmly. | You are a patient teacher. | Reply in
    one paragraph. | Be honest about what you do not know.
    """
)
# questions that do not name a topic, for canvases whose pinned text does
VAGUE = phrasing.phrases(
    """
    Fill the gap. | Fill in the gap. | Fill in the missing words. | Complete the text. | Rewrite
    this passage. | Revise the selected part. | Try another wording. | What comes in between? |
    Finish it. | Write the missing part. | Continue. | Make it fit. | Say it differently. | Please
    fill in the rest. | Improve this sentence.
    """
)
MORE = phrasing.phrases(
    """
    tell me more | more | go on | more please | tell me more about that | can you say more |
    explain further | say it differently | another explanation please | what else | elaborate |
    and what else | i don't understand | explain that again | could you put it differently | why |
    how so | what do you mean | in other words | can you explain that in more detail | please go
    on | more details
    """
)


def learn_vocabulary(topics: list[corpus.Topic]) -> Vocabulary:
    """Over the answers and a sample of the training phrasings; never the held-out ones."""
    counts: Counter[str] = Counter(vocabulary.ROLES)
    rng = random.Random(0)
    for topic in topics:
        for text in topic.answers:
            counts.update({w: 6 * n for w, n in Counter(vocabulary.words(text)).items()})
        for question in rng.sample(topic.train, min(40, len(topic.train))):
            counts.update(vocabulary.words(question))
            counts.update(vocabulary.words(phrasing.as_typed(question, rng, FILLER)))
    for text in SYSTEM + VAGUE + MORE + phrasing.BEFORE + phrasing.AFTER:
        counts.update(vocabulary.words(text))
        counts.update(vocabulary.words(" " + text))
    return vocabulary.learn(dict(counts), SIZE)


class Examples:
    """Endless batches of prompts [B, P], canvases [B, C], pinned [B, C] and topics [B].

    P differs by batch.
    """

    def __init__(self, topics: list[corpus.Topic], vocab: Vocabulary, seed: int, rows: int) -> None:
        self.topics, self.vocab, self.rng, self.rows = topics, vocab, random.Random(seed), rows
        # what is asked in the most ways comes oftener
        self.weights = [4.0 if t.off_topic else 2.0 if t.theme == "hello" else 1.0 for t in topics]
        self.numbers = {t.name: i for i, t in enumerate(topics)}
        self.waiting: dict[int, list[tuple[list[int], list[int], list[bool], int]]] = {}
        self.asked: dict[int, list[tuple[list[int], int]]] = {}

    def question(self, topic: corpus.Topic) -> str:
        return phrasing.as_typed(self.rng.choice(topic.train), self.rng, FILLER)

    def one(self) -> tuple[list[int], list[int], list[bool], int]:
        rng, vocab = self.rng, self.vocab
        topic = rng.choices(self.topics, self.weights)[0]
        target = rng.choice(topic.answers)
        question, number = self.question(topic), self.numbers[topic.name]
        turns: list[tuple[str, str]] = []
        system = rng.choice(SYSTEM) if rng.random() < 0.08 else None
        kind, pinned_share = rng.random(), 0.0
        if kind < 0.04:  # a follow-up gets another answer of the same topic
            earlier = rng.choice([a for a in topic.answers if a != target])
            turns, question = (
                [(question, earlier)],
                phrasing.as_typed(rng.choice(MORE), rng, FILLER),
            )
        elif kind < 0.11:
            for _ in range(rng.choice([1, 1, 1, 2])):
                before = rng.choice(self.topics)
                turns.append((self.question(before), rng.choice(before.answers)))
        elif kind < 0.20:
            pinned_share = rng.uniform(0.3, 0.95)
            if rng.random() < 0.5:
                question, number = rng.choice(VAGUE), NO_TOPIC
        ids = prompt(vocab, turns, question, system)
        if (
            turns
        ):  # shorten the first answer until the length is one of a few, so that batches fill up
            asked, answered = turns[0]
            whole = vocab.encode(answered)
            spare = len(ids) % 16
            if spare < len(whole):
                turns[0] = (asked, vocab.decode(whole[: len(whole) - spare]))
                shorter = prompt(vocab, turns, question, system)
                ids = shorter if len(shorter) % 16 == 0 else ids
        elif rng.random() < 0.12:  # blur a few tokens of the question
            for _ in range(rng.randint(1, 2)):
                ids[rng.randrange(4, len(ids) - 9)] = rng.randrange(len(vocab))
        full = [*vocab.encode(target), END_OF_TURN]
        start = CANVAS * rng.randrange(math.ceil(len(full) / CANVAS))
        ids = ids + full[:start]
        canvas = full[start : start + CANVAS]
        used = len(canvas)
        canvas = canvas + [PAD] * (CANVAS - used)
        pinned = [False] * CANVAS
        if pinned_share:
            gap = max(2, round((1 - pinned_share) * used))
            at = rng.randrange(max(1, used - gap))
            pinned = [not at <= i < at + gap for i in range(CANVAS)]
        return ids, canvas, pinned, number

    def batch(self) -> tuple[torch.Tensor, ...]:
        while True:
            example = self.one()
            length = len(example[0])
            row = self.waiting.setdefault(length, [])
            row.append(example)
            if len(row) == (self.rows if length <= 72 else self.rows // 2):
                del self.waiting[length]
                return tuple(torch.tensor(column) for column in zip(*row, strict=True))

    def questions(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Prompts [B, P] of one question each and their topics [B]."""
        while True:
            topic = self.rng.choices(self.topics, self.weights)[0]
            ids = prompt(self.vocab, [], self.question(topic), None)
            row = self.asked.setdefault(len(ids), [])
            row.append((ids, self.numbers[topic.name]))
            if len(row) == self.rows:
                del self.asked[len(ids)]
                prompts, numbers = zip(*row, strict=True)
                return torch.tensor(prompts), torch.tensor(numbers)


def corrupt(canvas: torch.Tensor, pinned: torch.Tensor, t: torch.Tensor, size: int) -> torch.Tensor:
    """Replace tokens that are not pinned by random ids with probability t [B]."""
    hit = (torch.rand(canvas.shape) < t[:, None]) & ~pinned
    return torch.where(hit, torch.randint(size, canvas.shape), canvas)


class Balance:
    """Load-balance term of the routers, and how often each expert was used."""

    def __init__(self, model) -> None:
        layers = model.model.decoder.layers
        self.used = torch.zeros(len(layers), model.config.text_config.num_experts)
        self.terms: list[torch.Tensor] = []
        for i, layer in enumerate(layers):
            layer.router.register_forward_hook(lambda m, a, out, i=i: self.note(i, out))

    def note(self, layer: int, out: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> None:
        if torch.is_grad_enabled():
            probabilities, _, chosen = out
            n = probabilities.shape[-1]
            share = torch.bincount(chosen.flatten(), minlength=n) / chosen.numel()
            self.used[layer] += share
            self.terms.append(n * (share * probabilities.mean(0)).sum())

    def take(self) -> torch.Tensor:
        total = torch.stack(self.terms).mean()
        self.terms.clear()
        return total


class TopicHeads(torch.nn.Module):
    """Name the topic: from the prompt's last token, and from every place of the canvas.

    The first teach reading the question; the others teach the canvas to look at what was read even
    while it is nothing but noise.
    """

    def __init__(self, model, topics: int) -> None:
        super().__init__()
        width = model.config.text_config.hidden_size
        read = model.model.encoder.language_model.layers
        layers = [read[i] for i in PROMPT_LAYERS] + [
            model.model.decoder.layers[i] for i in CANVAS_LAYERS
        ]
        self.heads = torch.nn.ModuleList(torch.nn.Linear(width, topics) for _ in layers)
        self.seen: dict[int, torch.Tensor] = {}
        for i, layer in enumerate(layers):
            first = -1 if i < len(PROMPT_LAYERS) else 0
            layer.register_forward_hook(
                lambda module, inputs, out, i=i, first=first: self.note(i, first, out)
            )

    def note(self, i: int, first: int, out: torch.Tensor | tuple[torch.Tensor, ...]) -> None:
        if torch.is_grad_enabled():
            hidden = out[0] if isinstance(out, tuple) else out
            self.seen[i] = hidden[:, first:].float()

    def take(self, topic: torch.Tensor) -> tuple[torch.Tensor, float]:
        """Mean loss of the heads that saw something, and the share the last of them names right."""
        seen, self.seen = self.seen, {}
        known = topic != NO_TOPIC
        if not known.any():
            return torch.zeros(()), math.nan
        losses = []
        for i, hidden in sorted(seen.items()):
            x = hidden[known]
            z = self.heads[i](torch.nn.functional.rms_norm(x, x.shape[-1:])).flatten(0, 1)
            wanted = topic[known].repeat_interleave(x.shape[1])
            losses.append(torch.nn.functional.cross_entropy(z, wanted))
        return torch.stack(losses).mean(), (z.argmax(-1) == wanted).float().mean().item()


class Averager:
    """Means of the gradients over all processes, in one flat buffer."""

    def __init__(self, *modules: torch.nn.Module) -> None:
        self.parameters = [p for m in modules for p in m.parameters() if p.requires_grad]
        self.flat = torch.zeros(sum(p.numel() for p in self.parameters))
        at = 0
        for p in self.parameters:
            p.grad = self.flat[at : at + p.numel()].view_as(p)
            at += p.numel()

    def step(self) -> None:
        dist.all_reduce(self.flat)
        self.flat /= dist.get_world_size()
        self.flat *= min(1.0, 1.0 / (self.flat.norm().item() + 1e-6))


def loss_of(model, batch, size: int, rng: random.Random, conditioned: bool) -> torch.Tensor:
    ids, canvas, pinned, _ = batch
    rows = len(ids)
    t = torch.rand(rows)
    kind = torch.rand(rows)
    t = torch.where(kind < 0.4, 0.8 + 0.2 * t, t)
    t = torch.where(kind < 0.2, 1.0, t)  # every answer begins like this, and chooses its topic here
    t = torch.where(pinned.any(-1), 0.6 + 0.4 * t, t)
    noisy = corrupt(canvas, pinned, t, size)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cache = model.model.encoder(input_ids=ids).past_key_values
        conditioning = None
        if conditioned:
            with torch.no_grad():
                # the sampler conditions on an earlier, noisier canvas: so does half of this
                earlier = (
                    corrupt(noisy, pinned, torch.rand(rows), size) if rng.random() < 0.5 else noisy
                )
                z = model(past_key_values=cache, decoder_input_ids=earlier).logits.float()
                z = z / (0.4 + 0.4 * t)[:, None, None]
                one_hot = torch.zeros_like(z).scatter(-1, canvas[..., None], 100.0)
                conditioning = torch.where(pinned[..., None], one_hot, z)
        logits = model(
            past_key_values=cache, decoder_input_ids=noisy, self_conditioning_logits=conditioning
        ).logits
    each = torch.nn.functional.cross_entropy(
        logits.float().flatten(0, 1), canvas.flatten(), reduction="none"
    )
    weight = torch.where(canvas == PAD, PAD_WEIGHT, 1.0)
    weight = torch.where(pinned, 0.1, weight).flatten()
    return (each * weight).sum() / weight.sum()


def rate(step: int, steps: int, peak: float) -> float:
    """Warm-up over 150 steps, constant, then a cosine down to 2 % over the last 40 %."""
    if step < 150:
        return peak * (step + 1) / 150
    rest = max(0.0, step / steps - 0.6) / 0.4
    return peak * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, rest))))


def train(rank: int, args: argparse.Namespace) -> None:
    """One process of the run. Only the first writes."""
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(args.port)}
    dist.init_process_group("gloo", rank=rank, world_size=args.processes)
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    topics = corpus.load()
    words = args.out / "vocabulary.json"
    vocab = Vocabulary.load(words) if args.resume else learn_vocabulary(topics)
    if rank == 0 and not args.resume:
        vocab.save(words)
    model = build(len(vocab)).train()
    balance, heads = Balance(model), TopicHeads(model, len(topics))
    averager = Averager(model, heads)
    weights = [p for p in averager.parameters if p.ndim > 1]
    others = [p for p in averager.parameters if p.ndim <= 1]
    optimiser = torch.optim.AdamW(
        [{"params": weights, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}],
        lr=args.peak,
        betas=(0.9, 0.98),
        fused=True,
    )
    named = dict(parameters(model))
    average = {n: p.detach().clone() for n, p in named.items()}
    first = 0
    checkpoint = args.out / "checkpoint.pt"
    if args.resume:
        state = torch.load(checkpoint)
        model.load_state_dict(state["model"])
        heads.load_state_dict(state["heads"])
        optimiser.load_state_dict(state["optimiser"])
        average, first = state["average"], state["step"]
    seed = args.seed + first + 1_000_003 * rank  # same weights in every process, other examples
    torch.manual_seed(seed)
    examples = Examples(topics, vocab, seed, BATCH // args.processes)
    rng = random.Random(args.seed + first)
    # the run's own watch on held-out wording
    watch = [(t, t.held_out[0]) for t in topics[20::28]]

    def log(text: str) -> None:
        if rank == 0:
            print(text, flush=True)
            with (args.out / "training.log").open("a") as file:
                file.write(text + "\n")

    count = sum(p.numel() for p in named.values())
    log(
        f"# {count / 1e6:.2f} M parameters, vocabulary {len(vocab)}, canvas {CANVAS}, "
        f"batch {BATCH}, "
        f"{len(topics)} topics, {sum(len(t.answers) for t in topics)} answers, "
        f"{sum(len(t.train) for t in topics)} phrasings; seed {args.seed}, "
        f"steps {first} to {args.steps}, peak {args.peak}, torch {torch.__version__}, "
        f"{args.processes} processes"
    )
    recent, named_right, started, clock = 0.0, [], time.time(), time.time()
    for step in range(first, args.steps):
        for group in optimiser.param_groups:
            group["lr"] = rate(step, args.steps, args.peak)
        batch = examples.batch()
        loss = loss_of(model, batch, len(vocab), rng, rng.random() < 0.5)
        topic_loss, right = heads.take(batch[-1])
        prompts, numbers = examples.questions()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            model.model.encoder(input_ids=prompts)
        topic_loss = (topic_loss + heads.take(numbers)[0]) / 2
        (loss + BALANCE * balance.take() + TOPIC * topic_loss).backward()
        averager.step()
        optimiser.step()
        averager.flat.zero_()
        if rank:
            continue
        decay = min(0.998, (step + 1) / (step + 10))
        with torch.no_grad():
            torch._foreach_lerp_(list(average.values()), list(named.values()), 1 - decay)
        recent += loss.item() / 50
        named_right.append(right)
        done = step + 1
        if done % 50 == 0:
            log(
                f"step {done} loss {recent:.4f} topic {np.nanmean(named_right):.1%} "
                f"lr {rate(step, args.steps, args.peak):.2e} "
                f"{(time.time() - clock) / 50:.3f} s/step {time.time() - started:.0f} s"
            )
            recent, clock = 0.0, time.time()
            named_right.clear()
        if done % 250 == 0 or done == args.steps:
            torch.save(
                {
                    "model": model.state_dict(),
                    "heads": heads.state_dict(),
                    "optimiser": optimiser.state_dict(),
                    "average": average,
                    "step": done,
                },
                checkpoint.with_suffix(".tmp"),
            )
            os.replace(checkpoint.with_suffix(".tmp"), checkpoint)
        if done % 500 == 0 or done == args.steps:
            raw = {n: p.detach().clone() for n, p in named.items()}
            with torch.no_grad():
                for n, p in named.items():
                    p.copy_(average[n])
            model.eval()
            write_gguf(args.out / "guide.tmp", model, vocab)
            os.replace(args.out / "guide.tmp", args.out / "guide.gguf")
            with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
                got = answer(
                    model,
                    [
                        prompt(vocab, [], phrasing.as_typed(q, random.Random(1), []))
                        for _, q in watch
                    ],
                )
            for (t, q), a in zip(watch, got, strict=True):
                log(f"  {t.name} | {q} | {a.steps} | {vocab.decode(a.ids)}")
            steps = [n for a in got for n in a.steps]
            settled = [n for a in got for n in a.settled]
            shares = balance.used / balance.used.sum(-1, keepdim=True)
            log(
                f"  mean steps {sum(steps) / len(steps):.1f}, "
                f"settled {sum(settled)} of {len(settled)}, share of each layer's experts "
                + " ".join(f"{x.min():.2f}-{x.max():.2f}" for x in shares)
            )
            balance.used.zero_()
            model.train()
            with torch.no_grad():
                for n, p in named.items():
                    p.copy_(raw[n])
            clock = time.time()
    log(f"# done: {args.out / 'guide.gguf'}")
    dist.destroy_process_group()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("build/guide"))
    parser.add_argument("--steps", type=int, default=15000)
    parser.add_argument("--peak", type=float, default=1.8e-3, help="learning rate")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument(
        "--port", type=int, default=29517, help="for the processes to meet, on loopback"
    )
    parser.add_argument("--resume", action="store_true", help="go on from OUT/checkpoint.pt")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.multiprocessing.spawn(train, (args,), nprocs=args.processes)


if __name__ == "__main__":
    main()
