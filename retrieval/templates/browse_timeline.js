"use strict";
// Cameras as rows, tracklets by time. The server gives a page of them; long pauses are shortened.

const view = { position: 0, total: 0, size: 60, chosen: "", page: null };
const BAR = 52, WIDTH = 720;

function clock(seconds) {
  if (Math.abs(seconds) < 1e8) {
    return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
  }
  return new Date(seconds * 1000).toISOString().slice(11, 19);
}

async function openTimeline(around) {
  const found = await request("timeline", {
    position: view.position,
    around: around || "",
    camera: byId("camera").value,
    modality: byId("modality").value,
    find: byId("find").value,
  });
  Object.assign(view, { position: found.position, total: found.total, page: found });
  drawHistogram(found);
  drawRows(found.tracklets);
  const last = found.position + found.tracklets.length;
  byId("range").textContent = found.total
    ? `${(found.position + 1).toLocaleString("en")} to ${last.toLocaleString("en")} of ${found.total.toLocaleString("en")}`
    : "no tracklet is left after the filters";
  byId("earlier").disabled = found.position === 0;
  byId("later").disabled = last >= found.total;
  byId("compare").hidden = !view.chosen;
}

async function refreshTimeline() {
  await openTimeline();
  if (view.chosen) await loadCandidates();
}

function drawHistogram(found) {
  const most = Math.max(...found.bins, 1);
  const last = found.position + found.tracklets.length;
  byId("histogram").hidden = found.bins.length === 0 || found.total <= view.size;
  byId("histogram").replaceChildren(
    ...found.bins.map((count, place) => {
      const first = found.firsts[place];
      const bar = make("i");
      bar.style.height = `${count ? 8 + (92 * count) / most : 0}%`;
      const here = first < last && first + count > found.position;
      const label = `part ${place + 1} of ${found.bins.length}: ${count} tracklets`;
      return make("button", { type: "button", class: here ? "here" : "", "aria-label": label, title: label, disabled: !count, onclick: () => goTo(first) }, bar);
    }),
  );
}

function goTo(position) {
  return act(async () => {
    view.position = Math.max(0, position);
    await openTimeline();
  });
}

// Where each moment lies in pixels: in proportion, but a pause never takes more than a few steps.
function places(timed) {
  const starts = timed.map((one) => one.start);
  const steps = starts.slice(1).map((start, place) => start - starts[place]);
  const usual = [...steps].sort((a, b) => a - b)[Math.floor(steps.length / 2)] || 1;
  const shortened = steps.map((one) => Math.min(one, 6 * usual));
  const whole = shortened.reduce((sum, one) => sum + one, 0) || 1;
  const room = Math.max(WIDTH, byId("rows").clientWidth - 116) - 136;
  const found = [8];
  for (const one of shortened) found.push(found[found.length - 1] + (one / whole) * room);
  return { found, scale: room / whole, width: room + 136 };
}

function bar(one) {
  const label = [one.modality, one.camera, one.time, one.shown, person(one)].filter(Boolean).join(", ");
  return make(
    "button",
    {
      type: "button",
      class: `bar ${one.modality}`,
      "aria-label": label,
      title: label,
      "data-key": one.key,
      "aria-current": one.key === view.chosen ? "true" : null,
      onclick: () => act(() => choose(one.key)),
    },
    one.picture ? make("img", { src: "data:image/jpeg;base64," + one.picture, alt: "" }) : "",
    one.identity === null ? "" : make("b", {}, String(one.identity)),
  );
}

function drawRows(tracklets) {
  const timed = tracklets.filter((one) => one.start !== null);
  const untimed = tracklets.filter((one) => one.start === null);
  const { found, scale, width } = places(timed);
  const cameras = new Map();
  timed.forEach((one, place) => {
    const name = JSON.stringify([one.camera, one.modality]);
    if (!cameras.has(name)) cameras.set(name, { one, ends: [], lane: make("div", { class: "lane" }) });
    const row = cameras.get(name);
    const left = found[place];
    const long = Math.min(Math.max(34, ((one.end ?? one.start) - one.start) * scale), 120);
    let lane = row.ends.findIndex((end) => end <= left);
    if (lane < 0) lane = row.ends.push(0) - 1;
    row.ends[lane] = left + long + 4;
    const element = bar(one);
    element.style.left = `${left}px`;
    element.style.top = `${lane * BAR + 6}px`;
    element.style.width = `${long}px`;
    row.lane.append(element);
  });
  const axis = make("div", { class: "lane" });
  let last = -100;
  timed.forEach((one, place) => {
    if (found[place] - last < 84) return;
    last = found[place];
    const tick = make("span", {}, clock(one.start));
    tick.style.left = `${last}px`;
    axis.append(tick);
  });
  axis.style.width = `${width}px`;
  const day = timed.length && timed[0].start > 1e8 ? new Date(timed[0].start * 1000).toISOString().slice(0, 10) : "time";
  const rows = timed.length ? [make("div", { class: "camera axis" }, make("h3", { class: "soft" }, day), axis)] : [];
  for (const name of [...cameras.keys()].sort()) {
    const { one, ends, lane } = cameras.get(name);
    lane.style.width = `${width}px`;
    lane.style.height = `${ends.length * BAR + 8}px`;
    const heading = make("h3", {}, one.camera, make("span", { class: "soft" }, one.modality));
    rows.push(make("div", { class: "camera" }, heading, lane));
  }
  if (untimed.length) {
    rows.push(make("p", { class: "soft flow" }, "Without a time:"), make("div", { class: "flow" }, ...untimed.map(bar)));
  }
  byId("rows").replaceChildren(...rows);
}

function stepInTimeline(from, by) {
  const order = view.page.tracklets.map((one) => one.key);
  const bars = new Map([...document.querySelectorAll("#rows .bar")].map((one) => [one.dataset.key, one]));
  const next = bars.get(order[order.indexOf(from.dataset.key) + by]);
  if (next) next.focus();
}

async function choose(key, quiet) {
  view.chosen = key;
  location.hash = "tracklet=" + encodeURIComponent(key);
  for (const one of document.querySelectorAll("#rows .bar")) {
    if (one.dataset.key === key) one.setAttribute("aria-current", "true");
    else one.removeAttribute("aria-current");
  }
  await loadCandidates(true);
  say("");
  if (!quiet) byId("compare").scrollIntoView({ block: "start", behavior: "auto" });
}

byId("earlier").addEventListener("click", () => goTo(view.position - view.size));
byId("later").addEventListener("click", () => goTo(view.position + view.size));
byId("filters").addEventListener("submit", (event) => event.preventDefault());
byId("filters").addEventListener("change", () => goTo(0));
