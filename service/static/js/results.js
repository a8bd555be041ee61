// The nearest pictures in rows of one height, and what stands in their place while there are none.
import { hashOf } from "./address.js";
import { hue } from "./colours.js";
import { $, h } from "./dom.js";
import { showProblem } from "./problems.js";
import { page } from "./state.js";
import { felt, inWords, labelOf, NAMED, percent } from "./words.js";

const SAME_BELOW = 0.0005; // what three decimals show as 0.000
const USUAL_RATIO = 4 / 3; // where a picture's size is not known
const BONE_RATIOS = [4 / 3, 3 / 4, 3 / 2, 1];

// Width over height, known before the thumbnail comes, so that nothing jumps when it does. Slivers and panoramas are
// cropped a little: the style sheet says how narrow and how wide a result may be.
function ratioOf(id) {
  const { width, height } = page.details.get(id) ?? {};
  return width && height ? width / height : USUAL_RATIO;
}
const dot = () => h("span", { class: "dot", "aria-hidden": "true" });
export function drawCard(result) {
  const thumb = h("div", { class: "thumb" }, h("img", {
    src: result.thumbnail_url, loading: "lazy", decoding: "async", alt: "", draggable: "false",
    onerror: () => thumb.classList.add("gone"),
  }), h("span", { class: "rank", "aria-hidden": "true" }, String(result.rank)));
  const same = result.distance < SAME_BELOW;
  const name = `Rank ${result.rank}, distance ${result.distance.toFixed(3)}, likely to evoke ${inWords(felt(result))}${result.label ? `, labelled ${labelOf(result)}` : ""}. Search from this picture.`;
  const link = h("a", { class: "card", href: hashOf({ type: "image", id: result.id }), "aria-label": name, "data-id": result.id }, thumb, h("div", { class: "meta" },
    h("span", { class: "feels" }, felt(result).slice(0, NAMED).map((one) => h("span", { class: "feel", "--tint": hue(one) }, dot(), one)), h("span", { class: "share" }, percent(result.confidence))),
    h("span", { class: "sub" }, h("span", { class: "dist", title: "Euclidean distance" }, h("span", { class: "word" }, "distance "), result.distance.toFixed(3)),
      same ? h("span", {}, "the same") : null, result.label ? h("span", { class: "label" }, `label: ${labelOf(result)}`) : null)));
  const why = h("button", { type: "button", class: "why", "data-why": result.id, "aria-haspopup": "dialog", "aria-label": `Why rank ${result.rank} feels alike` }, "Why?");
  return h("li", { "--ratio": ratioOf(result.id), "--tint": hue(result.emotion) }, link, why);
}
export function showResults(results) {
  const grid = $("grid");
  page.shown = results;
  grid.dataset.count = page.wish.k;
  grid.setAttribute("aria-busy", "false");
  grid.replaceChildren(...results.map(drawCard));
  const tally = new Map();
  for (const name of results.flatMap(felt)) tally.set(name, (tally.get(name) ?? 0) + 1);
  const ranked = [...tally].sort((a, b) => b[1] - a[1]);
  $("summary").replaceChildren(...ranked.map(([name, n]) => h("span", { "--tint": hue(name) }, dot(), `${n} ${name}`)));
  $("distance-note").hidden = results.length === 0;
}
function empty() {
  page.shown = [];
  $("grid").replaceChildren();
  $("grid").setAttribute("aria-busy", "false");
  $("summary").replaceChildren();
  $("distance-note").hidden = true;
}
export function showWaiting() {
  empty();
  $("problem").hidden = true;
  $("grid").setAttribute("aria-busy", "true");
  $("grid").dataset.count = page.wish.k;
  const bone = (i) => h("li", { "aria-hidden": "true", "--ratio": BONE_RATIOS[i % BONE_RATIOS.length] }, h("div", { class: "card" }, h("div", { class: "thumb bone" }), h("div", { class: "meta" }, h("div", { class: "bone line1" }), h("div", { class: "bone line2" }))));
  $("grid").replaceChildren(...Array.from({ length: page.wish.k }, (_, i) => bone(i)));
}
// Instead of pictures: what to do about it; the form of the wish goes too unless it can help.
export function showNone(problem, { retry = null, label, calm = true, wishHelps = false } = {}) {
  empty();
  $("nearest").classList.toggle("bare", !wishHelps);
  showProblem($("problem"), problem, retry, { calm, label });
}
