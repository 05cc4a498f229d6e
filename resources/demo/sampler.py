"""The entropy-bound sampler in PyTorch, for many prompts of one length at a time."""

from dataclasses import dataclass

import torch
from model import SAMPLER
from vocabulary import STOP


@dataclass
class Answer:
    ids: list[int]  # the answer, without stop token and padding
    steps: list[int]  # denoise steps of each block
    settled: list[bool]  # whether each block met the stopping rule


@torch.no_grad()
def denoise(
    model,
    cache,
    position: int,
    batch: int,
    generator: torch.Generator,
    settings: dict[str, float] = SAMPLER,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """One canvas per row: the last draft [batch, canvas], steps [batch], settled [batch]."""
    size, vocab = model.config.canvas_length, model.config.text_config.vocab_size
    limit = int(settings["max_steps"])
    canvas = torch.randint(vocab, (batch, size), generator=generator)
    positions = torch.arange(position, position + size)[None]
    result = torch.full((batch, size), -1)
    steps, settled = torch.zeros(batch, dtype=torch.long), torch.zeros(batch, dtype=torch.bool)
    previous, conditioning = torch.full((batch, size), -1), None
    for left in range(limit, 0, -1):
        logits = model(
            past_key_values=cache,
            decoder_input_ids=canvas,
            self_conditioning_logits=conditioning,
            decoder_position_ids=positions,
        ).logits.float()
        z = logits / (settings["t_min"] + (settings["t_max"] - settings["t_min"]) * left / limit)
        p = z.softmax(-1)
        entropy = -(p * z.log_softmax(-1)).sum(-1)
        argmax = z.argmax(-1)
        sampled = torch.multinomial(p.view(-1, vocab), 1, generator=generator).view(batch, size)
        order = entropy.argsort(-1)
        ranked = entropy.gather(-1, order).double()
        keep = ranked.cumsum(-1) - ranked <= settings["entropy_bound"]
        accepted = torch.zeros_like(keep).scatter(-1, order, keep)
        noise = torch.randint(vocab, (batch, size), generator=generator)
        going = ~settled
        result[going], steps[going] = argmax[going], steps[going] + 1
        settled |= (argmax == previous).all(-1) & (
            entropy.mean(-1) < settings["confidence_threshold"]
        )
        if settled.all():
            break
        canvas, previous, conditioning = torch.where(accepted, sampled, noise), argmax, z
    return result, steps, settled


@torch.no_grad()
def answer(
    model,
    prompts: list[list[int]],
    seed: int = 0,
    max_blocks: int = 4,
    settings: dict[str, float] = SAMPLER,
) -> list[Answer]:
    """Answer every prompt. Prompts of one length share a batch."""
    out: list[Answer | None] = [None] * len(prompts)
    groups: dict[int, list[int]] = {}
    for i, p in enumerate(prompts):
        groups.setdefault(len(p), []).append(i)
    generator = torch.Generator().manual_seed(seed)
    for members in groups.values():
        for start in range(0, len(members), 32):
            rows = members[start : start + 32]
            for i in rows:
                out[i] = Answer([], [], [])
            prefix = torch.tensor([prompts[i] for i in rows])
            for _ in range(max_blocks):
                cache = model.model.encoder(input_ids=prefix).past_key_values
                canvas, steps, settled = denoise(
                    model, cache, prefix.shape[1], len(rows), generator, settings
                )
                unfinished = []
                for row, i in enumerate(rows):
                    ids = canvas[row].tolist()
                    stop = next((k for k, t in enumerate(ids) if t in STOP), None)
                    out[i].ids += [t for t in ids[:stop] if t]
                    out[i].steps.append(int(steps[row]))
                    out[i].settled.append(bool(settled[row]))
                    if stop is None:
                        unfinished.append(row)
                if not unfinished:
                    break
                prefix = torch.cat([prefix, canvas], 1)[unfinished]
                rows = [rows[r] for r in unfinished]
    return out
