"""The map's geometry, run by node: what is under a finger stays there, and arrow keys go on."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import service

JS = Path(service.__file__).parent / "static/js"

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="needs node")

SETUP = """
const size = { width: 800, height: 500, margin: 20 };
const view = { x: 0.4, y: 0.6, zoom: 3 };
const column = (places, axis) => places.map((place) => place[axis]);
const of = (places, shown) => ({ x: column(places, 0), y: column(places, 1), shown: shown ?? places.map(() => 1) });
const lattice = of(Array.from({ length: 100 }, (_, i) => [(i % 10) / 9, Math.floor(i / 10) / 9]));
"""


def run(module: str, expression: str) -> Any:
    source = (JS / f"{module}.js").read_text(encoding="utf-8")
    program = f"{source}\n{SETUP}\nconsole.log(JSON.stringify({expression}));"
    command = ["node", "--input-type=module", "-"]
    done = subprocess.run(command, input=program, capture_output=True, text=True, check=True, timeout=60)
    return json.loads(done.stdout)


def test_places_on_the_map_and_on_the_screen() -> None:
    answer = run(
        "map_geometry",
        """[
        toScreen(wholeMap(), size, 0.5, 0.5),
        toScreen(wholeMap(), size, 0, 1),
        toMap(view, size, ...toScreen(view, size, 0.25, 0.75)),
        toMap(zoomedAt(view, size, 1.7, 500, 100), size, 500, 100).map((v, i) => v - toMap(view, size, 500, 100)[i]),
        toScreen(moved(view, size, 30, -20), size, ...toMap(view, size, 400, 300)),
    ]""",
    )
    expected = [[400, 250], [170, 20], [0.25, 0.75], [0, 0], [430, 280]]
    for got, wanted in zip(answer, expected, strict=True):
        assert got == pytest.approx(wanted, abs=1e-9)


def test_the_view_keeps_to_the_map_and_to_its_points() -> None:
    far, close, few, one, none = run(
        "map_geometry",
        """[
        moved(wholeMap(), size, 1e6, 1e6),
        zoomedAt(wholeMap(), size, 1e9, 1, 1),
        around([[0.2, 0.2], [0.4, 0.3]], size),
        around([[0.7, 0.1]], size),
        around([], size),
    ]""",
    )
    assert (far["x"], far["y"]) == (0, 1)
    assert close["zoom"] == 60
    assert (few["x"], few["y"]) == pytest.approx((0.3, 0.25))
    assert 1 < few["zoom"] < 8
    assert (one["x"], one["y"], one["zoom"]) == (0.7, 0.1, 8)
    assert none == {"x": 0.5, "y": 0.5, "zoom": 1}


def test_what_is_pointed_at() -> None:
    answer = run(
        "map_geometry",
        """[
        pointAt(lattice, wholeMap(), size, 172, 478, 10),
        pointAt(lattice, wholeMap(), size, 195, 455, 5),
        pointAt(of([[0.5, 0.5]], [0]), wholeMap(), size, 400, 250, 10),
        inView(lattice, { x: 0, y: 0, zoom: 30 }, size),
        inView(lattice, wholeMap(), size, { most: 4 }).sort((a, b) => a - b),
    ]""",
    )
    assert answer == [0, -1, -1, [0], [44, 45, 54, 55]]


def test_arrow_keys_go_to_the_next_and_reach_nearly_all() -> None:
    steps, n_reached = run(
        "map_geometry",
        """[
        [[55, 1, 0], [55, -1, 0], [55, 0, 1], [55, 0, -1], [9, 1, 0]].map((step) => pointBeside(lattice, ...step)),
        (() => {
            const random = (i) => ((Math.sin(i * 12.9898) * 43758.5453) % 1 + 1) % 1;
            const cloud = of(Array.from({ length: 200 }, (_, i) => [random(i), random(i + 1000)]));
            const seen = new Set([0]), waiting = [0];
            while (waiting.length) {
                const from = waiting.pop();
                for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
                    const next = pointBeside(cloud, from, dx, dy);
                    if (next >= 0 && !seen.has(next)) { seen.add(next); waiting.push(next); }
                }
            }
            return seen.size;
        })(),
    ]""",
    )
    assert steps == [56, 54, 65, 45, -1]
    assert n_reached >= 190
