// The pictures and moods one came through.
import { hue } from "./colours.js";
import { $, h } from "./dom.js";
import { page, stepKey, thumbOf } from "./state.js";
import { capital } from "./words.js";

const moodOf = (step) => (step.type === "mood" ? step.name : (page.queries.get(stepKey(step)) ?? page.cards.get(step.id))?.emotion);
function inWords(step, i) {
  if (step.type === "mood") return `Mood: ${step.name}`;
  return `${step.type === "upload" ? "Your picture" : `Picture ${i + 1}`}${moodOf(step) ? `, ${moodOf(step)}` : ""}`;
}
function sample(step) {
  if (step.type === "mood") return h("span", { class: "swatch", "aria-hidden": "true" }, capital(step.name).slice(0, 2));
  return thumbOf(step) ? h("img", { src: thumbOf(step), alt: "", width: 46, height: 46 }) : "?";
}
export function drawTrail() {
  const steps = page.trail;
  const last = steps.length - 1;
  $("trail").hidden = last < 1;
  $("crumbs").replaceChildren(...(last < 1 ? [] : steps).map((step, i) => {
    const what = inWords(step, i);
    return h("li", {}, h("button", { type: "button", class: "crumb", "--tint": hue(moodOf(step)), title: what, "aria-label": what, "aria-current": i === last ? "page" : null,
      onclick: () => { if (i !== last) history.go(step.at - page.at); } }, sample(step)));
  }));
  $("crumbs").scrollLeft = $("crumbs").scrollWidth;
}
