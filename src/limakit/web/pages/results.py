"""Results: how things stand by people and by models, who agrees with whom, who has come how far; and the report."""

import threading
from datetime import UTC, datetime

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, Response

from limakit.errors import StudyError, typed
from limakit.web.render import page
from limakit.web.studio import Authors, Here

router = APIRouter()
REPORT_POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'"
)
"""For the report, a file that carries its own styles and no script."""
_reckoning = threading.Lock()


@router.get("/results")
def show(request: Request, here: Here, person: Authors, part: bool = False) -> Response:
    """The page, or with `part` only what changes on it."""
    from limakit.pipeline.standing import Watcher  # scipy, which the studio's first page need not wait for

    with _reckoning:
        if request.app.state.watcher is None:
            request.app.state.watcher = Watcher(here.study, here.people)
        standing = request.app.state.watcher.standing()
    return page(
        request,
        "results_part.html" if part else "results.html",
        title="Results",
        standing=standing,
        now=datetime.now(UTC).strftime("%H:%M:%S UTC"),
        when=lambda stored: datetime.fromtimestamp(stored, UTC).strftime("%d %b, %H:%M"),
        report=here.study.path("report", "index.html").exists(),
        root=str(here.study.root),
    )


@router.get("/results/report")
def report(here: Here, person: Authors) -> Response:
    """The report as it was published last."""
    path = here.study.path("report", "index.html")
    if not path.exists():
        raise StudyError("there is no report yet", fix=f"Run: limakit report {typed(here.study.root)}")
    headers = {"Content-Security-Policy": REPORT_POLICY, "X-Frame-Options": "SAMEORIGIN"}
    return FileResponse(path, media_type="text/html", headers=headers)
