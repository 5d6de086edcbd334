// The curves of one episode: two lanes, a row per kind of band, and a cursor that can be dragged.
// Rows stand above the curves; what was found without them, the actions, stands below.
const SVG = "http://www.w3.org/2000/svg";
const LANE = { unit: 150, scaled: 100, alone: 210 };
const BAND = 22, LOW = 13, RIGHT = 8, GAP = 30;

function svg(name, attributes, parent) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (parent) parent.append(node);
  return node;
}

function colour(index) { return `var(--c${index % 8})`; }
function dashes(index) { return ["none", "6 3", "2 3"][Math.floor(index / 8) % 3]; }

function height(signal, frame) {
  const value = signal.values[frame];
  if (value === null) return null;
  if (signal.unit) return value;
  return signal.high > signal.low ? (value - signal.low) / (signal.high - signal.low) : 0.5;
}

function niceStep(span, count) {
  const rough = span / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((n) => n * power).find((step) => step >= rough);
}

// A few curves that move are worth a look at once; the rest wait for a click.
function firstShown(signals) {
  const room = { true: 6, false: 3 };
  return signals.map((signal) => signals.length < 3 || (signal.high > signal.low && room[signal.unit]-- > 0));
}

function makePlot(holder, episode, onSeek) {
  const { stamps, signals, bands } = episode;
  const shown = firstShown(signals);
  const end = stamps[stamps.length - 1] || 1;
  const kinds = ["segment", "action", "good", "note", "warning", "error"].filter((kind) => bands.some((band) => band.kind === kind));
  // Rows with a name beside them are low and need room at the left.
  const lane = (kind) => bands.find((band) => band.kind === kind && band.lane)?.lane || "";
  const LEFT = kinds.some(lane) ? 66 : 34;
  let frame = 0, width = 0, cursor = null, dots = [];

  const x = (seconds) => LEFT + (seconds / end) * (width - LEFT - RIGHT);

  function nearest(seconds) {
    let low = 0, high = stamps.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (stamps[middle] < seconds) low = middle + 1; else high = middle;
    }
    return low > 0 && seconds - stamps[low - 1] < stamps[low] - seconds ? low - 1 : low;
  }

  function draw() {
    width = holder.clientWidth;
    holder.replaceChildren();
    if (!width || (!signals.length && !bands.length)) return;
    const root = svg("svg", { role: "img", "aria-label": describe() }, holder);
    let top = 8;
    const rowAt = (kind, at) => ({ kind, name: lane(kind), at, tall: lane(kind) ? LOW : BAND });
    const rows = kinds.filter((kind) => kind !== "action").map((kind) => {
      const row = rowAt(kind, top);
      top += row.tall + 4;
      return row;
    });
    if (rows.length) top += 6;
    const lanes = [];
    for (const name of ["unit", "scaled"]) {
      if (!signals.some((signal) => signal.unit === (name === "unit"))) continue;
      if (name === "scaled") top += GAP;
      const tall = signals.every((signal) => signal.unit) ? LANE.alone : LANE[name];
      lanes.push({ name, top, bottom: top + tall });
      top += tall;
    }
    const bottom = top;
    let foot = bottom;
    if (kinds.includes("action")) {
      rows.push(rowAt("action", bottom + 8));
      foot = bottom + 8 + rows.at(-1).tall;
    }
    drawBands(root, rows, lanes, bottom);
    drawAxes(root, lanes, foot);
    dots = signals.map((signal, index) => drawCurve(root, signal, index, lanes));
    cursor = svg("g", { class: "cursor" }, root);
    svg("line", { x1: 0, x2: 0, y1: 4, y2: foot }, cursor);
    svg("path", { d: "M-5 0h10v3l-5 6-5-6z" }, cursor);
    root.setAttribute("height", foot + 24);
    root.setAttribute("viewBox", `0 0 ${width} ${foot + 24}`);
    setFrame(frame);
  }

  function drawBands(root, rows, lanes, bottom) {
    for (const { kind, name, at, tall } of rows) {
      if (name) {
        svg("rect", { class: "track", x: LEFT, y: at, width: width - LEFT - RIGHT, height: tall, rx: 3 }, root);
        svg("text", { class: `row-name ${kind}`, x: LEFT - 8, y: at + tall - 3, "text-anchor": "end" }, root).textContent = name;
      }
      bands.filter((band) => band.kind === kind).forEach((band, order) => {
        const left = x(Math.max(0, Math.min(end, band.start)));
        const right = x(Math.max(0, Math.min(end, band.stop)));
        if (!["segment", "action"].includes(kind)) for (const lane of lanes) svg("rect", { class: `tint ${kind}`, x: left, y: lane.top, width: right - left, height: lane.bottom - lane.top }, root);
        else if (kind === "segment" && order && band.level === null) svg("line", { class: "edge", x1: left, x2: left, y1: at + tall, y2: bottom }, root);
        const shade = band.level === null ? "" : "level";
        const group = svg("g", { class: `band ${kind} ${order % 2 ? "odd" : ""} ${shade} ${name ? "low" : ""}` }, root);
        const box = svg("rect", { x: left, y: at, width: Math.max(2, right - left - (shade ? 0 : 1)), height: tall }, group);
        if (shade) box.setAttribute("fill-opacity", 0.1 + 0.9 * band.level);
        svg("title", {}, group).textContent = `${band.label} (${band.start.toFixed(2)} to ${band.stop.toFixed(2)} s)`;
        const room = Math.floor((right - left - 12) / 6);
        if (room < 3 || name) return;
        const label = band.label.length > room ? band.label.slice(0, room - 1) + "…" : band.label;
        svg("text", { x: left + 7, y: at + 15 }, group).textContent = label;
      });
    }
  }

  function drawAxes(root, lanes, foot) {
    const step = niceStep(end, (width - LEFT - RIGHT) / 84);
    for (let seconds = 0; seconds <= end * 1.0001; seconds += step) {
      for (const lane of lanes) svg("line", { class: "grid", x1: x(seconds), x2: x(seconds), y1: lane.top, y2: lane.bottom }, root);
      const digits = step < 1 ? Math.min(3, Math.ceil(-Math.log10(step))) : 0;
      svg("text", { x: x(seconds), y: foot + 17, "text-anchor": seconds === 0 ? "start" : "middle" }, root).textContent = `${seconds.toFixed(digits)} s`;
    }
    for (const lane of lanes) {
      for (const level of lane.name === "unit" ? [0, 0.25, 0.5, 0.75, 1] : [0, 1]) {
        const y = lane.bottom - level * (lane.bottom - lane.top);
        svg("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y, y2: y }, root);
        const words = lane.name === "unit" ? (level * 2) % 1 ? "" : String(level) : level ? "max" : "min";
        svg("text", { x: LEFT - 8, y: y + 4, "text-anchor": "end" }, root).textContent = words;
      }
      if (lane.name === "scaled") svg("text", { class: "lane-name", x: LEFT, y: lane.top - 9 }, root).textContent = "each on its own range";
    }
  }

  function drawCurve(root, signal, index, lanes) {
    const lane = lanes.find(({ name }) => (name === "unit") === signal.unit);
    const y = (level) => lane.bottom - level * (lane.bottom - lane.top);
    const style = { class: `curve ${signal.unit ? "" : "scaled"} ${signal.style}`, "stroke-dasharray": dashes(index), "data-signal": index };
    const path = svg("path", { ...style, d: outline(signal, y) }, root);
    path.style.stroke = colour(index);
    const dot = svg("circle", { class: "dot", r: 4 }, root);
    dot.style.fill = colour(index);
    const visible = () => { for (const node of [path, dot]) node.style.display = shown[index] ? "" : "none"; };
    visible();
    return { visible, move(at) {
      const level = height(signal, at);
      dot.setAttribute("visibility", level === null ? "hidden" : "visible");
      if (level !== null) { dot.setAttribute("cx", x(stamps[at])); dot.setAttribute("cy", y(level)); }
    } };
  }

  // Beyond a few points per pixel only the extremes of each pixel can be seen.
  function outline(signal, y) {
    const count = stamps.length, stride = Math.max(1, Math.floor(count / (width * 2)));
    let text = "", pen = false;
    const add = (at) => {
      const level = height(signal, at);
      if (level === null) { pen = false; return; }
      text += `${pen ? "L" : "M"}${x(stamps[at]).toFixed(1)} ${y(level).toFixed(1)}`;
      if (!pen && (at + stride >= count || signal.values[at + stride] === null)) text += "h0.1";
      pen = true;
    };
    for (let start = 0; start < count; start += stride) {
      if (stride === 1) { add(start); continue; }
      let low = start, high = start;
      for (let at = start; at < Math.min(count, start + stride); at++) {
        if (signal.values[at] < signal.values[low]) low = at;
        if (signal.values[at] > signal.values[high]) high = at;
      }
      add(Math.min(low, high));
      if (low !== high) add(Math.max(low, high));
    }
    return text;
  }

  function describe() {
    const names = signals.filter((_, index) => shown[index]).map((signal) => signal.name).join(", ");
    return `Curves over ${end.toFixed(1)} seconds: ${names || "none"}`;
  }

  function setFrame(at) {
    frame = at;
    if (!cursor) return;
    cursor.setAttribute("transform", `translate(${x(stamps[at]).toFixed(2)} 0)`);
    cursor.dataset.frame = at;
    for (const dot of dots) dot.move(at);
  }

  function setShown(index, on) {
    shown[index] = on;
    if (dots[index]) dots[index].visible();
  }

  const seek = (event) => {
    const place = event.clientX - holder.getBoundingClientRect().left;
    onSeek(nearest(((place - LEFT) / (width - LEFT - RIGHT)) * end));
  };
  const press = (event) => {
    if (event.button) return;
    holder.setPointerCapture(event.pointerId);
    seek(event);
  };
  const move = (event) => { if (holder.hasPointerCapture(event.pointerId)) seek(event); };
  holder.addEventListener("pointerdown", press);
  holder.addEventListener("pointermove", move);
  const watch = new ResizeObserver(() => { if (holder.clientWidth !== width) draw(); });
  watch.observe(holder.parentElement);
  draw();
  return { setFrame, setShown, shown, destroy() {
    watch.disconnect();
    holder.removeEventListener("pointerdown", press);
    holder.removeEventListener("pointermove", move);
    holder.replaceChildren();
  } };
}
