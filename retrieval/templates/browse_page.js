"use strict";
// What all parts share: requests, elements whose text is never markup, the state, and the keys.

const byId = (id) => document.getElementById(id);
const base = location.pathname.replace(/\/*$/, "/") + "api/";
const state = { part: "timeline", ask: false, undo: [] };

async function request(name, values, write) {
  const address = base + name;
  const options = write
    ? { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(values || {}) }
    : {};
  const asked = write ? address : address + "?" + new URLSearchParams(values || {});
  let answer;
  try {
    answer = await fetch(asked, options);
  } catch {
    throw new Error("no answer: has `vireid browse` ended? What was judged before is kept.");
  }
  let found;
  try {
    found = await answer.json();
  } catch {
    throw new Error("`vireid browse` was started anew, or something went wrong in it; its terminal says what.");
  }
  if (!answer.ok) throw new Error(found.error);
  return found;
}

// Children that are texts become text nodes, so no name of a key or camera is ever read as HTML.
function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === "onclick") element.addEventListener("click", value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== ""));
  return element;
}

function say(text, wrong) {
  byId("status").textContent = text;
  byId("status").classList.toggle("wrong", Boolean(wrong));
}

// One action after the other, in the order in which they were asked for.
let waiting = 0;
let last = Promise.resolve();
function act(action) {
  waiting += 1;
  document.body.setAttribute("aria-busy", "true");
  last = last.then(async () => {
    try {
      await action();
    } catch (error) {
      say(error.message, true);
    } finally {
      waiting -= 1;
      if (!waiting) document.body.removeAttribute("aria-busy");
    }
  });
  return last;
}

function picture(tracklet, lazy) {
  if (!tracklet.picture) return make("p", { class: "none" }, "no picture is kept");
  return make("img", {
    src: "data:image/jpeg;base64," + tracklet.picture,
    alt: `frames, ${tracklet.modality}`,
    loading: lazy ? "lazy" : null,
  });
}

const person = (tracklet) =>
  tracklet.identity === null ? "" : `person ${tracklet.identity} (${tracklet.size} tracklets)`;

const facts = (tracklet) =>
  [tracklet.modality, tracklet.camera, tracklet.time].filter(Boolean).join(" · ");

function show(part) {
  state.part = part;
  for (const button of document.querySelectorAll("nav [data-part]")) {
    if (button.dataset.part === part) button.setAttribute("aria-current", "page");
    else button.removeAttribute("aria-current");
  }
  for (const name of ["timeline", "questions", "people"]) byId(name).hidden = name !== part;
  byId("compare").hidden = true;
}

async function open(part) {
  show(part);
  if (part === "timeline") await openTimeline();
  if (part === "questions") await openQuestions();
  if (part === "people") await openPeople();
}

// After a change: what is on the page is asked for again.
async function refresh() {
  if (state.part === "timeline") await refreshTimeline();
  if (state.part === "questions") await openQuestions();
  if (state.part === "people") await openPeople();
}

async function takeBack(numbers) {
  const found = await request("undo", numbers ? { numbers } : {}, true);
  await refresh();
  const last = found.undone[0];
  say(last ? `Taken back: ${last.answer}, ${last.first_shown} and ${last.second_shown}` : "There is nothing to take back.");
}

function undoLast() {
  return act(() => takeBack(state.undo.pop()));
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typed = event.target.closest("input:not([type=checkbox]), select, textarea");
  if (typed || event.repeat && !event.key.startsWith("Arrow")) return;
  const answer = { s: "same", d: "different", u: "unsure" }[event.key.toLowerCase()];
  const arrow = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
  if (event.key.toLowerCase() === "z") undoLast();
  else if (answer && !byId("compare").hidden) answerPair(answer);
  else if (arrow && event.target.closest("#rows")) stepInTimeline(event.target, arrow);
  else if (arrow && !byId("compare").hidden && !event.key.match(/Up|Down/)) step(arrow);
  else return;
  event.preventDefault();
});
