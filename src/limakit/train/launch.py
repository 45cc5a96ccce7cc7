"""Started by torchrun: the first process does the study's work, the others wait for it and train with it.

    torchrun --nproc-per-node 8 -m limakit train STUDY

Only the first process reads the study, writes and speaks. Importing this imports no torch.
"""

import os


def processes() -> int:
    """How many processes torchrun has started; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1")) if "RANK" in os.environ else 1


def follows() -> bool:
    """Whether this process is one of the others."""
    return processes() > 1 and os.environ["RANK"] != "0"
