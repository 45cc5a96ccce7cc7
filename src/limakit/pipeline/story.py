"""The story: every stage in the order in which it runs.

Each reads what the stages before it published and publishes its own folder, whole or not at all.
"""

from collections.abc import Callable

from limakit.engine import Progress
from limakit.pipeline.annotating import annotate
from limakit.pipeline.curating import curate
from limakit.pipeline.judging import compare, judge, report
from limakit.pipeline.modelling import generate, train
from limakit.pipeline.outcome import Outcome
from limakit.store.study import Study

STAGES: dict[str, Callable[[Study, Progress], list[Outcome]]] = {
    "curate": curate,
    "train": train,
    "generate": generate,
    "compare": compare,
    "judge": judge,
    "annotate": annotate,
    "report": report,
}
