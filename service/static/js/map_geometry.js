// Where points of the map are on the screen; knows no page.

export const MOST_ZOOM = 60;

// A view shows the map, whose longer side is 1, around a middle: zoom 1 fits it into the screen.
export const wholeMap = () => ({ x: 0.5, y: 0.5, zoom: 1 });
export const scaleOf = (view, size) => Math.max(1, Math.min(size.width, size.height) - 2 * size.margin) * view.zoom;
export const toScreen = (view, size, x, y) => {
  const scale = scaleOf(view, size);
  return [size.width / 2 + (x - view.x) * scale, size.height / 2 - (y - view.y) * scale];
};
export const toMap = (view, size, left, top) => {
  const scale = scaleOf(view, size);
  return [view.x + (left - size.width / 2) / scale, view.y - (top - size.height / 2) / scale];
};

const within = (value, low, high) => Math.min(high, Math.max(low, value));
export const bounded = (view) => ({ x: within(view.x, 0, 1), y: within(view.y, 0, 1), zoom: within(view.zoom, 0.7, MOST_ZOOM) });

// What is under (left, top) stays there.
export function zoomedAt(view, size, factor, left, top) {
  const [x, y] = toMap(view, size, left, top);
  const zoom = within(view.zoom * factor, 0.7, MOST_ZOOM);
  const scale = scaleOf({ zoom }, size);
  return bounded({ x: x - (left - size.width / 2) / scale, y: y + (top - size.height / 2) / scale, zoom });
}
export function moved(view, size, dx, dy) {
  const scale = scaleOf(view, size);
  return bounded({ ...view, x: view.x - dx / scale, y: view.y + dy / scale });
}
// The view that shows these points, not nearer than `most`.
export function around(points, size, most = 8) {
  if (!points.length) return wholeMap();
  const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
  const [left, right, bottom, top] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const side = Math.min(size.width, size.height);
  const zoom = Math.min((0.7 * size.width) / side / Math.max(right - left, 1e-6), (0.7 * size.height) / side / Math.max(top - bottom, 1e-6), most);
  return bounded({ x: (left + right) / 2, y: (bottom + top) / 2, zoom: Math.max(1, zoom) });
}

// Index of the point that `cost` likes best, of those it gives a number; -1 for none. 20,000 take a tenth of a millisecond.
export function best(points, cost) {
  let found = -1;
  let least = Infinity;
  for (let i = 0; i < points.x.length; i += 1) {
    if (!points.shown[i]) continue;
    const price = cost(points.x[i], points.y[i], i);
    if (price < least) [least, found] = [price, i];
  }
  return found;
}
// The point within reach of a place on the screen.
export function pointAt(points, view, size, left, top, reach) {
  const [x, y] = toMap(view, size, left, top);
  const limit = (reach / scaleOf(view, size)) ** 2;
  return best(points, (px, py) => { const d = (px - x) ** 2 + (py - y) ** 2; return d <= limit ? d : NaN; });
}
// The next point in the direction of an arrow key: near, and rather ahead than aside.
export function pointBeside(points, from, dx, dy) {
  const [x, y] = [points.x[from], points.y[from]];
  return best(points, (px, py, i) => {
    const ahead = (px - x) * dx + (py - y) * dy;
    const aside = Math.abs((px - x) * dy - (py - y) * dx);
    return i !== from && ahead > 0 && aside <= 2 * ahead ? ahead + 2 * aside : NaN;
  });
}
// Points on the screen and up to `pad` beside it; of more than `most` those nearest to its middle.
export function inView(points, view, size, { most = Infinity, pad = 0 } = {}) {
  const scale = scaleOf(view, size);
  const [halfWidth, halfHeight] = [(size.width / 2 + pad) / scale, (size.height / 2 + pad) / scale];
  const found = [];
  for (let i = 0; i < points.x.length; i += 1) {
    if (points.shown[i] && Math.abs(points.x[i] - view.x) <= halfWidth && Math.abs(points.y[i] - view.y) <= halfHeight) found.push(i);
  }
  if (found.length <= most) return found;
  const from = (i) => (points.x[i] - view.x) ** 2 + (points.y[i] - view.y) ** 2;
  return found.sort((a, b) => from(a) - from(b)).slice(0, most);
}
