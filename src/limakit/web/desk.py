"""What the pages for reviewing and writing share: the curation as last read, and the files they hand over."""

import threading
from typing import Annotated

from fastapi import Depends, Request

from limakit.author import drafts, handover
from limakit.author.coverage import Near
from limakit.errors import StudyError, typed
from limakit.pipeline.browsing import Curated, curated, fresh
from limakit.store.decisions import FILE
from limakit.store.files import sha256
from limakit.web.studio import Studio


class Desk:
    """One for the whole application."""

    def __init__(self, studio: Studio):
        self.studio = studio
        self._curated: Curated | None = None
        self._reading = threading.Lock()

    def curated(self) -> Curated | None:
        """The curation, read anew where it has changed; None where there is none yet."""
        with self._reading:
            self._curated = curated(self.studio.study, self._curated)
            return self._curated

    def needed(self) -> Curated:
        """The curation. Raises StudyError where there is none yet."""
        found = self.curated()
        if found is None:
            root = self.studio.study.root
            raise StudyError(
                "nothing is curated yet, so there is nothing to review", fix=f"Run: limakit curate {typed(root)}"
            )
        return found

    def near(self, text: str, number: str) -> list[Near]:
        """Prompts of the study and of drafts that are like a text, which is the prompt of draft `number`."""
        found = self.curated()
        others = {draft.id: draft.prompt for draft in drafts.all_drafts(self.studio.people) if draft.id != number}
        coverage = found.coverage if found else fresh(list(others.values()))
        known = f"authored/{drafts.SITE}/{number}"
        return coverage.nearest(text, without=known, others={name: prompt for name, prompt in others.items() if prompt})

    def waiting(self) -> bool:
        """Whether there are decisions that the curation on disk does not follow yet."""
        study = self.studio.study
        manifest, path = study.manifest("curate"), study.path(FILE)
        known = (manifest or {}).get("inputs", {}).get(FILE)
        return manifest is not None and known != (sha256(path) if path.exists() else None)

    def hand_over(self) -> None:
        """Write both files as the database has them: at the start, should a kill have come in between."""
        handover.publish_decisions(self.studio.people, self.studio.study.root)
        handover.publish_authored(self.studio.people, self.studio.study.root)


def desk(request: Request) -> Desk:
    """The desk of this application."""
    return request.app.state.desk


AtDesk = Annotated[Desk, Depends(desk)]
"""Parameter of a route that needs the curation."""
