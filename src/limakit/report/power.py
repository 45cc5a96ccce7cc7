"""How small a difference so many prompts can tell, and how many prompts a difference needs.

Normal approximation for the sign of one verdict a prompt: a prompt's score is +1, 0 or -1, its variance without any
difference is 1 - ties, and a win rate (ties half) that is `difference` away from one half moves its mean by
2 x difference. In the paper's case, 300 prompts with 20 % ties, that is 7.2 points.
"""

from math import ceil, sqrt

from scipy.special import ndtri


def prompts_needed(difference: float, *, tie_rate: float, confidence: float = 0.95, power: float = 0.8) -> int:
    """Prompts with which a win rate of 0.5 + `difference` is told from 0.5 with the given power."""
    return ceil((1 - tie_rate) * (_reach(confidence, power) / (2 * difference)) ** 2)


def detectable(prompts: int, *, tie_rate: float, confidence: float = 0.95, power: float = 0.8) -> float:
    """Smallest distance of the win rate from 0.5 that so many prompts tell with the given power; at most 0.5."""
    return min(0.5, _reach(confidence, power) * sqrt((1 - tie_rate) / prompts) / 2)


def _reach(confidence: float, power: float) -> float:
    """Standard errors between no difference and one that is found with this power."""
    return float(-ndtri((1 - confidence) / 2) - ndtri(1 - power))
