"""What a ranking by a chat model cost, and how well its replies could be read."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from secondpass.errors import InputError


@dataclass(frozen=True, slots=True)
class Prices:
    """What a million tokens cost, in whichever currency."""

    prompt_per_million: float
    completion_per_million: float

    @classmethod
    def parse(cls, text: str) -> Prices:
        """Read ``0.3,0.6``: the prices of a million tokens of prompt and of reply.

        >>> Prices.parse("0.3,0.6")
        Prices(prompt_per_million=0.3, completion_per_million=0.6)
        """
        try:
            prompt, completion = (float(part) for part in text.split(","))
        except ValueError:
            prompt = completion = -1.0
        if not (0 <= prompt < inf and 0 <= completion < inf):
            raise InputError(
                f"The prices are {text!r}; write what a million tokens of prompt and of reply cost, such as 0.3,0.6."
            )
        return cls(prompt, completion)


@dataclass(frozen=True, slots=True)
class RankingReport:
    """One ranking by a chat model.

    ``questions`` is what the algorithm asked, ``calls`` what was sent to the model:
    ``calls == questions - cache_hits - skipped + repeats``. Every question ends in one of five ways, which add up to
    ``questions``: ``clean`` (the reply as asked for), ``repaired`` (it had to be mended), ``fallback`` (nothing in it
    could be used, and the given order stood), ``failed`` (the server gave no reply) and ``skipped`` (``max_calls`` was
    reached). ``unstructured`` counts replies that came otherwise than as the JSON asked for; ``clipped_prompts`` those
    whose prompt the server counted far shorter than it was, as servers do that cut long prompts without a word.

    ``duplicates``, ``empty`` and ``truncated`` count passages; ``query_truncated`` says that the question itself was
    too long. ``agreement`` and ``position_bias`` are there after several runs: the mean Kendall tau between the orders
    of two runs, and between the order in which passages were shown and the one that came back.
    """

    questions: int = 0
    calls: int = 0
    cache_hits: int = 0
    repeats: int = 0
    clean: int = 0
    repaired: int = 0
    fallback: int = 0
    failed: int = 0
    skipped: int = 0
    unstructured: int = 0
    clipped_prompts: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    tokens_estimated: bool = False
    seconds: float = 0.0
    cost: float | None = None
    duplicates: int = 0
    empty: int = 0
    truncated: int = 0
    query_truncated: bool = False
    agreement: float | None = None
    position_bias: float | None = None
    errors: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """What it took and how the replies could be read, in words."""
        about = "about " if self.tokens_estimated else ""
        cost = f", cost {self.cost:.4f}" if self.cost is not None else ""
        return (
            f"{self.questions} questions, {self.calls} calls ({self.cache_hits} known), "
            f"{about}{self.prompt_tokens:,} + {self.completion_tokens:,} tokens{cost}, {self.seconds:.1f} s; "
            f"replies: {self.clean} clean, {self.repaired} repaired, {self.fallback} fallback"
        )

    @property
    def troubles(self) -> str:
        """What went otherwise than it should, in words; empty where nothing did."""
        counts = {
            "repaired": self.repaired,
            "without anything usable (the given order stands)": self.fallback,
            "failed at the server": self.failed,
            "not asked because max_calls was reached": self.skipped,
            "seem to have been clipped by the server (give it a longer context, or lower max_prompt_tokens)": (
                self.clipped_prompts
            ),
        }
        said = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
        first_error = f"; first error: {self.errors[0]}" if self.errors else ""
        asked = [f"of {self.questions} questions to the model: {said}{first_error}"] if said else []
        cut = ["the query was cut to a quarter of max_prompt_tokens"] if self.query_truncated else []
        return "; ".join(cut + asked)
