// From a picture or a mood to its answer on the page.
import { mood } from "./colours.js";
import { $, calm, say } from "./dom.js";
import { dropWords, refuse } from "./drop.js";
import { offerLabels } from "./filters.js";
import { onlyTheWinner, showMood, showPicture, showVerdict } from "./query.js";
import { showNone, showResults, showWaiting } from "./results.js";
import { callJson, patiently, Problem, upload } from "./service.js";
import { ANSWERS_KEPT, CARDS_KEPT, current, hasGallery, keep, page, stepKey } from "./state.js";
import { drawTrail } from "./trail.js";
import { capital, felt, inWords, percent } from "./words.js";
import { filtersInWords, toParams, withoutFilters } from "./wish.js";

const answerKey = (step) => `${stepKey(step)}?${toParams({ ...page.wish, k: 0 })}`;

async function ask(step, wish, signal) {
  const params = toParams(wish, { always: true, blend: step.type !== "mood" });
  if (step.type === "mood") {
    params.set("mood", step.name);
    return (await callJson(`search?${params}`, { signal })).results;
  }
  if (step.type === "image") {
    const body = await callJson(`images/${encodeURIComponent(step.id)}/neighbours?${params}`, { signal });
    if (body.picture) keep(page.cards, step.id, body.picture, CARDS_KEPT);
    return body.results;
  }
  const { file } = page.uploads.get(step.key);
  const body = await upload(hasGallery() ? `search?${params}` : "classify", file, signal);
  keep(page.queries, stepKey(step), body.query ?? body, ANSWERS_KEPT);
  return body.results ?? null;
}
// All probabilities and sizes of what is about to be shown; without them the page still works, it only shows less.
async function askDetails(ids, signal) {
  const missing = ids.filter((id) => !page.details.has(id));
  if (!missing.length) return;
  try {
    const params = new URLSearchParams(missing.map((id) => ["id", id]));
    for (const one of (await callJson(`images/details?${params}`, { signal })).pictures) keep(page.details, one.id, one, CARDS_KEPT);
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
  }
}
export const queryOf = (step) => page.queries.get(stepKey(step)) ?? page.details.get(step.id) ?? page.cards.get(step.id) ?? null;

function showQuery(step) {
  showPicture(step);
  if (step.type === "mood") showMood(step.name);
  else showVerdict(queryOf(step));
}
// What is on the page for a step once its answer is there.
function render(step, { results }) {
  const { wish } = page;
  $("problem").hidden = true;
  $("nearest").classList.toggle("bare", results === null);
  if (results === null) showNone({ title: "No gallery is loaded yet", message: "The emotions are above. To find pictures that feel alike, build an index first." });
  else if (results.length) showResults(results.slice(0, wish.k));
  else if (filtersInWords(wish).length) {
    showNone({ title: "No picture passes these filters", message: `Asked for: ${filtersInWords(wish).join(", ")}. Take one of them back, or all.` },
      { retry: () => document.dispatchEvent(new CustomEvent("wish", { detail: withoutFilters(wish) })), label: "Clear the filters", wishHelps: true });
  } else showNone({ title: "No other pictures in the gallery", message: "There is nothing to compare this picture with. Add pictures and rebuild the index." });
}
function announce(step, answer) {
  const query = queryOf(step);
  const n = Math.min(page.wish.k, answer.results?.length ?? 0);
  const caution = query?.unfamiliar ? `${$("unfamiliar").textContent} ` : "";
  const told = step.type === "mood" ? `Pictures most typical of ${step.name}. ` : query ? `Likely to evoke ${inWords(felt(query))}, ${percent(query.confidence)}. ` : "";
  say(`${told}${caution}${answer.results ? `${n || "No"} nearest picture${n === 1 ? "" : "s"} shown.` : ""}`);
  const name = step.type === "mood" ? step.name : query?.emotion;
  if (name) document.title = `${capital(name)} – feelalike`;
  document.dispatchEvent(new CustomEvent("answered", { detail: { step, query, results: answer.results?.slice(0, page.wish.k) ?? [] } }));
}
function showHome() {
  document.body.classList.remove("has-query");
  $("query").hidden = $("nearest").hidden = $("trail").hidden = true;
  dropWords(false);
  mood(null);
  document.title = "feelalike: pictures that feel alike";
}
function showFailure(step, problem, known) {
  if (!known && step.type !== "mood") {
    $("verdict").replaceChildren(problem.status === 404 ? "This picture is not in the gallery" : "This picture got no answer");
    if (step.type === "image" && problem.status === 404) $("frame").classList.add("gone");
    $("query").classList.add("failed");
    $("picture-links").hidden = $("unshared").hidden = true;
  }
  $("unfamiliar").hidden = $("caveat").hidden = true;
  const wishHelps = problem.status === 422 && Boolean(filtersInWords(page.wish).length || page.wish.mood);
  const hopeless = [400, 404, 413, 415, 422].includes(problem.status);
  if (problem.code === "unknown_image") problem.message += " It may have been deleted, or the link is to another gallery.";
  if (problem.status === 401) showNone(problem, { retry: () => location.reload(), label: "Reload and sign in", calm: false });
  else showNone(problem, { retry: hopeless ? null : () => show(), calm: false, wishHelps });
  say("");
}
function bringIntoView() {
  $("verdict").focus({ preventScroll: true });
  const target = $("trail").hidden ? $("query") : $("trail");
  const { top } = target.getBoundingClientRect();
  if (top < 0 || top > innerHeight * 0.4) target.scrollIntoView({ behavior: calm() ? "auto" : "smooth", block: "start" });
}
function waitInWords(problem, left) {
  const text = `${problem.message} Trying again in ${left}\u202fs.`;
  if ($("caveat").hidden || !$("caveat").classList.contains("waiting")) say(`${problem.title}. Waiting to try again.`);
  $("caveat").textContent = text;
  $("caveat").classList.add("waiting");
  $("caveat").hidden = false;
}
const isEnough = (answer) => answer !== undefined && (answer.results === null || answer.asked >= page.wish.k || answer.results.length < answer.asked);

async function answerFor(step, signal) {
  const { wish } = page;
  await page.ready;
  const results = await patiently(() => ask(step, wish, signal), signal, waitInWords);
  if (step.type === "upload") showVerdict(queryOf(step)); // it is there already; sizes come with the next answer
  await askDetails([...(step.type === "image" ? [step.id] : []), ...(results ?? []).map((result) => result.id)], signal);
  for (const result of results ?? []) keep(page.cards, result.id, result, CARDS_KEPT);
  return { asked: wish.k, results };
}

export async function show({ focus = null } = {}) {
  const step = current();
  page.flight?.abort();
  page.flight = null;
  $("file-error").hidden = true;
  if (!step) return showHome();
  if (step.type === "upload" && !page.uploads.has(step.key)) {
    showHome();
    return refuse("Your own picture is not kept, so it is gone after reloading. Choose it again to go on.");
  }
  document.body.classList.add("has-query");
  $("query").hidden = $("nearest").hidden = false;
  dropWords(true);
  const key = answerKey(step);
  const known = page.answers.get(key);
  $("query").classList.remove("failed");
  $("nearest").classList.remove("bare");
  $("caveat").classList.remove("waiting");
  drawTrail();
  showQuery(step);
  if (focus === "verdict") bringIntoView();
  if (isEnough(known)) {
    render(step, known);
    return announce(step, known);
  }
  showWaiting();
  say("Searching…");
  const flight = (page.flight = new AbortController());
  try {
    const answer = await answerFor(step, flight.signal);
    keep(page.answers, key, answer, ANSWERS_KEPT);
    $("caveat").classList.remove("waiting");
    showQuery(step);
    if (step.type === "image" && !queryOf(step)?.probabilities) onlyTheWinner();
    render(step, answer);
    offerLabels();
    drawTrail();
    announce(step, answer);
  } catch (problem) {
    if (problem.name === "AbortError") return undefined;
    if (!(problem instanceof Problem)) throw problem;
    showFailure(step, problem, queryOf(step));
  } finally {
    if (page.flight === flight) page.flight = null;
  }
  return undefined;
}
