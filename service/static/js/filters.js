// The form of the wish: how many pictures, which ones, moved towards which mood.
import { hue } from "./colours.js";
import { $, h } from "./dom.js";
import { emotions, page } from "./state.js";
import { percent } from "./words.js";
import { COUNTS, FARTHEST, filtersInWords, withoutFilters } from "./wish.js";

const radio = (name, value, text) => h("label", {}, h("input", { type: "radio", name, value, class: "vh" }), text);
const farthest = () => (Number($("max-distance").value) >= FARTHEST ? null : Number($("max-distance").value));
const checked = (name) => $("wish").querySelector(`input[name="${name}"]:checked`)?.value;

// Made anew with the facts, then only set, so that the keyboard's focus stays where it is.
export function makeForm() {
  const names = emotions().map((emotion) => emotion.name);
  const most = page.info?.limits?.max_k ?? 100;
  $("count-options").replaceChildren(...COUNTS.filter((k) => k <= most).map((k) => radio("k", k, String(k))));
  $("emotion-options").replaceChildren(...names.map((name) => h("label", { class: "tick", "--tint": hue(name) },
    h("input", { type: "checkbox", name: "emotion", value: name }), h("span", { class: "dot", "aria-hidden": "true" }), name)));
  $("blend").replaceChildren(h("option", { value: "" }, "no mood"), ...names.map((name) => h("option", { value: name }, name)));
  $("sides-filter").hidden = !emotions().some((emotion) => emotion.polarity);
  showWish();
}
export function showWish() {
  const { wish } = page;
  for (const input of $("wish").querySelectorAll("input[name=k]")) input.checked = Number(input.value) === wish.k;
  for (const input of $("wish").querySelectorAll("input[name=emotion]")) input.checked = wish.emotions.includes(input.value);
  for (const input of $("wish").querySelectorAll("input[name=polarity]")) input.checked = input.value === (wish.polarity ?? "");
  $("label").value = wish.label;
  $("max-distance").value = wish.distance ?? FARTHEST;
  $("dedupe").checked = wish.dedupe;
  $("blend").value = wish.mood ?? "";
  $("weight").value = wish.weight;
  const set = filtersInWords(wish);
  $("filters-set").textContent = set.length ? `only ${set.join(", ")}` : "";
  $("clear").hidden = set.length === 0;
  showSliders();
}
function showSliders() {
  $("max-distance-text").textContent = farthest() === null ? "any" : farthest().toFixed(2);
  $("weight-text").textContent = percent(Number($("weight").value));
  $("weight-box").hidden = !$("blend").value;
}
// The labels seen so far, to choose from.
export function offerLabels() {
  const seen = new Set([...page.cards.values()].flatMap((card) => card.label?.split("|") ?? []));
  $("labels").replaceChildren(...[...seen].sort().slice(0, 200).map((label) => h("option", { value: label })));
}
export function listen(onChange) {
  const read = () => ({ // in the order of USUAL
    k: Number(checked("k") ?? page.wish.k),
    emotions: [...$("wish").querySelectorAll("input[name=emotion]:checked")].map((input) => input.value),
    polarity: checked("polarity") || null,
    label: $("label").value.trim(),
    distance: farthest(),
    dedupe: $("dedupe").checked,
    mood: $("blend").value || null,
    weight: Number($("weight").value),
  });
  $("wish").addEventListener("input", showSliders);
  $("wish").addEventListener("change", () => {
    const wish = read();
    if (JSON.stringify(wish) !== JSON.stringify(page.wish)) onChange(wish);
  });
  $("wish").addEventListener("submit", (event) => event.preventDefault());
  $("clear").addEventListener("click", () => {
    onChange(withoutFilters(page.wish));
    $("filters").querySelector("summary").focus(); // the button itself is gone now
  });
}
