"""A plan in words: one line a strategy, and what follows from them."""

from limakit.plan.run import USABLE, Option, Plan

GIB = 2**30


def text(plan: Plan, gib: float, devices: int) -> str:
    """For people, to be read in a terminal 100 characters wide."""
    head = f"{'GiB on each GPU':<38}{'weights':>9}{'master':>8}{'grads':>8}{'Adam':>8}{'activ.':>8}{'total':>9}"
    lines = [
        f"{_parameters(plan.shape.parameters)}; {plan.tokens:,} tokens an epoch ({plan.tokens_from}).",
        "",
        head + "     hours" * _timed(plan) + "      cost" * _priced(plan),
        *(_row(option) for option in plan.options),
        "",
    ]
    what = f"{devices} × {gib:g} GiB" if devices > 1 else f"{gib:g} GiB"
    if plan.best is None:
        lines.append(f"Nothing fits on {what}, of which {USABLE:.0%} can be counted on. Take more or larger GPUs.")
    else:
        lines.append(f"On {what}, of which {USABLE:.0%} can be counted on: {plan.best.strategy.name}.")
        if plan.best.hours is None:
            lines.append(f"{plan.best.flops:.2g} operations; for hours, give --tflops.")
    return "\n".join(lines)


def _timed(plan: Plan) -> bool:
    return any(option.hours is not None for option in plan.options)


def _priced(plan: Plan) -> bool:
    return any(option.cost is not None for option in plan.options)


def _row(option: Option) -> str:
    memory = option.memory
    parts = (memory.weights, memory.master, memory.gradients, memory.optimizer, memory.activations + memory.logits)
    mark = "✓" if option.fits else "✗"
    cells = f"{mark} {option.strategy.name:<36}{_gib(parts[0]):>9}"
    cells += "".join(f"{_gib(part):>8}" for part in parts[1:]) + f"{_gib(memory.total):>9}"
    if option.hours is not None:
        cells += f"{option.hours:10,.2f}"
    if option.cost is not None:
        cells += f"{option.cost:10,.0f}"
    return cells


def _parameters(count: int) -> str:
    return f"{count / 1e9:,.3g} billion parameters" if count >= 1e8 else f"{count / 1e6:,.3g} million parameters"


def _gib(size: int) -> str:
    """Small models have hundredths."""
    gib = size / GIB
    return f"{gib:.1f}" if gib >= 1 else f"{gib:.2f}"
