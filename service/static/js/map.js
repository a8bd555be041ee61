// The map of the gallery, in a window of its own over the page.
import { $, say } from "./dom.js";
import { drawScene, paletteOf, sizeOf } from "./map_canvas.js";
import { around, best, inView, moved, pointAt, pointBeside, toScreen, wholeMap, zoomedAt } from "./map_geometry.js";
import { listen } from "./map_gestures.js";
import { markCurrent } from "./map_marks.js";
import { drawLegend, drawList, pictureName, showTip } from "./map_panel.js";
import { groupsOf, pointsOf } from "./map_points.js";
import { showProblem } from "./problems.js";
import { callJson, patiently, Problem } from "./service.js";
import { page } from "./state.js";
import { goTo, remembered } from "./travel.js";
import { percent, whole } from "./words.js";

const REACH_PX = 22;
const LISTED = 24;
const STEP = 1.6;
const NO_MARKS = { query: null, neighbours: [], rows: new Set(), isGuess: false, image: null };
const canvas = $("map-canvas"), dialog = $("map");
const map = { points: null, groups: null, palette: null, by: "emotion", hidden: new Set(), view: wholeMap(), size: null, marks: NO_MARKS, cursor: -1, radius: 5, opener: null, isLeft: false };
let frame = 0;
let listTimer = 0;

function paint() {
  if (frame || !map.points || !dialog.open) return;
  frame = requestAnimationFrame(() => {
    frame = 0;
    if (!map.points) return;
    map.size = sizeOf(canvas);
    map.radius = drawScene(canvas, map, paint); // again when a picture comes
  });
}
function redraw() {
  paint();
  clearTimeout(listTimer); // the list follows when the map stands still
  listTimer = setTimeout(() => { if (map.points && map.size) drawList(map.points, inView(map.points, map.view, map.size, { most: LISTED })); }, 180);
}
function look(view) {
  map.view = view;
  showTip(null);
  redraw();
}
function recolour() {
  map.groups = groupsOf(map.points, map.by);
  map.palette = paletteOf(canvas, map.groups.groups.map((group) => group.tint));
  const hidden = map.groups.groups.map((group) => map.hidden.has(group.name));
  map.groups.of.forEach((group, i) => { map.points.shown[i] = hidden[group] ? 0 : 1; });
  if (map.cursor >= 0 && !map.points.shown[map.cursor]) map.cursor = -1;
  drawLegend(map, toggle, colourBy);
  redraw();
}
function toggle(name) {
  if (name === null) map.hidden.clear();
  else if (!map.hidden.delete(name)) map.hidden.add(name);
  recolour();
}
function colourBy(by) {
  map.by = by;
  map.hidden.clear();
  recolour();
}
// The page moves on to a picture; Back leads to the map again.
function leaveBehind() {
  map.opener = null;
  map.isLeft = true;
  dialog.close();
}
function choose(i) {
  if (i < 0) return;
  leaveBehind();
  goTo({ type: "image", id: map.points.ids[i] });
}
function point(i, isTouch = false) {
  map.cursor = i;
  const [left, top] = i < 0 ? [0, 0] : toScreen(map.view, map.size, map.points.x[i], map.points.y[i]);
  showTip(i < 0 ? null : { points: map.points, i, left, top, size: map.size, isTouch, onChoose: () => choose(i) });
  canvas.classList.toggle("pointing", i >= 0);
  redraw();
}
const at = (left, top) => (map.points ? pointAt(map.points, map.view, map.size, left, top, Math.max(REACH_PX, map.radius)) : -1);
// By button or key, about the middle; where nothing lies there, towards the picture nearest to it.
function zoom(factor) {
  if (!map.points || !map.size) return;
  const view = zoomedAt(map.view, map.size, factor, map.size.width / 2, map.size.height / 2);
  const nearest = inView(map.points, view, map.size).length ? -1 : best(map.points, (x, y) => (x - view.x) ** 2 + (y - view.y) ** 2);
  look(nearest < 0 ? view : { ...view, x: map.points.x[nearest], y: map.points.y[nearest] });
}

listen(canvas, {
  zoomAt: (factor, left, top) => { if (map.size) look(zoomedAt(map.view, map.size, factor, left, top)); },
  zoom,
  move: (dx, dy) => { if (map.size) look(moved(map.view, map.size, dx, dy)); },
  reset: () => look(wholeMap()),
  hover: (left, top) => { const i = at(left, top); if (i !== map.cursor) point(i); },
  leave: () => { if (document.activeElement !== canvas) point(-1); else showTip(null); },
  tap: (left, top, isTouch) => { const i = at(left, top); if (isTouch) point(i, true); else choose(i); },
  choose: () => choose(map.cursor),
  arrow: (dx, dy) => {
    if (!map.points) return;
    const next = map.cursor < 0 ? inView(map.points, map.view, map.size, { most: 1 })[0] ?? -1 : pointBeside(map.points, map.cursor, dx, dy);
    if (next < 0) return;
    const [left, top] = toScreen(map.view, map.size, map.points.x[next], map.points.y[next]);
    const isSeen = left > 0 && top > 0 && left < map.size.width && top < map.size.height;
    if (!isSeen) map.view = { ...map.view, x: map.points.x[next], y: map.points.y[next] };
    point(next);
    $("map-said").textContent = pictureName(map.points, next);
  },
});
$("map-in").addEventListener("click", () => zoom(STEP));
$("map-out").addEventListener("click", () => zoom(1 / STEP));
$("map-whole").addEventListener("click", () => look(wholeMap()));
$("map-close").addEventListener("click", () => dialog.close());
$("map-list").addEventListener("click", (event) => { // the page itself goes where the link leads
  if (!event.target.closest("a") || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  leaveBehind();
});
dialog.addEventListener("close", () => {
  if (history.state?.map && !map.isLeft) history.back();
  showTip(null);
  map.cursor = -1;
  map.opener?.focus();
});

function tellFacts() {
  const { points } = map;
  const sample = points.count > points.ids.length ? `A sample of ${whole(points.ids.length)} of ${whole(points.count)} pictures. ` : `${whole(points.ids.length)} pictures. `;
  const added = points.added ? `${whole(points.added)} added since the last build ${points.added === 1 ? "has its place" : "have their places"} after the next one. ` : "";
  $("map-facts").textContent = `${sample}${added}Near on the map is near for the model, as far as two dimensions can show it: of the ten nearest pictures ${percent(points.kept)} stay among the ten nearest.`;
}
async function load() {
  $("map-problem").hidden = true;
  $("map-facts").textContent = map.points ? $("map-facts").textContent : "Drawing the map…";
  try {
    const answer = await patiently(() => callJson("map"), undefined, (problem, left) => { $("map-facts").textContent = `${problem.title}. Trying again in ${left}\u202fs.`; });
    map.points = pointsOf(answer);
    map.marks = NO_MARKS;
    map.size = sizeOf(canvas);
    recolour();
    map.marks = await markCurrent(map.points);
    if (map.marks.neighbours.length) map.view = around([map.marks.query, ...map.marks.neighbours], map.size);
    tellFacts();
    redraw();
    say(`The map is open. ${$("map-facts").textContent}`);
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    map.points = null;
    $("map-facts").textContent = "";
    showProblem($("map-problem"), problem, problem.code === "map_missing" ? null : load, { calm: problem.code === "map_missing" });
  }
}
function open() {
  if (dialog.open) return;
  map.isLeft = false;
  map.view = wholeMap();
  map.cursor = -1;
  dialog.showModal();
  canvas.focus({ preventScroll: true });
  load();
}
for (const id of ["open-map", "see-map", "explore-map"]) {
  $(id).addEventListener("click", (event) => {
    map.opener = event.currentTarget;
    page.at += 1; // an entry of its own: Back closes the map, not the page
    history.pushState({ ...remembered(), map: true }, "");
    open();
  });
}
addEventListener("popstate", (event) => {
  if (event.state?.map) open();
  else dialog.close();
});
document.addEventListener("informed", () => {
  $("open-map").hidden = $("see-map").hidden = !page.info?.index;
  if (history.state?.map) open(); // loaded again while it was open
});
new ResizeObserver(redraw).observe(canvas);
const repaint = () => { if (map.points && dialog.open) recolour(); };
new MutationObserver(repaint).observe(document.documentElement, { attributeFilter: ["data-theme"] });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
