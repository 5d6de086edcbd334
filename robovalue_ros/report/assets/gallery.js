// Clips play in place: a click starts one, another click stops it; "Play all" does so for a cluster.
function clipUrl(key) {
  const raw = atob(document.getElementById(`video-${key}`).textContent);
  const bytes = new Uint8Array(raw.length);
  for (let at = 0; at < raw.length; at++) bytes[at] = raw.charCodeAt(at);
  return URL.createObjectURL(new Blob([bytes], { type: "video/mp4" }));
}

function start(button) {
  if (button.classList.contains("running")) return;
  const video = document.createElement("video");
  const url = clipUrl(button.dataset.video);
  Object.assign(video, { muted: true, loop: true, playsInline: true, autoplay: true, disablePictureInPicture: true, src: url });
  button.still = button.firstElementChild;
  button.url = url;
  button.replaceChildren(video);
  button.classList.add("running");
  video.play().catch(() => {}); // the error event below tells what is wrong
  video.addEventListener("error", () => {
    if (button.firstElementChild !== video) return;
    stop(button);
    const problem = document.createElement("p");
    problem.className = "clip-problem";
    problem.textContent = "This browser cannot play this clip; it needs H.264.";
    button.after(problem);
  });
}

function stop(button) {
  if (!button.classList.contains("running")) return;
  button.replaceChildren(button.still);
  button.classList.remove("running");
  URL.revokeObjectURL(button.url);
}

const clips = [...document.querySelectorAll(".clip-play")];
for (const button of clips) {
  button.addEventListener("click", () => (button.classList.contains("running") ? stop : start)(button));
}
for (const all of document.querySelectorAll(".play-all")) {
  all.addEventListener("click", () => {
    const inside = clips.filter((button) => button.dataset.video.split("-")[0] === all.dataset.cluster);
    const go = inside.some((button) => !button.classList.contains("running"));
    for (const button of inside) (go ? start : stop)(button);
    all.textContent = go ? "Stop all" : "Play all";
  });
}
