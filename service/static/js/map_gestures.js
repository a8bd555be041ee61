// Fingers, mouse and keys on the map, in terms of the map's own moves.

const TAP_PX = 6;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

// `moves`: zoomAt(factor, left, top), move(dx, dy), hover(left, top), leave(), tap(left, top, isTouch), arrow(dx, dy), choose(), zoom(factor), reset()
export function listen(canvas, moves) {
  const pointers = new Map(); // pointerId -> {left, top, startLeft, startTop}
  let tapping = false;
  const place = (event) => { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
  const span = () => { const [a, b] = [...pointers.values()]; return { middle: [(a.left + b.left) / 2, (a.top + b.top) / 2], width: Math.hypot(a.left - b.left, a.top - b.top) || 1 }; };

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    const [left, top] = place(event);
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, { left, top, startLeft: left, startTop: top });
    tapping = pointers.size === 1;
  });
  canvas.addEventListener("pointermove", (event) => {
    const [left, top] = place(event);
    const pointer = pointers.get(event.pointerId);
    if (!pointer) {
      if (event.pointerType !== "touch") moves.hover(left, top);
      return;
    }
    const before = pointers.size === 2 ? span() : null;
    const [dx, dy] = [left - pointer.left, top - pointer.top];
    Object.assign(pointer, { left, top });
    if (Math.hypot(left - pointer.startLeft, top - pointer.startTop) > TAP_PX) tapping = false;
    if (before) {
      const after = span();
      moves.move(after.middle[0] - before.middle[0], after.middle[1] - before.middle[1]);
      moves.zoomAt(after.width / before.width, ...after.middle);
    } else if (!tapping && pointers.size === 1) moves.move(dx, dy);
  });
  const lift = (event) => {
    const pointer = pointers.get(event.pointerId);
    pointers.delete(event.pointerId);
    if (pointer && tapping && event.type === "pointerup") moves.tap(pointer.left, pointer.top, event.pointerType === "touch");
    tapping = false;
  };
  canvas.addEventListener("pointerup", lift);
  canvas.addEventListener("pointercancel", lift);
  canvas.addEventListener("pointerleave", (event) => { if (event.pointerType !== "touch") moves.leave(); });
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : 1;
    moves.zoomAt(Math.exp(-Math.max(-120, Math.min(120, event.deltaY * lines)) * 0.0022), ...place(event));
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in ARROWS) moves.arrow(...ARROWS[event.key]);
    else if (event.key === "Enter" || event.key === " ") moves.choose();
    else if (event.key === "+" || event.key === "=") moves.zoom(1.6);
    else if (event.key === "-") moves.zoom(1 / 1.6);
    else if (event.key === "0") moves.reset();
    else return;
    event.preventDefault();
  });
}
