// The admin part: rebuild the index and watch it.
import { facts } from "./about.js";
import { $ } from "./dom.js";
import { loadInfo } from "./info.js";
import { showProblem } from "./problems.js";
import { call, callJson, pause, Problem } from "./service.js";
import { page } from "./state.js";
import { capital, isRecord, leaves, whole } from "./words.js";

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
    job.url = new URL(response.headers.get("location") ?? `admin/jobs/${body.id}`, document.baseURI).pathname;
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
