// The service's facts, asked once, and all that waits for them.
import { showAbout } from "./about.js";
import { hue } from "./colours.js";
import { $, h } from "./dom.js";
import { dropWords } from "./drop.js";
import { makeForm } from "./filters.js";
import { callJson, patiently, Problem } from "./service.js";
import { emotions, hasGallery, page } from "./state.js";
import { drawWheel } from "./wheel.js";
import { COUNTS } from "./wish.js";

const notice = (...content) => {
  $("banner").replaceChildren(...content);
  $("banner").hidden = false;
};
export async function loadInfo() {
  try {
    page.info = await patiently(() => callJson("info"), undefined, (problem, left) => notice(`${problem.title}. Looking again in ${left}\u202fs.`));
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    notice(`${problem.title}: ${problem.message} `, h("button", { type: "button", class: "link", onclick: () => { page.ready = loadInfo(); } }, "Look again"));
    $("about-body").replaceChildren(h("p", { class: "dim" }, "The service has not told its facts."));
    return;
  }
  $("banner").hidden = true;
  if (!hasGallery()) notice("No gallery is loaded, so this page can tell emotions but not find pictures yet.");
  const { taxonomy } = page.info.model;
  $("hero-wheel").replaceChildren(...(taxonomy.wheel ? [drawWheel(taxonomy.wheel, null, "rest")] : []));
  const counts = COUNTS.filter((k) => k <= page.info.limits.max_k);
  if (!counts.includes(page.wish.k)) page.wish = { ...page.wish, k: counts.at(-1) ?? 1 };
  makeForm();
  offerMoods();
  showAbout();
  dropWords(document.body.classList.contains("has-query"));
  document.dispatchEvent(new CustomEvent("informed")); // modules of their own wait for the facts by this
}
function offerMoods() { // a start for those without a picture
  $("moods").hidden = !hasGallery();
  $("mood-list").replaceChildren(...emotions().map(({ name }) => h("li", {}, h("a", { class: "mood", href: `#mood=${encodeURIComponent(name)}`, "data-mood": name, "--tint": hue(name) },
    h("span", { class: "dot", "aria-hidden": "true" }), name))));
}
