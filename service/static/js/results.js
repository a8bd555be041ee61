// The nearest pictures, and what stands in their place while there are none.
import { hashOf } from "./address.js";
import { hue } from "./colours.js";
import { $, h } from "./dom.js";
import { showProblem } from "./problems.js";
import { page } from "./state.js";
import { felt, inWords, labelOf, NAMED, percent } from "./words.js";

const SAME_BELOW = 0.0005; // what three decimals show as 0.000

export function drawCard(result) {
  const tint = hue(result.emotion);
  const thumb = h("div", { class: "thumb" }, h("img", {
    src: result.thumbnail_url, loading: "lazy", decoding: "async", width: 320, height: 240, alt: "", draggable: "false",
    onerror: () => thumb.classList.add("gone"),
  }), h("span", { class: "rank", "aria-hidden": "true" }, String(result.rank)));
  const same = result.distance < SAME_BELOW;
  const name = `Rank ${result.rank}, distance ${result.distance.toFixed(3)}, likely to evoke ${inWords(felt(result))}${result.label ? `, labelled ${labelOf(result)}` : ""}. Search from this picture.`;
  const link = h("a", { class: "card", href: hashOf(result.id), "aria-label": name, "data-id": result.id, "--tint": tint }, thumb, h("div", { class: "meta" },
    h("div", { class: "line" },
      h("span", { class: "feels" }, felt(result).slice(0, NAMED).map((name) => h("span", { class: "feel", "--tint": hue(name) }, h("span", { class: "dot", "aria-hidden": "true" }), name))),
      h("span", { class: "dist", title: "Euclidean distance" }, result.distance.toFixed(3))),
    h("div", { class: "line sub" }, h("span", {}, percent(result.confidence)), result.label ? h("span", {}, `label: ${labelOf(result)}`) : null, same ? h("span", {}, "the same") : null)));
  return h("li", {}, link);
}
export function showResults(results) {
  const grid = $("grid");
  grid.setAttribute("aria-busy", "false");
  grid.dataset.count = page.k;
  grid.replaceChildren(...results.map(drawCard));
  const tally = new Map();
  for (const name of results.flatMap(felt)) tally.set(name, (tally.get(name) ?? 0) + 1);
  const ranked = [...tally].sort((a, b) => b[1] - a[1]);
  $("summary").replaceChildren(...ranked.map(([name, n]) => h("span", { "--tint": hue(name) }, h("span", { class: "dot", "aria-hidden": "true" }), `${n} ${name}`)));
  $("distance-note").hidden = results.length === 0;
}
export function showWaiting() {
  $("problem").hidden = true;
  $("grid").setAttribute("aria-busy", "true");
  $("grid").dataset.count = page.k;
  $("summary").replaceChildren();
  $("distance-note").hidden = true;
  const bone = () => h("li", { "aria-hidden": "true" }, h("div", { class: "card" }, h("div", { class: "thumb bone" }), h("div", { class: "meta" }, h("div", { class: "bone line1" }), h("div", { class: "bone line2" }))));
  $("grid").replaceChildren(...Array.from({ length: page.k }, bone));
}

export function showEmptyGallery(title, text) {
  $("nearest").classList.add("bare");
  $("grid").replaceChildren();
  $("grid").setAttribute("aria-busy", "false");
  $("summary").replaceChildren();
  $("distance-note").hidden = true;
  showProblem($("problem"), { title, message: text }, null, { calm: true });
}
