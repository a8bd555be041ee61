// From one picture to the next, back and forward.
import { fromHash, urlOf } from "./address.js";
import { showCounts } from "./counts.js";
import { $, calm } from "./dom.js";
import { show } from "./search.js";
import { current, page } from "./state.js";

export function goTo(step, fresh = false) {
  page.trail = fresh ? [step] : [...page.trail, step];
  history.pushState({ trail: page.trail }, "", urlOf(step));
  show({ focus: "verdict" });
}

const opensElsewhere = (event) => event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || event.button;
$("grid").addEventListener("click", (event) => {
  const card = event.target.closest("a.card");
  if (!card || opensElsewhere(event)) return;
  event.preventDefault();
  goTo({ type: "image", id: card.dataset.id });
});
addEventListener("popstate", (event) => {
  const left = current();
  const step = fromHash();
  showCounts(show);
  if (Array.isArray(event.state?.trail)) page.trail = event.state.trail;
  else {
    if (!step && location.hash && page.trail.length) { // a jump inside the page, such as the skip link
      history.replaceState({ trail: page.trail }, "");
      return;
    }
    page.trail = step ? [step] : [];
    history.replaceState({ trail: page.trail }, "");
  }
  show();
  if (left?.type === "image") document.querySelector(`.card[data-id="${CSS.escape(left.id)}"]`)?.focus();
});
$("back").addEventListener("click", () => history.back());
$("home").addEventListener("click", (event) => {
  if (opensElsewhere(event)) return;
  event.preventDefault();
  if (!page.trail.length) return;
  page.trail = [];
  history.pushState({ trail: [] }, "", urlOf(null));
  show();
  scrollTo({ top: 0 });
});
for (const link of document.querySelectorAll(".skip, #to-about")) {
  link.addEventListener("click", (event) => { // these jumps must not take the place of the picture's address
    event.preventDefault();
    const target = $(link.getAttribute("href").slice(1));
    if (target.id === "about") target.open = true;
    target.scrollIntoView({ behavior: calm() ? "auto" : "smooth" });
    (target.querySelector("summary") ?? target).focus({ preventScroll: true });
  });
}
$("copy-link").addEventListener("click", async () => {
  const done = await navigator.clipboard.writeText(location.href).then(() => true, () => false);
  $("copy-link").textContent = done ? "Link copied" : "Copy the address bar";
});
