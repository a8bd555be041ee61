// From one picture to the next, back and forward, and from one wish to another.
import { canBeShared, fromHash, urlOf } from "./address.js";
import { $, calm } from "./dom.js";
import { showWish } from "./filters.js";
import { show } from "./search.js";
import { current, page } from "./state.js";
import { USUAL } from "./wish.js";

export const remembered = () => ({ trail: page.trail, wish: page.wish, at: page.at });
const isSame = (state) => Array.isArray(state?.trail) && JSON.stringify([state.trail, state.wish]) === JSON.stringify([page.trail, page.wish]);
const write = (how) => history[how](remembered(), "", urlOf(current()));

export function goTo(step, fresh = false) {
  page.at += 1;
  page.trail = [...(fresh ? [] : page.trail), { ...step, at: page.at }];
  write("pushState");
  show({ focus: "verdict" });
}
// Another wish for the same picture is a step of its own, so that Back takes it back.
export function wishFor(changes) {
  page.wish = { ...page.wish, ...changes };
  page.at += 1;
  if (current()) page.trail = [...page.trail.slice(0, -1), { ...current(), at: page.at }];
  write("pushState");
  showWish();
  show();
}
export function start() {
  const { step, wish } = fromHash();
  const state = history.state;
  page.at = state?.at ?? 0;
  page.wish = state?.wish ?? wish;
  page.trail = Array.isArray(state?.trail) && state.trail.length ? state.trail : step ? [{ ...step, at: page.at }] : [];
  history.replaceState({ ...remembered(), map: Boolean(state?.map) }, "");
}
addEventListener("popstate", (event) => {
  const left = current();
  if (isSame(event.state)) { // the map was closed or opened over it
    page.at = event.state.at;
    return;
  }
  if (Array.isArray(event.state?.trail)) ({ trail: page.trail, wish: page.wish, at: page.at } = event.state);
  else {
    const { step, wish } = fromHash();
    if (!step && location.hash && page.trail.length) { // a jump inside the page, such as the skip link
      history.replaceState(remembered(), "");
      return;
    }
    page.at += 1;
    page.wish = wish;
    page.trail = step ? [{ ...step, at: page.at }] : [];
    history.replaceState(remembered(), "");
  }
  showWish();
  show();
  if (left?.type === "image") document.querySelector(`.card[data-id="${CSS.escape(left.id)}"]`)?.focus();
});

const opensElsewhere = (event) => event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || event.button;
document.addEventListener("click", (event) => { // results, and moods to start from
  const link = event.target.closest?.("a[data-id], a[data-mood]");
  if (!link || opensElsewhere(event)) return;
  event.preventDefault();
  goTo(link.dataset.id ? { type: "image", id: link.dataset.id } : { type: "mood", name: link.dataset.mood }, Boolean(link.dataset.mood));
});
$("back").addEventListener("click", () => history.back());
$("home").addEventListener("click", (event) => {
  if (opensElsewhere(event)) return;
  event.preventDefault();
  if (!page.trail.length) return;
  page.at += 1;
  page.trail = [];
  page.wish = { ...USUAL, k: page.wish.k };
  write("pushState");
  showWish();
  show();
  scrollTo({ top: 0 });
});
for (const link of document.querySelectorAll(".skip, #to-about, #to-nearest")) {
  link.addEventListener("click", (event) => { // these jumps must not take the place of the picture's address
    event.preventDefault();
    const target = $(link.getAttribute("href").slice(1));
    if (target.id === "about") target.open = true;
    target.scrollIntoView({ behavior: calm() ? "auto" : "smooth" });
    (target.querySelector(":scope > summary, :scope > .nearest-head h2") ?? target).focus({ preventScroll: true });
  });
}
$("copy-link").addEventListener("click", async () => {
  const done = canBeShared(current()) && (await navigator.clipboard.writeText(location.href).then(() => true, () => false));
  $("copy-link").textContent = done ? "Link copied" : "Copy the address bar";
});
