"""GET /: the web page."""

from pathlib import Path
from typing import Final

from fastapi import APIRouter
from fastapi.responses import FileResponse

from service.errors import PageMissingError

STATIC: Final = Path(__file__).parent.parent / "static"

router = APIRouter()


@router.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
async def page() -> FileResponse:
    """The page; everything it needs lies under /static/."""
    index = STATIC / "index.html"
    if not index.is_file():
        raise PageMissingError("the web page is not installed here; the API works, see /docs")
    return FileResponse(index)
