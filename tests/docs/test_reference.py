"""The pages that are written from the code say what the code has now, and all of it."""

import pytest

from conftest import ROOT
from reference import PAGES
from reference_pages.errors import codes
from reference_pages.fields import leaves
from reference_pages.http import openapi, routes
from service.errors import INTERNAL, TABLE
from service.settings import ServiceSettings, variable
from training.config import TrainingConfig


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text("utf-8")


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_up_to_date(name: str) -> None:
    assert page(name) == PAGES[name](), "run: python docs/reference.py"


def test_every_setting_is_there() -> None:
    text = page("settings.md")
    assert [name for name in ServiceSettings.model_fields if f"`{variable(name)}`" not in text] == []


def test_every_route_is_there_with_its_parameters() -> None:
    text = page("http.md")
    for route in routes(openapi()):
        start = text.index(f"### {route.title}\n")
        end = text.find("\n### ", start)
        part = text[start:end]
        assert "curl " in part
        for parameter in route.operation.get("parameters", ()):
            assert f"| `{parameter['name']}`" in part, (route.title, parameter["name"])


def test_every_error_code_is_there_and_says_what_happened() -> None:
    text = page("errors.md")
    for answer in (*TABLE.values(), INTERNAL):
        assert f"`{answer.code}` | {int(answer.status)}" in text
    assert [code.answer.code for code in codes() if not all(code.meanings)] == []


def test_every_key_of_a_recipe_is_there_and_says_what_it_does() -> None:
    text, rows = page("training-config.md"), list(leaves(TrainingConfig))
    assert [row.key for row in rows if f"| `{row.key}` |" not in text] == []
    assert [row.key for row in rows if not row.meaning] == [], "write a docstring under the field"


def test_a_field_without_a_docstring_would_be_found() -> None:
    class Undocumented(TrainingConfig):
        extra: int = 0

    assert [row.key for row in leaves(Undocumented) if not row.meaning] == ["extra"]
