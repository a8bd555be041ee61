// Ways in: choose, drop, paste, photograph.
import { $ } from "./dom.js";
import { refuse } from "./drop.js";
import { page } from "./state.js";
import { goTo } from "./travel.js";
import { bytes } from "./words.js";

const UPLOADS_KEPT = 24;
const TYPES = { "image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WebP" };

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
export async function take(files) {
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
