"""The entropy-bound sampler's parameters (MODEL.md section 3) and its temperature schedule."""

import msgspec


class SamplerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How a canvas is refined. The defaults are the published generation configuration."""

    max_steps: int = 48
    t_min: float = 0.4
    t_max: float = 0.8
    entropy_bound: float = 0.1  # nats a step may accept in all
    stability_threshold: int = 1  # earlier steps whose argmax must be the same
    confidence_threshold: float = 0.005  # nats of mean entropy below which a canvas may settle

    def __post_init__(self) -> None:
        if not 1 <= self.max_steps <= 1000:
            raise ValueError(f"max_steps is {self.max_steps}, it must be 1 to 1000")
        if not 0.0 < self.t_min <= self.t_max <= 10.0:
            raise ValueError(f"temperatures {self.t_min} to {self.t_max} must rise and be above 0")
        if not self.entropy_bound > 0.0:
            raise ValueError(f"entropy_bound is {self.entropy_bound}, it must be above 0")
        if self.stability_threshold < 0:
            raise ValueError(f"stability_threshold is {self.stability_threshold}, not 0 or more")
        if not self.confidence_threshold >= 0.0:
            raise ValueError(f"confidence_threshold is {self.confidence_threshold}, not 0 or more")

    def temperature(self, step: int) -> float:
        """Temperature of `step` (0 is the first), falling from t_max towards t_min."""
        remaining = self.max_steps - step
        return self.t_min + (self.t_max - self.t_min) * remaining / self.max_steps
