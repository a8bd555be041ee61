// From a picture to its answer on the page.
import { mood } from "./colours.js";
import { $, calm, say } from "./dom.js";
import { dropWords, refuse } from "./drop.js";
import { showProblem } from "./problems.js";
import { onlyTheWinner, showPicture, showVerdict } from "./query.js";
import { showEmptyGallery, showResults, showWaiting } from "./results.js";
import { call, callJson, patiently, Problem, upload } from "./service.js";
import { ANSWERS_KEPT, CARDS_KEPT, current, hasGallery, keep, page, pictureOf, stepKey } from "./state.js";
import { drawTrail } from "./trail.js";
import { capital, felt, inWords, percent } from "./words.js";

async function ask(step, k, signal) {
  if (step.type === "image") {
    const body = await callJson(`images/${encodeURIComponent(step.id)}/neighbours?k=${k}`, { signal });
    if (body.picture) keep(page.cards, step.id, body.picture, CARDS_KEPT);
    return { query: null, results: body.results };
  }
  const { file } = page.uploads.get(step.key);
  if (!hasGallery()) {
    const body = await upload("classify", file, signal);
    return { query: body.query ?? body, results: null };
  }
  const body = await upload(`search?k=${k}`, file, signal);
  return { query: body.query, results: body.results };
}
// A neighbours answer says in short what its own picture evokes; have that picture classified for the wheel.
async function describe(step, answer, signal) {
  try {
    const picture = await (await call(pictureOf(step), { signal })).blob();
    const limit = page.info?.limits?.max_upload_bytes;
    if (limit && picture.size > limit) throw new Problem(413, {});
    const body = await patiently(() => upload("classify", picture, signal), signal, () => {});
    answer.query = body.query ?? body;
  } catch (problem) {
    if (problem.name === "AbortError") throw problem;
    answer.query = page.cards.get(step.id) ?? null;
  }
}

// What is on the page for a step once its answer is there, in full or in part.
function render(step, answer) {
  const { results } = answer;
  $("problem").hidden = true;
  if (results === null) showEmptyGallery("No gallery is loaded yet", "The emotions are above. To find pictures that feel alike, build an index first.");
  else if (results.length === 0) showEmptyGallery("No other pictures in the gallery", "There is nothing to compare this picture with. Add pictures and rebuild the index.");
  else showResults(results.slice(0, page.k));
}
function announce(answer) {
  const emotion = answer.query?.emotion;
  const n = Math.min(page.k, answer.results?.length ?? 0);
  const caution = answer.query?.unfamiliar ? `${$("unfamiliar").textContent} ` : "";
  say(`${emotion ? `Likely to evoke ${inWords(felt(answer.query))}, ${percent(answer.query.confidence)}. ` : ""}${caution}${answer.results ? `${n} nearest pictures shown.` : ""}`);
  if (emotion) document.title = `${capital(emotion)} – feelalike`;
}

export async function show({ focus = null } = {}) {
  const step = current();
  page.flight?.abort();
  page.flight = null;
  $("file-error").hidden = true;
  document.body.classList.toggle("has-query", Boolean(step));
  $("query").hidden = $("nearest").hidden = !step;
  dropWords(Boolean(step));
  if (!step) {
    $("trail").hidden = true;
    mood(null);
    document.title = "feelalike: pictures that feel alike";
    return;
  }
  if (step.type === "upload" && !page.uploads.has(step.key)) {
    document.body.classList.remove("has-query");
    $("query").hidden = $("nearest").hidden = $("trail").hidden = true;
    dropWords(false);
    mood(null);
    refuse("Your own picture is not kept, so it is gone after reloading. Choose it again to go on.");
    return;
  }
  const key = stepKey(step);
  const known = page.answers.get(key);
  const enough = known && (known.results === null || known.asked >= page.k || known.results.length < known.asked);
  $("query").classList.remove("failed");
  $("nearest").classList.remove("bare");
  drawTrail();
  showPicture(step);
  showVerdict(known?.query ?? page.cards.get(step.id) ?? null);
  if (focus === "verdict") {
    $("verdict").focus({ preventScroll: true });
    const target = $("trail").hidden ? $("query") : $("trail");
    const { top } = target.getBoundingClientRect();
    if (top < 0 || top > innerHeight * 0.4) target.scrollIntoView({ behavior: calm() ? "auto" : "smooth", block: "start" });
  }
  if (enough) render(step, known);
  else showWaiting();
  if (enough && known.query?.probabilities) {
    announce(known);
    document.dispatchEvent(new CustomEvent("answered", { detail: { step, answer: known } }));
    return;
  }
  const flight = (page.flight = new AbortController());
  const { signal } = flight;
  if (!enough) say("Searching…");
  try {
    let answer = known;
    if (!enough) {
      const k = page.k;
      await page.ready;
      answer = await patiently(() => ask(step, k, signal), signal, (problem, left) => {
        $("caveat").textContent = `${problem.message} Trying again in ${left}\u202fs.`;
        if ($("caveat").hidden) say(`${problem.title}. Waiting to try again.`);
        $("caveat").hidden = false;
      });
      answer.asked = k;
      answer.query ??= known?.query ?? null;
      keep(page.answers, key, answer, ANSWERS_KEPT);
      for (const result of answer.results ?? []) keep(page.cards, result.id, result, CARDS_KEPT);
      render(step, answer);
    }
    if (answer.query?.probabilities) {
      if (!known?.query?.probabilities) showVerdict(answer.query);
    } else {
      showPicture(step);
      showVerdict(page.cards.get(step.id) ?? null); // its card and the label set are known by now
      await describe(step, answer, signal);
      if (answer.query) showVerdict(answer.query);
      if (!answer.query) $("verdict").replaceChildren("Pictures near this one");
      if (!answer.query?.probabilities) onlyTheWinner();
    }
    drawTrail();
    announce(answer);
    document.dispatchEvent(new CustomEvent("answered", { detail: { step, answer } }));
  } catch (problem) {
    if (problem.name === "AbortError") return;
    if (!(problem instanceof Problem)) throw problem;
    $("grid").replaceChildren();
    $("grid").setAttribute("aria-busy", "false");
    if (!page.answers.get(key)?.query) {
      $("verdict").replaceChildren(problem.status === 404 ? "This picture is not in the gallery" : "This picture got no answer");
      if (step.type === "image" && problem.status === 404) $("frame").classList.add("gone");
      $("query").classList.add("failed");
      $("picture-links").hidden = true;
    }
    $("unfamiliar").hidden = $("caveat").hidden = true;
    $("nearest").classList.add("bare");
    const hopeless = [400, 404, 413, 415, 422].includes(problem.status);
    showProblem($("problem"), problem, hopeless ? null : () => show());
    say("");
  } finally {
    if (page.flight === flight) page.flight = null;
  }
}
