// The picture asked about, and what it is likely to evoke.
import { canBeShared } from "./address.js";
import { hue, mood } from "./colours.js";
import { $, h } from "./dom.js";
import { emotions, page, pictureOf, sideOf } from "./state.js";
import { drawBars, drawSides, drawWheel } from "./wheel.js";
import { caveats, felt, inWords, labelOf, percent, unsureBelow } from "./words.js";

const MIKELS = 8; // emotions, where the label set is not known yet
const MANY_EMOTIONS = 12; // more bars than this stand in two columns

export function showPicture(step) {
  const frame = $("frame"), image = $("preview");
  $("query").classList.toggle("of-mood", step.type === "mood");
  if (step.type === "mood") return;
  frame.classList.remove("gone");
  image.onerror = () => frame.classList.add("gone");
  const { width, height } = page.details.get(step.id) ?? {};
  for (const [name, value] of [["width", width], ["height", height]]) { // its place is kept before the picture comes
    if (value) image.setAttribute(name, value);
    else image.removeAttribute(name);
  }
  if (image.getAttribute("src") !== pictureOf(step)) image.src = pictureOf(step);
  image.alt = step.type === "upload" ? "Your picture" : "The picture from the gallery";
  const card = page.cards.get(step.id);
  $("caption").textContent = step.type === "upload" ? step.name : `From the gallery${card?.label ? `, labelled ${labelOf(card)}` : ""}`;
  $("picture-links").hidden = !canBeShared(step);
  $("unshared").hidden = canBeShared(step);
  $("copy-link").hidden = !navigator.clipboard;
  $("copy-link").textContent = "Copy link";
  if (step.type === "image") $("open-picture").href = pictureOf(step);
}

// `query` may hold all probabilities (an answer) or only the winner (what a result's card says).
export function showVerdict(query) {
  const verdict = $("verdict"), caveat = $("caveat");
  const wheel = page.info?.model?.taxonomy?.wheel ?? null;
  mood(query?.emotion);
  $("query").classList.toggle("plain", !wheel);
  $("query").classList.toggle("many", !wheel && emotions().length > MANY_EMOTIONS);
  $("wheel-box").hidden = !wheel;
  verdict.style.setProperty("--tint", hue(query?.emotion));
  const n = Object.keys(query?.probabilities ?? {}).length || emotions().length || MIKELS;
  const { unfamiliar, unsure } = caveats(query, n, page.info?.model?.thresholds);
  $("unfamiliar").hidden = !unfamiliar;
  if (!query) {
    verdict.replaceChildren("Looking at the picture…");
    caveat.hidden = true;
  } else {
    const side = sideOf(query.emotion) ?? (emotions().length ? null : query.polarity);
    const aside = h("span", { class: "aside" }, ` (${side ? `${side}, ` : ""}${percent(query.confidence)})`);
    const notes = [];
    if (unsure) notes.push(`The model is not sure: no emotion reaches ${query.emotions ? "its threshold" : percent(unsureBelow(n))}, so take the first place as a hint only.`);
    const other = query.polarity_probabilities?.[query.polarity];
    if (side && query.polarity && side !== query.polarity && other !== undefined) {
      notes.push(`Taken together the ${query.polarity} emotions weigh more (${percent(other)}).`);
    }
    verdict.replaceChildren(unsure ? "No emotion stands out; the likeliest to be evoked is " : "This picture is likely to evoke ", h("strong", {}, inWords(felt(query))), felt(query).length > 1 ? "" : aside);
    caveat.textContent = notes.join(" ");
    caveat.hidden = notes.length === 0;
  }
  const all = query?.probabilities ?? null;
  const several = query && felt(query).length > 1 ? felt(query) : [];
  $("chips").replaceChildren(...several.map((name) => h("li", { class: "chip", "--tint": hue(name) }, h("span", { class: "dot", "aria-hidden": "true" }), all ? `${name} ${percent(all[name] ?? 0)}` : name)));
  $("chips").hidden = several.length === 0;
  if (wheel) $("wheel").replaceChildren(drawWheel(wheel, all, "waiting"));
  const names = emotions().length ? emotions().map((emotion) => emotion.name) : Array(MIKELS).fill("");
  $("bars").replaceChildren(...(all ? drawBars(all) : names.map(() => h("li", { class: "bar", "aria-hidden": "true" }, h("span", { class: "bone" }), h("span", { class: "bone" }), h("span", { class: "bone" })))));
  $("bars").setAttribute("aria-busy", String(!all));
  $("sides").replaceChildren(...drawSides(query?.polarity_probabilities));
}
// A mood has no picture, so there is nothing to weigh: its name, and what was looked for.
export function showMood(name) {
  mood(name);
  $("verdict").style.setProperty("--tint", hue(name));
  $("verdict").replaceChildren("Pictures most typical of ", h("strong", {}, name));
  $("caveat").textContent = `Nearest to the middle of all gallery pictures whose predicted emotion is ${name}. Choose one to go on from there.`;
  $("caveat").hidden = false;
  $("unfamiliar").hidden = $("chips").hidden = true;
}
export function onlyTheWinner() { // nothing more is known about this picture than its card says
  $("wheel-box").hidden = true;
  $("query").classList.add("plain");
  $("bars").replaceChildren(h("li", { class: "dim" }, "Only the likeliest emotion is known for this picture right now."));
  $("bars").setAttribute("aria-busy", "false");
}
