// The panel of one episode: all cameras in step, one cursor, one set of keys.
const byId = (id) => document.getElementById(id);
const index = JSON.parse(byId("index").textContent);
const viewer = byId("viewer");
const GLYPHS = { success: "✓", failure: "✕", unlabelled: "–" };
let open = null;

function make(name, className, text) {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function blobUrl(text) {
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let at = 0; at < raw.length; at++) bytes[at] = raw.charCodeAt(at);
  return URL.createObjectURL(new Blob([bytes], { type: "video/mp4" }));
}

function figures(value) {
  if (value === null) return "–";
  const size = Math.abs(value);
  const text = size !== 0 && (size < 0.001 || size >= 1e5) ? value.toExponential(2) : String(Number(value.toPrecision(4)));
  return text.replace("-", "−");
}

// One camera. A seek that comes while another runs waits for it, so dragging stays smooth.
class Camera {
  constructor(name, text, frames) {
    this.frames = frames;
    this.url = blobUrl(text);
    this.broken = false;
    this.wanted = 0;
    this.figure = make("figure");
    const video = this.video = make("video");
    Object.assign(video, { muted: true, playsInline: true, preload: "auto", disablePictureInPicture: true, src: this.url });
    video.setAttribute("aria-label", `Camera ${name}`);
    this.figure.append(video, make("figcaption", "", name));
    video.addEventListener("loadedmetadata", () => this.show(this.wanted));
    video.addEventListener("seeked", () => { if (this.late) { this.late = false; this.show(this.wanted); } });
    video.addEventListener("error", () => {
      if (!this.video.src || this.broken) return;
      this.broken = true;
      const problem = byId("video-problem");
      problem.hidden = false;
      problem.textContent = `This browser cannot play the video of ${name}; it needs H.264.`;
    });
  }
  get ready() { return !this.broken && this.video.readyState >= 1 && this.video.duration > 0; }
  get period() { return this.video.duration / this.frames; }
  get frame() { return Math.min(this.frames - 1, Math.floor(this.video.currentTime / this.period + 1e-3)); }
  show(frame) {
    this.wanted = frame;
    if (!this.ready) return;
    if (this.video.seeking) { this.late = true; return; }
    this.video.currentTime = (frame + 0.5) * this.period;
  }
  close() {
    this.video.pause();
    this.video.removeAttribute("src");
    this.video.load();
    URL.revokeObjectURL(this.url);
  }
}

function openEpisode(at) {
  closeEpisode();
  const entry = index[at];
  const data = JSON.parse(byId(`data-${at}`).textContent);
  const frames = data.stamps.length;
  open = { at, data, frame: 0, playing: false, timer: 0, cameras: [], plot: null };
  byId("viewer-title").textContent = entry.task || entry.id;
  byId("viewer-id").textContent = `${entry.task ? `${entry.id} · ` : ""}${entry.length} · ${frames} frames · ${entry.rate}`;
  const badge = byId("viewer-badge");
  badge.className = `badge ${entry.outcome}`;
  const glyph = make("span", "", GLYPHS[entry.outcome]);
  glyph.setAttribute("aria-hidden", "true");
  badge.replaceChildren(glyph, make("span", "", entry.outcome));
  byId("video-problem").hidden = true;
  open.cameras = data.cameras.map((name, camera) => new Camera(name, byId(`video-${at}-${camera}`).textContent, frames));
  const videos = byId("videos");
  videos.dataset.count = open.cameras.length > 4 ? "many" : open.cameras.length;
  videos.replaceChildren(...open.cameras.map((camera) => camera.figure));
  Object.assign(byId("scrub"), { max: frames - 1, value: 0 });
  byId("length").textContent = `/ ${data.stamps[frames - 1].toFixed(2)} s`;
  byId("frames").textContent = `/ ${frames}`;
  fillFacts(entry);
  if (!viewer.open) viewer.showModal();
  viewer.querySelector(".viewer-body").scrollTop = 0;
  open.plot = makePlot(byId("plot"), data, (frame) => { pause(); setFrame(frame); });
  fillLegend(data.signals);
  placeInList();
  setFrame(0);
  byId("viewer-title").focus({ preventScroll: true });
}

function closeEpisode() {
  if (!open) return;
  pause();
  for (const camera of open.cameras) camera.close();
  open.plot.destroy();
  byId("videos").replaceChildren();
  open = null;
}

function fillFacts(entry) {
  byId("facts").replaceChildren(...entry.facts.flatMap(([name, value]) => [make("dt", "", name), make("dd", "", value)]));
  byId("facts-block").hidden = !entry.facts.length;
  byId("notes").textContent = entry.notes;
  byId("notes-block").hidden = !entry.notes;
}

function fillLegend(signals) {
  open.values = [];
  byId("legend-block").hidden = !signals.length;
  byId("legend").replaceChildren(...signals.map((signal, at) => {
    const button = make("button");
    button.type = "button";
    const swatch = svg("svg", { viewBox: "0 0 18 8", "aria-hidden": "true" });
    svg("line", { x1: 2, x2: 16, y1: 4, y2: 4, "stroke-dasharray": dashes(at) }, swatch).style.stroke = colour(at);
    const value = make("span", "value");
    open.values.push(value);
    button.append(swatch, make("span", "name", signal.name), value);
    if (signal.note) button.append(make("span", "range", signal.note));
    if (!signal.unit) button.append(make("span", "range", `${figures(signal.low)} to ${figures(signal.high)}`));
    button.addEventListener("click", () => { open.plot.setShown(at, !open.plot.shown[at]); showPressed(); });
    return button;
  }));
  showPressed();
}

function showPressed() {
  const { shown } = open.plot;
  [...byId("legend").children].forEach((button, at) => button.setAttribute("aria-pressed", String(shown[at])));
  byId("toggle-all").textContent = shown.every(Boolean) ? "Hide all" : "Show all";
}

function setFrame(wanted, follow = true) {
  const { data, cameras, plot, values } = open;
  const frame = open.frame = Math.max(0, Math.min(data.stamps.length - 1, wanted));
  viewer.dataset.frame = frame;
  const seconds = data.stamps[frame].toFixed(2);
  byId("time").textContent = seconds;
  byId("frame").textContent = frame + 1;
  const scrub = byId("scrub");
  scrub.value = frame;
  scrub.setAttribute("aria-valuetext", `frame ${frame + 1} of ${data.stamps.length}, ${seconds} seconds`);
  plot.setFrame(frame);
  data.signals.forEach((signal, at) => { values[at].textContent = figures(signal.values[frame]); });
  if (follow) for (const camera of cameras) camera.show(frame);
}

function step(count) { pause(); setFrame(open.frame + count); }

function pause() {
  if (!open || !open.playing) return;
  open.playing = false;
  cancelAnimationFrame(open.timer);
  for (const camera of open.cameras) camera.video.pause();
  showPlaying();
}

function showPlaying() {
  const button = byId("play");
  button.classList.toggle("playing", open.playing);
  button.setAttribute("aria-label", open.playing ? "Pause" : "Play");
}

function play() {
  const { data } = open;
  const last = data.stamps.length - 1;
  if (open.frame >= last) setFrame(0);
  open.playing = true;
  showPlaying();
  const speed = Number(byId("speed").value);
  const ready = open.cameras.filter((camera) => camera.ready);
  for (const camera of ready) {
    camera.video.playbackRate = speed;
    camera.video.play().catch(() => pause());
  }
  const began = performance.now(), from = data.stamps[open.frame];
  const beat = () => {
    if (!open || !open.playing) return;
    const [lead, ...others] = ready;
    if (lead) {
      if (!lead.video.seeking) setFrame(lead.frame, false);
      for (const other of others) {
        const gap = other.video.currentTime / other.period - lead.video.currentTime / lead.period;
        if (Math.abs(gap * lead.period) > 0.08 * Math.max(1, speed) && !other.video.seeking) other.video.currentTime = (lead.video.currentTime / lead.period) * other.period;
      }
      if (lead.video.ended) { pause(); setFrame(last); return; }
    } else {
      const now = from + ((performance.now() - began) / 1000) * speed;
      let frame = open.frame;
      while (frame < last && data.stamps[frame + 1] <= now) frame++;
      setFrame(frame);
      if (frame >= last) { pause(); return; }
    }
    open.timer = requestAnimationFrame(beat);
  };
  open.timer = requestAnimationFrame(beat);
}

function placeInList() {
  const order = listedEpisodes();
  const place = order.indexOf(open.at);
  byId("viewer-place").textContent = place < 0 ? "" : `${place + 1} / ${order.length}`;
  byId("previous").disabled = place <= 0;
  byId("next").disabled = place < 0 || place >= order.length - 1;
}

function neighbour(offset) {
  const order = listedEpisodes();
  const at = order[order.indexOf(open.at) + offset];
  if (at !== undefined && order.includes(open.at)) location.replace(`#${index[at].link}`);
}

// The address is the truth: a link to an episode can be copied, and Back closes the panel.
function followAddress() {
  let wanted = location.hash.slice(1);
  try { wanted = decodeURIComponent(wanted); } catch { /* not an address of ours */ }
  const at = index.findIndex((entry) => decodeURIComponent(entry.link) === wanted);
  if (at >= 0) { if (!open || open.at !== at) openEpisode(at); }
  else if (viewer.open) viewer.close();
}

const KEYS = {
  ArrowLeft: () => step(-1), a: () => step(-1), ArrowRight: () => step(1), d: () => step(1),
  ArrowUp: () => step(-10), w: () => step(-10), ArrowDown: () => step(10), s: () => step(10),
  Home: () => { pause(); setFrame(0); }, End: () => { pause(); setFrame(Infinity); },
  " ": () => (open.playing ? pause() : play()),
  p: () => neighbour(-1), n: () => neighbour(1), q: () => viewer.close(),
};

viewer.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("select")) return;
  if (event.key === " " && event.target.matches("button")) return;
  const action = KEYS[event.key] || KEYS[event.key.toLowerCase()];
  if (!action) return;
  event.preventDefault();
  action();
});
viewer.addEventListener("click", (event) => { if (event.target === viewer) viewer.close(); });
viewer.addEventListener("close", () => {
  const link = open && index[open.at].link;
  closeEpisode();
  if (location.hash.startsWith("#episode-")) history.replaceState(null, "", location.pathname + location.search);
  const origin = link && document.querySelector(`a[href="#${CSS.escape(link)}"]`);
  if (origin) origin.focus({ preventScroll: true });
});
byId("videos").addEventListener("click", () => KEYS[" "]());
byId("play").addEventListener("click", () => KEYS[" "]());
byId("back").addEventListener("click", () => step(-1));
byId("forward").addEventListener("click", () => step(1));
byId("previous").addEventListener("click", () => neighbour(-1));
byId("next").addEventListener("click", () => neighbour(1));
byId("close").addEventListener("click", () => viewer.close());
byId("scrub").addEventListener("input", (event) => { pause(); setFrame(Number(event.target.value)); });
byId("speed").addEventListener("change", () => { if (open.playing) { pause(); play(); } });
byId("toggle-all").addEventListener("click", () => {
  const on = !open.plot.shown.every(Boolean);
  open.plot.shown.forEach((_, at) => open.plot.setShown(at, on));
  showPressed();
});
