"""GET /: the web page."""

from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from service.errors import PageMissingError

STATIC: Final = Path(__file__).parent.parent / "static"
_FILES: Final = StaticFiles(directory=STATIC, check_dir=False)

router = APIRouter()


@router.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
async def page(request: Request) -> Response:
    """The page, or 304 to who has it; everything it needs lies under /static/."""
    index = STATIC / "index.html"
    try:
        stat = index.stat()
    except OSError as error:
        raise PageMissingError("the web page is not installed here; the API works, see /docs") from error
    return _FILES.file_response(index, stat, request.scope)
