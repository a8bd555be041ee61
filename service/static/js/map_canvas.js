// Drawing the map: dots, pictures where there is room for them, marks of the query and its neighbours.
import { inView, toScreen } from "./map_geometry.js";

const MOST_PICTURES = 90; // so many in view are drawn as pictures, not as dots
const THUMBS_KEPT = 600;
const thumbs = new Map(); // id -> Image

export function sizeOf(canvas) {
  return { width: canvas.clientWidth, height: canvas.clientHeight, margin: 26 };
}
function fitPixels(canvas, size) {
  const ratio = Math.min(devicePixelRatio || 1, 2);
  const [width, height] = [Math.round(size.width * ratio), Math.round(size.height * ratio)];
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, size.width, size.height);
  return pen;
}
// The page's colours as the canvas takes them, in the theme of the moment.
export function paletteOf(canvas, tints) {
  const probe = document.createElement("span");
  canvas.parentElement.append(probe);
  const read = (tint) => { probe.style.color = tint; return getComputedStyle(probe).color; };
  const palette = { groups: tints.map(read), ink: read("var(--ink)"), paper: read("var(--surface)"), accent: read("var(--accent)") };
  probe.remove();
  return palette;
}
function thumbOf(id, onLoad) {
  let image = thumbs.get(id);
  if (!image) {
    image = new Image();
    image.decoding = "async";
    image.onload = onLoad;
    image.src = `images/${encodeURIComponent(id)}/thumbnail`;
    thumbs.set(id, image);
    if (thumbs.size > THUMBS_KEPT) thumbs.delete(thumbs.keys().next().value);
  }
  return image.complete && image.naturalWidth ? image : null;
}

const dotRadius = (count, zoom, side) => Math.min(9, Math.max(1.3, (0.13 * side) / Math.sqrt(count + 40)) * Math.sqrt(Math.sqrt(zoom)) + 1);

function drawDots(pen, scene, rows, radius) {
  const { points, groups, palette, view, size } = scene;
  const side = 2 * radius;
  const round = rows.length < 6000; // a square of a few pixels is as good and quicker
  const outlined = rows.length < 2000 && radius > 3.5;
  pen.strokeStyle = palette.paper;
  pen.lineWidth = 1;
  palette.groups.forEach((colour, group) => {
    pen.fillStyle = colour;
    pen.beginPath();
    for (const i of rows) {
      if (groups.of[i] !== group) continue;
      const [left, top] = toScreen(view, size, points.x[i], points.y[i]);
      if (round) {
        pen.moveTo(left + radius, top);
        pen.arc(left, top, radius, 0, 7);
      } else pen.rect(left - radius, top - radius, side, side);
    }
    pen.fill();
    if (outlined) pen.stroke();
  });
}
// The middle of a picture, as a square.
function drawPicture(pen, image, left, top, side) {
  const part = Math.min(image.naturalWidth, image.naturalHeight);
  pen.save();
  pen.beginPath();
  pen.roundRect(left - side / 2, top - side / 2, side, side, 6);
  pen.clip();
  pen.drawImage(image, (image.naturalWidth - part) / 2, (image.naturalHeight - part) / 2, part, part, left - side / 2, top - side / 2, side, side);
  pen.restore();
}
function drawPictures(pen, scene, rows, onLoad) {
  const { points, groups, palette, view, size } = scene;
  const side = Math.max(30, Math.min(84, Math.sqrt((size.width * size.height) / (rows.length + 1)) * 0.55));
  for (const i of rows) {
    const [left, top] = toScreen(view, size, points.x[i], points.y[i]);
    const image = thumbOf(points.ids[i], onLoad);
    pen.fillStyle = palette.groups[groups.of[i]];
    pen.beginPath();
    pen.roundRect(left - side / 2 - 3, top - side / 2 - 3, side + 6, side + 6, 9);
    pen.fill();
    if (image) drawPicture(pen, image, left, top, side);
  }
  return side / 2;
}
// Round a dot, or along the edge of a picture.
function ring(pen, [left, top], mark, colour, paper, { gap = 3, width = 2.5 } = {}) {
  const radius = mark.radius + gap;
  for (const [stroke, line] of [[paper, width + 3], [colour, width]]) {
    pen.strokeStyle = stroke;
    pen.lineWidth = line;
    pen.beginPath();
    if (mark.isPicture) pen.roundRect(left - radius, top - radius, 2 * radius, 2 * radius, 11);
    else pen.arc(left, top, radius, 0, 7);
    pen.stroke();
  }
}
function drawMarks(pen, scene, mark) {
  const { marks, palette, view, size } = scene;
  if (!marks.query) return;
  const middle = toScreen(view, size, ...marks.query);
  pen.strokeStyle = palette.ink;
  pen.globalAlpha = 0.4;
  pen.lineWidth = 1;
  pen.beginPath();
  for (const place of marks.neighbours) {
    pen.moveTo(...middle);
    pen.lineTo(...toScreen(view, size, ...place));
  }
  pen.stroke();
  pen.globalAlpha = 1;
  for (const place of marks.neighbours) ring(pen, toScreen(view, size, ...place), mark, palette.ink, palette.paper);
  const own = { radius: Math.max(mark.radius, 20), isPicture: mark.isPicture };
  if (marks.isGuess && marks.image?.naturalWidth) drawPicture(pen, marks.image, ...middle, 2 * own.radius);
  ring(pen, middle, marks.isGuess ? own : mark, palette.accent, palette.paper, { gap: marks.isGuess ? 3 : 7, width: 4 });
}
// Draws a scene {points, groups, palette, view, size, marks, cursor}; `onLoad` is told when a picture came.
export function drawScene(canvas, scene, onLoad) {
  const pen = fitPixels(canvas, scene.size);
  const rows = inView(scene.points, scene.view, scene.size, { pad: 40 });
  const mark = { radius: dotRadius(scene.points.ids.length, scene.view.zoom, Math.min(scene.size.width, scene.size.height)), isPicture: rows.length <= MOST_PICTURES };
  if (mark.isPicture) {
    const isMarked = (i) => scene.marks.rows.has(i) + 2 * (scene.cursor === i);
    mark.radius = drawPictures(pen, scene, rows.sort((a, b) => isMarked(a) - isMarked(b)), onLoad); // the marked ones on top
  } else drawDots(pen, scene, rows, mark.radius);
  drawMarks(pen, scene, mark);
  if (scene.cursor >= 0) ring(pen, toScreen(scene.view, scene.size, scene.points.x[scene.cursor], scene.points.y[scene.cursor]), mark, scene.palette.accent, scene.palette.paper, { gap: 5, width: 3 });
  return mark.radius;
}
