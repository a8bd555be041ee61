// The service's facts, asked once.
import { showAbout } from "./about.js";
import { COUNTS } from "./address.js";
import { showCounts } from "./counts.js";
import { $, h } from "./dom.js";
import { dropWords } from "./drop.js";
import { show } from "./search.js";
import { callJson, patiently, Problem } from "./service.js";
import { hasGallery, page } from "./state.js";
import { drawWheel } from "./wheel.js";

export async function loadInfo() {
  const banner = $("banner");
  try {
    page.info = await patiently(() => callJson("info"), undefined, (problem, left) => {
      banner.textContent = `${problem.title}. Looking again in ${left}\u202fs.`;
      banner.hidden = false;
    });
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    banner.replaceChildren(`${problem.title}: ${problem.message} `, h("button", { type: "button", class: "link", onclick: () => { page.ready = loadInfo(); } }, "Look again"));
    banner.hidden = false;
    $("about-body").replaceChildren(h("p", { class: "dim" }, "The service has not told its facts."));
    return;
  }
  banner.hidden = true;
  if (!hasGallery()) {
    banner.textContent = "No gallery is loaded, so this page can tell emotions but not find pictures yet.";
    banner.hidden = false;
  }
  const { taxonomy } = page.info.model;
  $("hero-wheel").replaceChildren(...(taxonomy.wheel ? [drawWheel(taxonomy.wheel, null, "rest")] : []));
  $("admin").hidden = !page.info.admin_enabled;
  if (page.k > page.info.limits.max_k) page.k = Math.max(...COUNTS.filter((k) => k <= page.info.limits.max_k), 1);
  showCounts(show);
  showAbout();
  dropWords(document.body.classList.contains("has-query"));
  document.dispatchEvent(new CustomEvent("informed")); // modules of their own wait for the facts by this
}
