"""The studio is there soon after it is started."""

import subprocess
import sys


def test_the_first_page_waits_for_no_statistics_and_no_model():
    """What takes seconds to import is imported by the page that needs it."""
    code = "import sys, limakit.web.app; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "fastapi" in loaded
    assert not {"torch", "transformers", "scipy", "sklearn", "matplotlib", "alembic"} & set(loaded)
