// The index: rebuild it and watch, cancel that, go back to the version before.
import { adminProblem, askAsAdmin, forgetProblem, galleryChanged } from "./admin_session.js";
import { ask } from "./ask.js";
import { facts } from "./about.js";
import { $ } from "./dom.js";
import { showProblem } from "./problems.js";
import { pause } from "./service.js";
import { capital, when, whole } from "./words.js";

const POLL_MS = 700;
const MOST_MISSES = 20;
const ENDED = { succeeded: "Done: the new index is in use.", failed: "It failed; the old index stays in use.", cancelled: "Cancelled; the old index stays in use. What was read already is kept for the next time." };
const STAGES = { scan: "Looking through the folders", embed: "Reading new pictures", map: "Drawing the map", build: "Building the index", publish: "Putting it in use" };
let watched = null; // the job's address

function showJob(job) {
  const { stage, done = 0, total } = job.progress ?? {};
  const isOver = job.state in ENDED;
  $("job").hidden = false;
  $("job-text").textContent = ENDED[job.state] ?? `${STAGES[stage] ?? capital(stage || "starting")}${total ? `: ${whole(done)} of ${whole(total)}` : "…"}`;
  $("job-bar").hidden = isOver;
  if (total) { $("job-bar").max = total; $("job-bar").value = done; } else $("job-bar").removeAttribute("value");
  $("job-counts").replaceChildren(...facts(Object.entries(job.counts ?? {})).children);
  if (isOver && job.error) showProblem($("admin-error"), { title: "Why it failed", message: job.error }, null);
}
async function ended(url) {
  for (let misses = 0; ; await pause(misses ? 3 * POLL_MS : POLL_MS)) {
    try {
      const job = await (await askAsAdmin(url)).json();
      misses = 0;
      showJob(job);
      if (job.state in ENDED) return job;
    } catch (problem) { // the work goes on in its own process; a lost answer is no reason to stop watching
      if (![0, 502, 503].includes(problem.status) || (misses += 1) > MOST_MISSES) throw problem;
    }
  }
}
async function watch(id) {
  watched = `admin/jobs/${encodeURIComponent(id)}`;
  $("rebuild").disabled = $("rollback").disabled = true;
  $("cancel-job").hidden = $("cancel-job").disabled = false;
  try {
    if ((await ended(watched)).state === "succeeded") galleryChanged();
  } finally {
    if (document.activeElement === $("cancel-job")) $("rebuild").focus();
    watched = null;
    $("rebuild").disabled = $("rollback").disabled = false;
    $("cancel-job").hidden = true;
  }
}
// One that somebody started, here or elsewhere, is shown too.
export async function findRunning() {
  const [newest] = (await (await askAsAdmin("admin/jobs")).json()).jobs;
  if (newest && !newest.finished && !watched) await watch(newest.id);
}
$("rebuild").addEventListener("click", async () => {
  forgetProblem();
  $("job").hidden = true;
  try {
    const job = await (await askAsAdmin("admin/index/rebuild", { method: "POST" })).json();
    showJob(job);
    await watch(job.id);
  } catch (problem) {
    adminProblem(problem);
    if (problem.jobId) await watch(problem.jobId).catch(adminProblem); // one runs already: show that one
  }
});
$("cancel-job").addEventListener("click", async () => {
  $("cancel-job").disabled = true;
  $("job-text").textContent = "Cancelling…";
  await askAsAdmin(watched, { method: "DELETE" }).catch(adminProblem);
});
$("rollback").addEventListener("click", async () => {
  forgetProblem();
  const isSure = await ask("Go back to the version before?", "The index before this one is put in use again. Pictures added since stay, deleted ones stay deleted.", "Go back");
  if (!isSure) return;
  try {
    const { index_version: version } = await (await askAsAdmin("admin/index/rollback", { method: "POST" })).json();
    $("job").hidden = false;
    $("job-bar").hidden = true;
    $("job-counts").replaceChildren();
    $("job-text").textContent = `Version ${when(version) ?? version} is in use again.`;
    galleryChanged();
  } catch (problem) {
    adminProblem(problem);
  }
});
