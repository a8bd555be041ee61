// The page: choose a picture, see the emotions it is likely to evoke and its nearest pictures. No dependencies.
"use strict";

// Runs while the head is being read, so that the remembered theme is there before the first paint.
const THEME_KEY = "feelalike-theme";
const remembered = () => { try { return localStorage.getItem(THEME_KEY); } catch { return null; } };
if (["light", "dark"].includes(remembered())) document.documentElement.dataset.theme = remembered();

// What stands beside an answer. A model that is even between n emotions gives each 1 / n; below a fifth of the way from
// there to certainty (30 % of eight, 23 % of thirty) no emotion stands out.
const unsureBelow = (n) => 1 / n + 0.2 * (1 - 1 / n);
// A model that names several emotions has a threshold for each; where none is reached it names the likeliest all the same.
const caveats = (query, n, thresholds = null) => ({
  unfamiliar: query?.unfamiliar === true,
  unsure: Boolean(query) && query.confidence < (query.emotions ? thresholds?.[query.emotion] ?? 0 : unsureBelow(n)),
});

const felt = (picture) => picture.emotions ?? [picture.emotion];
const NAMED = 3; // emotions that a sentence names
function inWords(names) {
  const shown = names.length > NAMED + 1 ? [...names.slice(0, NAMED), `${names.length - NAMED} more`] : names;
  return shown.length > 1 ? `${shown.slice(0, -1).join(", ")} and ${shown.at(-1)}` : shown[0];
}

document.addEventListener("DOMContentLoaded", () => {
  const COUNTS = [3, 12, 30];
  const USUAL_COUNT = 12;
  const MIKELS = 8; // emotions, where the label set is not known yet
  const MANY_EMOTIONS = 12; // more bars than this stand in two columns
  const SAME_BELOW = 0.0005; // what three decimals show as 0.000
  const BUSY_RETRIES = 4;
  const UPLOADS_KEPT = 24;
  const ANSWERS_KEPT = 60;
  const CARDS_KEPT = 2000;
  const TYPES = { "image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WebP" };
  const HUES = {
    amusement: 0, contentment: 1, awe: 2, excitement: 3, fear: 4, sadness: 5, disgust: 6, anger: 7,
    joy: 0, happiness: 0, surprise: 8, neutral: 9, love: 3, trust: 1, anticipation: 8,
  };
  const SPARE_HUES = [8, 11, 10, 9, 0, 1, 2, 3, 4, 5, 6, 7];

  const $ = (id) => document.getElementById(id);
  const page = {
    info: null,
    trail: [], // steps: {type: "upload", key, name} or {type: "image", id}; one per history entry since the first
    k: USUAL_COUNT,
    flight: null, // AbortController of the search under way
    uploads: new Map(), // key -> {file, url}
    answers: new Map(), // step key -> {asked, query, results}
    cards: new Map(), // id -> what a result said about that picture
  };

  // ---------------------------------------------------------------- small things
  function h(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value === null || value === undefined || value === false) continue;
      if (name === "class") element.className = value;
      else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (name.startsWith("--")) element.style.setProperty(name, value);
      else element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
    return element;
  }
  function s(tag, attributes = {}, ...children) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("--")) element.style.setProperty(name, value);
      else element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  }
  const percent = (p) => {
    const value = 100 * p;
    if (value > 0 && value < 0.1) return "< 0.1\u202f%";
    return `${value < 9.95 && value > 0 ? value.toFixed(1) : Math.round(value)}\u202f%`;
  };
  const whole = (n) => new Intl.NumberFormat("en").format(n);
  const bytes = (n) => (n >= 1e6 ? `${(n / 1e6).toFixed(n >= 1e7 ? 0 : 1)} MB` : `${Math.max(1, Math.round(n / 1e3))} kB`);
  const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
  const sentence = (text) => `${capital(text)}${/[.!?…]$/.test(text) ? "" : "."}`;
  const say = (text) => { $("status").textContent = text; };
  const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
  const emotions = () => page.info?.model?.taxonomy?.emotions ?? [];
  const labelOf = (picture) => picture?.label?.split("|").join(" or ");
  const sideOf = (name) => emotions().find((emotion) => emotion.name === name)?.polarity ?? null;

  // Each emotion of the label set has its own colour while there are twelve or fewer: its usual one, or a spare.
  let colours = { of: null, by: new Map() };
  function pickColours(names) {
    const by = new Map();
    for (const name of names) if (name in HUES && ![...by.values()].includes(HUES[name])) by.set(name, HUES[name]);
    const free = SPARE_HUES.filter((number) => ![...by.values()].includes(number));
    names.filter((name) => !by.has(name)).forEach((name, i) => by.set(name, free[i] ?? SPARE_HUES[(i - free.length) % SPARE_HUES.length]));
    return by;
  }
  function hue(name) {
    if (colours.of !== page.info) colours = { of: page.info, by: pickColours(emotions().map((emotion) => emotion.name)) };
    return `var(--emo-${colours.by.get(name) ?? HUES[name] ?? 9})`;
  }
  const mood = (name) => { // the page's tint follows the picture
    const root = document.documentElement.style;
    root.setProperty("--mood", name ? hue(name) : "var(--emo-3)");
    root.setProperty("--mood-2", name ? hue(name) : "var(--emo-0)");
  };
  function keep(map, key, value, most) {
    map.delete(key);
    map.set(key, value);
    while (map.size > most) map.delete(map.keys().next().value);
  }

  // ---------------------------------------------------------------- the service
  class Problem extends Error {
    constructor(status, body, headers) {
      super(sentence(body.detail || body.title || `The service answered ${status}`));
      this.status = status;
      this.title = body.title || (status ? `Error ${status}` : "No answer");
      this.code = body.code;
      this.jobId = body.job_id;
      this.requestId = body.request_id || headers?.get("x-request-id");
      const after = headers?.get("retry-after");
      const seconds = Number(after);
      this.retryAfter = after ? (Number.isFinite(seconds) ? seconds : (Date.parse(after) - Date.now()) / 1000) : null;
    }
  }
  async function call(path, options = {}) {
    let response;
    try {
      response = await fetch(path, { credentials: "same-origin", ...options });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Problem(0, { title: "The service cannot be reached", detail: "Check that it is running and that you are online, then try again." });
    }
    if (response.ok) return response;
    const body = await response.json().catch(() => ({}));
    throw new Problem(response.status, body && typeof body === "object" ? body : {}, response.headers);
  }
  const callJson = async (path, options) => (await call(path, options)).json();
  const pause = (ms, signal) => new Promise((resolve, reject) => {
    const stop = () => { clearTimeout(timer); reject(new DOMException("stopped", "AbortError")); };
    const timer = setTimeout(() => { signal?.removeEventListener("abort", stop); resolve(); }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });

  // Asks again after Retry-After while the service is busy, and counts the seconds down.
  async function patiently(ask, signal, onWait) {
    for (let tries = 0; ; tries += 1) {
      try {
        return await ask();
      } catch (problem) {
        if (problem.status !== 503 || tries >= BUSY_RETRIES) throw problem;
        for (let left = Math.min(60, Math.max(1, Math.ceil(problem.retryAfter ?? 2))); left > 0; left -= 1) {
          onWait(problem, left);
          await pause(1000, signal);
        }
      }
    }
  }
  function upload(path, file, signal) {
    const form = new FormData();
    form.append("file", file, file.name || "picture");
    return callJson(path, { method: "POST", body: form, signal });
  }

  // ---------------------------------------------------------------- wheel and bars
  const AXES = [0.1, 0.2, 0.4, 0.6, 0.8, 1];
  function drawWheel(names, probabilities, kind) {
    const radius = 117, core = 16, step = 360 / names.length;
    const top = probabilities ? names.reduce((a, b) => ((probabilities[b] ?? 0) > (probabilities[a] ?? 0) ? b : a)) : null;
    const axis = top === null ? 1 : AXES.find((limit) => (probabilities[top] ?? 0) <= limit) ?? 1;
    const at = (degrees, r) => {
      const angle = (degrees * Math.PI) / 180;
      return [(r * Math.sin(angle)).toFixed(2), (-r * Math.cos(angle)).toFixed(2)];
    };
    const arc = (from, to, r) => `M${at(from, r)}A${r} ${r} 0 0 1 ${at(to, r)}`;
    const sectors = s("g", { class: "sectors" }), rims = s("g"), petals = s("g"), labels = s("g");
    names.forEach((name, i) => {
      const [from, to, middle] = [i * step, (i + 1) * step, (i + 0.5) * step];
      const side = sideOf(name) ?? "neither";
      sectors.append(s("path", { class: side, d: `${arc(from, to, radius)}L0 0Z`, "stroke-width": 0.6 }));
      rims.append(s("path", { class: `rim ${side}`, d: arc(from, to, radius + 3) }));
      const p = probabilities ? probabilities[name] ?? 0 : { rest: [0.84, 0.72, 0.9, 0.78][i % 4], waiting: 0.55 }[kind];
      const long = core + Math.max(1.5, ((radius - core) * p) / axis), body = long - core, wide = Math.min(0.3 * long, 0.55 * body + 5) * Math.min(1, 8 / names.length);
      const d = `M0 ${-core + 4}C${-wide} ${-(core + 0.4 * body)} ${-wide} ${-(core + 0.97 * body)} 0 ${-long}C${wide} ${-(core + 0.97 * body)} ${wide} ${-(core + 0.4 * body)} 0 ${-core + 4}Z`;
      petals.append(s("g", { transform: `rotate(${middle})` },
        s("path", { class: name === top ? "petal top" : "petal", d, "--tint": hue(name), "--i": i })));
      const [x, y] = at(middle, radius + 15).map(Number);
      const anchor = Math.abs(x) < 12 ? "middle" : x > 0 ? "start" : "end";
      const up = y < -radius * 0.75 ? -12 : y > radius * 0.75 ? 9 : 0;
      labels.append(s("text", { x, y: y + up + (probabilities ? -1 : 5), "text-anchor": anchor, class: name === top ? "name top" : "name" }, name));
      if (probabilities) labels.append(s("text", { x, y: y + up + 15, "text-anchor": anchor, class: "pct" }, percent(p)));
    });
    const rings = s("g");
    if (probabilities) {
      for (const part of [0.5, 1]) {
        const r = core + (radius - core) * part;
        rings.append(s("circle", { class: "ring", r }));
        rings.append(s("text", { class: "scale", y: -r + (part === 1 ? 12 : 4) }, `${+(100 * axis * part).toFixed(1)}\u202f%`));
      }
    }
    const svg = s("svg", { class: kind === "waiting" && !probabilities ? "wheel waiting" : "wheel", viewBox: "-205 -154 410 308" });
    if (probabilities) {
      svg.setAttribute("role", "img");
      svg.setAttribute("aria-label", `Emotion wheel; the longest petal is ${top}, ${percent(probabilities[top] ?? 0)}. The list gives every number.`);
    } else svg.setAttribute("aria-hidden", "true");
    svg.append(sectors, rims, petals, s("circle", { class: "hub", r: core - 3 }), rings, labels);
    return svg;
  }
  function drawBars(probabilities) {
    const ranked = Object.entries(probabilities).sort((a, b) => b[1] - a[1]);
    return ranked.map(([name, p], i) => h("li", { class: i === 0 ? "bar top" : "bar", "--tint": hue(name), title: sideOf(name) },
      h("span", { class: "name" }, h("span", { class: "dot", "aria-hidden": "true" }), name),
      h("span", { class: "track", "aria-hidden": "true" }, h("span", { class: "fill", "--p": Math.min(1, p) })),
      h("span", { class: "num" }, percent(p))));
  }
  function drawSides(sides) {
    if (!sides || !("positive" in sides && "negative" in sides)) return [];
    return [
      h("div", { class: "split", "aria-hidden": "true" }, h("span", { class: "negative", "--p": sides.negative }), h("span", { class: "positive", "--p": sides.positive })),
      h("div", { class: "ends" }, h("span", {}, `negative ${percent(sides.negative)}`), h("span", {}, `positive ${percent(sides.positive)}`)),
    ];
  }

  // ---------------------------------------------------------------- the picture asked about
  const stepKey = (step) => (step.type === "upload" ? step.key : `image:${step.id}`);
  const pictureOf = (step) => (step.type === "upload" ? page.uploads.get(step.key)?.url : `images/${encodeURIComponent(step.id)}`);
  const thumbOf = (step) => (step.type === "upload" ? page.uploads.get(step.key)?.url : `images/${encodeURIComponent(step.id)}/thumbnail`);
  const current = () => page.trail.at(-1) ?? null;

  function showPicture(step) {
    const frame = $("frame"), image = $("preview");
    frame.classList.remove("gone");
    image.onerror = () => frame.classList.add("gone");
    if (image.getAttribute("src") !== pictureOf(step)) image.src = pictureOf(step);
    image.alt = step.type === "upload" ? "Your picture" : "The picture from the gallery";
    const card = page.cards.get(step.id);
    $("caption").textContent = step.type === "upload" ? step.name : `From the gallery${card?.label ? `, labelled ${labelOf(card)}` : ""}`;
    $("picture-links").hidden = step.type === "upload";
    $("copy-link").hidden = !navigator.clipboard;
    $("copy-link").textContent = "Copy link";
    if (step.type === "image") $("open-picture").href = pictureOf(step);
  }

  // `query` may hold all probabilities (an answer) or only the winner (what a result's card says).
  function showVerdict(query) {
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
  function onlyTheWinner() { // nothing more is known about this picture than its card says
    $("wheel-box").hidden = true;
    $("query").classList.add("plain");
    $("bars").replaceChildren(h("li", { class: "dim" }, "Only the likeliest emotion is known for this picture right now."));
    $("bars").setAttribute("aria-busy", "false");
  }

  // ---------------------------------------------------------------- nearest pictures
  function drawCard(result) {
    const tint = hue(result.emotion);
    const thumb = h("div", { class: "thumb" }, h("img", {
      src: result.thumbnail_url, loading: "lazy", decoding: "async", width: 320, height: 240, alt: "", draggable: "false",
      onerror: () => thumb.classList.add("gone"),
    }), h("span", { class: "rank", "aria-hidden": "true" }, String(result.rank)));
    const same = result.distance < SAME_BELOW;
    const name = `Rank ${result.rank}, distance ${result.distance.toFixed(3)}, likely to evoke ${inWords(felt(result))}${result.label ? `, labelled ${labelOf(result)}` : ""}. Search from this picture.`;
    const link = h("a", { class: "card", href: hashOf(result.id), "aria-label": name, "data-id": result.id, "--tint": tint, onclick: (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || event.button) return;
      event.preventDefault();
      goTo({ type: "image", id: result.id });
    } }, thumb, h("div", { class: "meta" },
      h("div", { class: "line" },
        h("span", { class: "feels" }, felt(result).slice(0, NAMED).map((name) => h("span", { class: "feel", "--tint": hue(name) }, h("span", { class: "dot", "aria-hidden": "true" }), name))),
        h("span", { class: "dist", title: "Euclidean distance" }, result.distance.toFixed(3))),
      h("div", { class: "line sub" }, h("span", {}, percent(result.confidence)), result.label ? h("span", {}, `label: ${labelOf(result)}`) : null, same ? h("span", {}, "the same") : null)));
    return h("li", {}, link);
  }
  function showResults(results) {
    const grid = $("grid");
    grid.setAttribute("aria-busy", "false");
    grid.dataset.count = page.k;
    grid.replaceChildren(...results.map(drawCard));
    const tally = new Map();
    for (const name of results.flatMap(felt)) tally.set(name, (tally.get(name) ?? 0) + 1);
    const ranked = [...tally].sort((a, b) => b[1] - a[1]);
    $("summary").replaceChildren(...ranked.map(([name, n]) => h("span", { "--tint": hue(name) }, h("span", { class: "dot", "aria-hidden": "true" }), `${n} ${name}`)));
    $("distance-note").hidden = results.length === 0;
  }
  function showWaiting() {
    $("problem").hidden = true;
    $("grid").setAttribute("aria-busy", "true");
    $("grid").dataset.count = page.k;
    $("summary").replaceChildren();
    $("distance-note").hidden = true;
    const bone = () => h("li", { "aria-hidden": "true" }, h("div", { class: "card" }, h("div", { class: "thumb bone" }), h("div", { class: "meta" }, h("div", { class: "bone line1" }), h("div", { class: "bone line2" }))));
    $("grid").replaceChildren(...Array.from({ length: page.k }, bone));
  }
  function showProblem(box, problem, retry, options = {}) {
    const ids = [problem.code, problem.requestId && `request ${problem.requestId}`].filter(Boolean).join(" · ");
    box.classList.toggle("calm", Boolean(options.calm));
    box.replaceChildren(
      h("h3", {}, problem.title), problem.message && problem.message !== problem.title ? h("p", {}, problem.message) : "",
      ids ? h("p", { class: "ids" }, ids) : "",
      retry ? h("button", { type: "button", class: "button soft", onclick: retry }, options.label ?? "Try again") : "");
    box.hidden = false;
  }
  function showEmptyGallery(title, text) {
    $("nearest").classList.add("bare");
    $("grid").replaceChildren();
    $("grid").setAttribute("aria-busy", "false");
    $("summary").replaceChildren();
    $("distance-note").hidden = true;
    showProblem($("problem"), { title, message: text }, null, { calm: true });
  }

  // ---------------------------------------------------------------- from a step to its answer
  const hashOf = (id) => `#image=${encodeURIComponent(id)}${page.k === USUAL_COUNT ? "" : `&k=${page.k}`}`;
  function fromHash() {
    const hash = new URLSearchParams(location.hash.slice(1));
    const k = Number(hash.get("k"));
    if (COUNTS.includes(k)) page.k = k;
    return hash.get("image") ? { type: "image", id: hash.get("image") } : null;
  }
  const hasGallery = () => page.info === null || (page.info.index?.count ?? 0) > 0;

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

  async function show({ focus = null } = {}) {
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

  // ---------------------------------------------------------------- the trail and the address
  const urlOf = (step) => `${location.pathname}${location.search}${step?.type === "image" ? hashOf(step.id) : ""}`;
  function goTo(step, fresh = false) {
    page.trail = fresh ? [step] : [...page.trail, step];
    history.pushState({ trail: page.trail }, "", urlOf(step));
    show({ focus: "verdict" });
  }
  function drawTrail() {
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
  addEventListener("popstate", (event) => {
    const left = current();
    const step = fromHash();
    showCounts();
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
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
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

  function showCounts() {
    const most = page.info?.limits?.max_k ?? 100;
    const options = h("div", { class: "options" }, ...COUNTS.filter((k) => k <= most).map((k) => {
      const input = h("input", { type: "radio", name: "k", value: k, class: "vh", onchange: () => {
        page.k = k;
        history.replaceState(history.state, "", urlOf(current()));
        show();
      } });
      input.checked = k === page.k;
      return h("label", {}, input, String(k));
    }));
    $("count").replaceChildren($("count").querySelector("legend"), options);
  }

  // ---------------------------------------------------------------- ways in: choose, drop, paste, photograph
  function dropWords(slim) {
    $("drop-title").textContent = slim ? "Another picture? Drop or paste it anywhere." : matchMedia("(pointer: coarse)").matches ? "Which picture?" : "Drop a picture here";
    const limit = page.info?.limits?.max_upload_bytes;
    $("drop-hint").textContent = `${matchMedia("(pointer: coarse)").matches ? "" : "or paste one. "}JPEG, PNG or WebP${limit ? `, up to ${bytes(limit)}` : ""}.`;
  }
  function refuse(text) {
    $("file-error").textContent = text;
    $("file-error").hidden = false;
  }
  async function typeOf(file) { // by the first bytes: names and declared types are often wrong
    const head = new Uint8Array(await file.slice(0, 16).arrayBuffer());
    const text = String.fromCharCode(...head);
    if (head[0] === 0xff && head[1] === 0xd8 && head[2] === 0xff) return "image/jpeg";
    if (text.startsWith("\x89PNG\r\n\x1a\n")) return "image/png";
    if (text.startsWith("RIFF") && text.slice(8, 12) === "WEBP") return "image/webp";
    if (text.startsWith("GIF8")) return "GIF";
    if (text.slice(4, 8) === "ftyp") return /^(heic|heix|mif1|msf1|hevc)/.test(text.slice(8)) ? "HEIC" : text.slice(8, 12) === "avif" ? "AVIF" : "video";
    if (text.startsWith("%PDF")) return "PDF";
    return null;
  }
  async function take(files) {
    const file = [...files][0];
    if (!file) return;
    const name = file.name || "Pasted picture";
    let type;
    try {
      type = await typeOf(file);
    } catch {
      return refuse(`“${name}” could not be read. Is it a file, and still there?`);
    }
    const limit = page.info?.limits?.max_upload_bytes;
    if (file.size === 0) return refuse(`“${name}” is empty.`);
    if (!(type in TYPES)) {
      return refuse(type ? `“${name}” is a ${type} file. Save it as JPEG, PNG or WebP and try again.` : `“${name}” does not look like a picture. JPEG, PNG and WebP can be read.`);
    }
    if (limit && file.size > limit) return refuse(`“${name}” has ${bytes(file.size)}; at most ${bytes(limit)} can be taken. A smaller copy will do.`);
    const key = `upload:${Date.now()}:${Math.random().toString(36).slice(2)}`;
    page.uploads.set(key, { file: new File([file], name, { type }), url: URL.createObjectURL(file) });
    for (const [old, { url }] of [...page.uploads].slice(0, -UPLOADS_KEPT)) {
      URL.revokeObjectURL(url);
      page.uploads.delete(old);
    }
    return goTo({ type: "upload", key, name }, true);
  }
  for (const id of ["file", "camera"]) {
    $(id).addEventListener("change", async (event) => {
      await take(event.target.files);
      event.target.value = ""; // so that the same file can be chosen again
    });
  }
  addEventListener("paste", (event) => {
    if (event.target.closest?.("input, textarea")) return;
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length) { event.preventDefault(); take(files); }
    else refuse("There is no picture on the clipboard. Copy the picture itself, not its address.");
  });
  let inside = 0;
  const over = (on) => { $("veil").hidden = !on; $("drop").classList.toggle("over", on); };
  const holdsFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  addEventListener("dragenter", (event) => { if (holdsFiles(event)) { inside += 1; over(true); } });
  addEventListener("dragleave", (event) => { if (holdsFiles(event) && (inside -= 1) <= 0) { inside = 0; over(false); } });
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    inside = 0;
    over(false);
    const files = event.dataTransfer?.files ?? [];
    if (files.length) take(files);
    else refuse("That was not a file. Save the picture first, or copy it and paste it here.");
  });

  // ---------------------------------------------------------------- facts
  const isRecord = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
  const number = (value) => (Number.isInteger(value) ? whole(value) : Math.abs(value) < 1e-3 ? value.toExponential(1) : value.toFixed(Math.abs(value) < 10 ? 3 : 1));
  function facts(pairs) {
    const rows = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
    return h("dl", { class: "facts" }, ...rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, typeof value === "number" ? number(value) : String(value))]));
  }
  // Numbers at any depth: the last key names the row, the path before it the column.
  function leaves(value, path = []) {
    if (isRecord(value)) return Object.entries(value).flatMap(([key, inner]) => leaves(inner, [...path, key]));
    return ["number", "string", "boolean"].includes(typeof value) ? [{ group: path.slice(0, -1).join(" › "), key: path.at(-1), value }] : [];
  }
  function metricsTable(metrics) {
    const all = leaves(metrics);
    const numbers = all.filter((leaf) => typeof leaf.value === "number");
    const groups = [...new Set(numbers.map((leaf) => leaf.group))];
    const keys = [...new Set(numbers.map((leaf) => leaf.key))];
    const found = new Map(numbers.map((leaf) => [`${leaf.group}\n${leaf.key}`, leaf.value]));
    const flip = groups.length > keys.length; // the longer side goes down
    const [rows, columns] = flip ? [groups, keys] : [keys, groups];
    const cell = (row, column) => found.get(flip ? `${row}\n${column}` : `${column}\n${row}`);
    const table = h("table", {},
      columns.length > 1 || columns[0] ? h("thead", {}, h("tr", {}, h("td", {}), ...columns.map((column) => h("th", { scope: "col" }, column || "overall")))) : null,
      h("tbody", {}, ...rows.map((row) => h("tr", {}, h("th", { scope: "row" }, row || "overall"), ...columns.map((column) => h("td", {}, cell(row, column) === undefined ? "" : number(cell(row, column))))))));
    const words = all.filter((leaf) => typeof leaf.value !== "number");
    return [
      numbers.length ? h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Measured quality" }, table) : h("p", { class: "dim" }, "Nothing has been measured for this model."),
      words.length ? facts(words.map((leaf) => [[leaf.group, leaf.key].filter(Boolean).join(" › "), leaf.value])) : null,
    ];
  }
  const when = (text) => { const date = new Date(text); return text && !Number.isNaN(+date) ? date.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" }) : text; };
  function showAbout() {
    const { info } = page, { model, index } = info;
    const data = model.training_data;
    $("about-short").textContent = `${model.name}${index ? `, ${whole(index.count)} pictures` : ", no gallery"}`;
    $("about-body").replaceChildren(h("div", { class: "about-grid" },
      h("div", {}, h("h3", {}, "Model"), facts([
        ["name", model.name], ["id", model.model_id], ["emotions", `${model.taxonomy.emotions.length} (${model.taxonomy.name})`], ["backbone", model.backbone],
        ["numbers a picture", model.embedding_dim], ["runtime", [model.runtime, model.precision, model.device].filter(Boolean).join(", ")], ["service", [info.name, info.version].filter(Boolean).join(" ")],
      ])),
      h("div", {}, h("h3", {}, "Gallery"), index ? facts([
        ["pictures", index.count], ["index", [index.kind, index.device].filter(Boolean).join(", ")], ["metric", index.metric], ["recall", index.recall], ["version", index.version], ["built", when(index.created)],
      ]) : h("p", { class: "dim" }, "No index is loaded. Emotions can be told, nearest pictures cannot."),
      ...(data ? [h("h3", {}, "Training data"), isRecord(data) ? facts(leaves(data).map((leaf) => [[leaf.group, leaf.key].filter(Boolean).join(" › "), leaf.value])) : h("p", {}, String(data))] : [])),
      h("div", {}, h("h3", {}, "Measured quality"), ...metricsTable(model.metrics ?? {})),
      model.terms ? h("div", { class: "wide" }, h("h3", {}, "Terms"), h("p", { class: "terms" }, model.terms)) : null));
  }
  async function loadInfo() {
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
    showCounts();
    showAbout();
    dropWords(document.body.classList.contains("has-query"));
  }

  // ---------------------------------------------------------------- admin
  const TOKEN_KEY = "feelalike-token";
  const job = { url: null, watching: false };
  const bearer = () => ({ headers: { Authorization: `Bearer ${$("token").value.trim()}` } });
  try { $("token").value = sessionStorage.getItem(TOKEN_KEY) ?? ""; } catch { /* no storage: ask each time */ }
  const rememberToken = (value) => { try { if (value) sessionStorage.setItem(TOKEN_KEY, value); else sessionStorage.removeItem(TOKEN_KEY); } catch { /* as above */ } };
  const ENDED = { succeeded: "Done: the index is rebuilt and in use.", failed: "The rebuild failed; the old index stays in use.", cancelled: "Cancelled; the old index stays in use." };
  const STAGES = { scan: "Looking through the folders", embed: "Reading new pictures", build: "Building the index", publish: "Putting it in use" };
  function showJob(state) {
    const { stage, done, total } = state.progress ?? {};
    const bar = $("job-bar");
    $("job").hidden = false;
    $("job-text").textContent = ENDED[state.state] ?? `${STAGES[stage] ?? capital(stage || state.state)}${total ? `: ${whole(done ?? 0)} of ${whole(total)}` : "…"}`;
    bar.hidden = state.state in ENDED;
    if (total) { bar.max = total; bar.value = done ?? 0; } else bar.removeAttribute("value");
    const counts = isRecord(state.counts) ? leaves(state.counts).map((leaf) => [leaf.key.replaceAll("_", " "), leaf.value]) : [];
    $("job-counts").replaceChildren(...facts(counts).children);
  }
  async function watchJob() {
    job.watching = true;
    $("rebuild").disabled = true;
    $("cancel-job").hidden = false;
    try {
      let misses = 0;
      for (;;) {
        let state;
        try {
          state = await callJson(job.url, { ...bearer(), cache: "no-store" });
          misses = 0;
        } catch (problem) { // the work goes on in its own process; a lost answer is no reason to stop watching
          if (![0, 502, 503].includes(problem.status) || (misses += 1) > 20) throw problem;
          await pause(2000);
          continue;
        }
        showJob(state);
        if (state.state in ENDED) {
          if (state.error) showProblem($("admin-error"), isRecord(state.error) ? { title: state.error.title ?? "Why it failed", message: state.error.detail ?? state.error.message, code: state.error.code } : { title: "Why it failed", message: String(state.error) }, null);
          if (state.state === "succeeded") {
            page.answers.clear();
            page.ready = loadInfo();
          }
          return;
        }
        await pause(700);
      }
    } finally {
      job.watching = false;
      $("rebuild").disabled = false;
      $("cancel-job").hidden = true;
    }
  }
  const adminProblem = (problem) => {
    if (!(problem instanceof Problem)) throw problem;
    if (problem.status === 401) rememberToken(null);
    showProblem($("admin-error"), problem, null);
  };
  $("admin-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    if (job.watching) return;
    $("admin-error").hidden = $("job").hidden = true;
    $("rebuild").disabled = true;
    try {
      const response = await call("admin/index/rebuild", { method: "POST", ...bearer() });
      rememberToken($("token").value.trim());
      const body = await response.json().catch(() => ({}));
      job.url = new URL(response.headers.get("location") ?? `admin/jobs/${body.id}`, location.href).pathname;
      showJob({ state: "queued", ...body });
      await watchJob();
    } catch (problem) {
      adminProblem(problem);
      if (problem.jobId) { // one runs already: show that one
        job.url = `admin/jobs/${encodeURIComponent(problem.jobId)}`;
        await watchJob().catch(adminProblem);
      }
    } finally {
      $("rebuild").disabled = false;
    }
  });
  $("cancel-job").addEventListener("click", () => { call(job.url, { method: "DELETE", ...bearer() }).catch(adminProblem); });

  // ---------------------------------------------------------------- theme
  const THEMES = ["auto", "light", "dark"];
  function showTheme() {
    const theme = document.documentElement.dataset.theme ?? "auto";
    $("theme-text").textContent = capital(theme);
    $("theme-icon").textContent = { auto: "◐", light: "○", dark: "●" }[theme];
    $("theme").setAttribute("aria-label", `Theme: ${theme}. Change it.`);
  }
  $("theme").addEventListener("click", () => {
    const theme = THEMES[(THEMES.indexOf(document.documentElement.dataset.theme ?? "auto") + 1) % THEMES.length];
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    try { localStorage.setItem(THEME_KEY, theme); } catch { /* not remembered, still changed */ }
    showTheme();
  });

  // ---------------------------------------------------------------- start
  showTheme();
  const first = fromHash();
  showCounts();
  page.trail = Array.isArray(history.state?.trail) && history.state.trail.length ? history.state.trail : first ? [first] : [];
  history.replaceState({ trail: page.trail }, "");
  page.ready = loadInfo();
  show();
});
