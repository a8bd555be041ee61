// What the place says where pictures are dropped.
import { $ } from "./dom.js";
import { page } from "./state.js";
import { bytes } from "./words.js";

export function dropWords(slim) {
  $("drop-title").textContent = slim ? "Another picture? Drop or paste it anywhere." : matchMedia("(pointer: coarse)").matches ? "Which picture?" : "Drop a picture here";
  const limit = page.info?.limits?.max_upload_bytes;
  $("drop-hint").textContent = `${matchMedia("(pointer: coarse)").matches ? "" : "or paste one. "}JPEG, PNG or WebP${limit ? `, up to ${bytes(limit)}` : ""}.`;
}
export function refuse(text) {
  $("file-error").textContent = text;
  $("file-error").hidden = false;
}
