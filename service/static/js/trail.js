// The pictures one came through.
import { hue } from "./colours.js";
import { $, h } from "./dom.js";
import { page, stepKey, thumbOf } from "./state.js";

export function drawTrail() {
  const steps = page.trail;
  const last = steps.length - 1;
  $("trail").hidden = last < 1;
  $("crumbs").replaceChildren(...(last < 1 ? [] : steps).map((step, i) => {
    const emotion = page.answers.get(stepKey(step))?.query?.emotion ?? page.cards.get(step.id)?.emotion;
    const what = `${step.type === "upload" ? "Your picture" : `Picture ${i + 1}`}${emotion ? `, ${emotion}` : ""}`;
    const image = thumbOf(step) ? h("img", { src: thumbOf(step), alt: "", width: 46, height: 46 }) : "?";
    return h("li", {}, h("button", { type: "button", class: "crumb", "--tint": hue(emotion), title: what, "aria-label": what, "aria-current": i === last ? "page" : null,
      onclick: () => { if (i !== last) history.go(i - last); } }, image));
  }));
  $("crumbs").scrollLeft = $("crumbs").scrollWidth;
}
