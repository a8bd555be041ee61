"""Write the pages that are made from the code; a test holds the files to it. Run: python docs/reference.py"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from reference_pages.errors import errors_page
from reference_pages.formats import formats_page
from reference_pages.http import http_page
from reference_pages.metrics import metrics_page
from reference_pages.settings import settings_page
from reference_pages.training_config import training_config_page

FOLDER: Final = Path(__file__).parent
PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "settings.md": settings_page,
    "http.md": http_page,
    "errors.md": errors_page,
    "metrics.md": metrics_page,
    "training-config.md": training_config_page,
    "formats.md": formats_page,
}
"""By file name."""

if __name__ == "__main__":
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")
