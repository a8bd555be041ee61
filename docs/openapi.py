"""Write openapi.json: the HTTP interface with the default settings; a test holds it to the app.

Run: python docs/openapi.py
"""

import json
from pathlib import Path

from service.app import create_app
from service.settings import ServiceSettings

OUT = Path(__file__).parent / "openapi.json"


def openapi_document() -> str:
    """The whole document; no variable of the environment changes it."""
    settings = ServiceSettings.model_construct(bundle=Path("bundle"), store=Path("store"))
    return json.dumps(create_app(settings).openapi(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    OUT.write_text(openapi_document(), encoding="utf-8")
