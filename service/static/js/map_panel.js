// What stands beside the map: its legend, the pictures in view as a list, and the little card at a point.
import { hashOf } from "./address.js";
import { hue } from "./colours.js";
import { $, h } from "./dom.js";
import { emotionAt, labelAt } from "./map_points.js";
import { whole } from "./words.js";

const GAP_PX = 16;
const EDGE_PX = 6;

export function pictureName(points, i) {
  const label = labelAt(points, i);
  return `Likely to evoke ${emotionAt(points, i)}${label ? `, labelled ${label}` : ""}. Search from this picture.`;
}
const thumb = (id, side) => h("img", { src: `images/${encodeURIComponent(id)}/thumbnail`, alt: "", width: side, height: side, loading: "lazy", decoding: "async", onerror: (event) => { event.target.hidden = true; } });

export function drawLegend(map, onToggle, onColour) {
  const { groups } = map.groups;
  const held = document.activeElement?.dataset?.group; // its button is drawn anew
  const button = (group) => h("li", {}, h("button", {
    type: "button", class: "map-group", "--tint": group.tint, "data-group": group.name, "aria-pressed": String(!map.hidden.has(group.name)), onclick: () => onToggle(group.name),
  }, h("span", { class: "dot", "aria-hidden": "true" }), h("span", { class: "map-group-name" }, group.name), h("span", { class: "map-group-count" }, whole(group.count))));
  const all = h("li", { class: "map-all" }, h("button", { type: "button", class: "link", onclick: () => onToggle(null) }, "Show all"));
  $("map-groups").replaceChildren(...groups.map(button), ...(map.hidden.size ? [all] : []));
  if (held) [...$("map-groups").querySelectorAll("button")].find((one) => one.dataset.group === held)?.focus();
  $("map-by").hidden = !map.points.labels.length;
  for (const input of $("map-by").querySelectorAll("input")) {
    input.checked = input.value === map.by;
    input.onchange = () => onColour(input.value);
  }
}

export function drawList(points, rows) {
  const box = $("map-list");
  if (box.contains(document.activeElement)) return; // nobody's place in it is taken away
  $("map-list-title").textContent = rows.length ? "Pictures in the middle" : "No pictures in view";
  box.replaceChildren(...rows.map((i) => h("li", {}, h("a", { href: hashOf({ type: "image", id: points.ids[i] }), "data-id": points.ids[i], "--tint": hue(emotionAt(points, i)), "aria-label": pictureName(points, i) }, thumb(points.ids[i], 64)))));
}

// `at` says where and of which point; null takes the card away.
export function showTip(at) {
  const tip = $("map-tip");
  tip.hidden = !at;
  if (!at) return;
  const { points, i, left, top, size, isTouch, onChoose } = at;
  const label = labelAt(points, i);
  tip.replaceChildren(thumb(points.ids[i], 132),
    h("p", {}, h("span", { class: "dot", "--tint": hue(emotionAt(points, i)), "aria-hidden": "true" }), emotionAt(points, i)),
    ...(label ? [h("p", { class: "dim" }, `label: ${label}`)] : []),
    ...(isTouch ? [h("button", { type: "button", class: "button small", onclick: onChoose }, "Search from it")] : []));
  tip.classList.toggle("touch", Boolean(isTouch));
  const { offsetWidth: width, offsetHeight: height } = tip;
  const above = top - height - GAP_PX;
  const free = above >= EDGE_PX ? above : top + GAP_PX + height <= size.height - EDGE_PX ? top + GAP_PX : EDGE_PX;
  const aside = free === EDGE_PX && above < EDGE_PX ? width / 2 + GAP_PX : 0; // no room above or below: beside the point
  const middle = left + (left + aside + width / 2 > size.width ? -aside : aside);
  tip.style.setProperty("--left", `${Math.max(EDGE_PX, Math.min(middle - width / 2, size.width - width - EDGE_PX))}px`);
  tip.style.setProperty("--top", `${free}px`);
}
