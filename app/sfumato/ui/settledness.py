"""How an answer settled, read from its recording: when each token came to rest, and how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sfumato.store.recordings import StepRecord
from sfumato.ui.canvas_layout import SMOKE_BYTE

LATE_SHARE = 0.6  # of the tint comes from when a token last changed, the rest from its entropy


@dataclass(frozen=True, slots=True)
class TokenHistory:
    settled_at: int  # the step at which it last changed
    steps: int  # of its block
    changes: int  # how often the draft changed here after the first step
    entropy: int  # at the last step, as a byte

    @property
    def hesitation(self) -> float:
        """0 for a token that was there from the start and is certain, 1 for the opposite."""
        late = (self.settled_at - 1) / max(1, self.steps - 1)
        unsure = min(1.0, self.entropy / SMOKE_BYTE)
        return LATE_SHARE * late + (1 - LATE_SHARE) * unsure


def histories(steps: Sequence[StepRecord]) -> list[TokenHistory]:
    """One history a position of a recorded block."""
    if not steps:
        return []
    count = len(steps)
    found = []
    for position in range(len(steps[0].ids)):
        changes = 0
        settled_at = 1
        for at in range(1, count):
            if steps[at].ids[position] != steps[at - 1].ids[position]:
                changes += 1
                settled_at = at + 1
        found.append(TokenHistory(settled_at, count, changes, steps[-1].entropy[position]))
    return found
