"use strict";
// Two tracklets side by side, and the answer; from a tracklet's candidates, or from a question.

const compare = { tracklet: null, candidates: [], place: 0, skip: 0 };

async function loadCandidates(fresh) {
  const before = compare.candidates[compare.place];
  const found = await request("tracklet", { key: view.chosen, modality: byId("among").value });
  compare.tracklet = found.tracklet;
  compare.candidates = found.candidates;
  const again = before && !fresh ? found.candidates.findIndex((one) => one.key === before.key) : 0;
  compare.place = Math.max(again, 0);
  byId("searched").textContent = found.candidates.length
    ? `The most similar of ${found.searched.toLocaleString("en")} tracklets.`
    : "The index holds no tracklet of this modality.";
  byId("list").hidden = byId("steps").hidden = false;
  byId("compare").hidden = false;
  draw();
}

function card(tracklet, more) {
  const known = person(tracklet);
  return make(
    "article",
    { class: `card ${tracklet.modality}`, "aria-label": `${tracklet.modality}: ${tracklet.shown}` },
    make("h3", {}, make("span", {}, tracklet.modality), known ? make("span", { class: "said-same" }, known) : "", more || ""),
    picture(tracklet),
    make("p", {}, [tracklet.camera && `camera ${tracklet.camera}`, tracklet.time].filter(Boolean).join(" · ")),
    make("p", { class: "key" }, tracklet.shown),
  );
}

const verdict = (one) =>
  one.answer
    ? make("span", { class: `said-${one.answer}` }, `you: ${one.answer}`)
    : one.follows
      ? make("span", { class: "said-same" }, "same, by others")
      : "";

function calibrated(one) {
  if (!one.decision) return "";
  return make("span", { class: `said-${one.decision}` }, one.decision === "same" ? "✓ same" : "? unknown");
}

function draw() {
  const one = compare.candidates[compare.place];
  const chosen = compare.tracklet;
  const score = one ? make("span", { class: "soft" }, `score ${one.score.toFixed(3)}`) : "";
  const cards = [card(chosen)];
  if (one) cards.push(card(one, score));
  if (one && chosen.modality === "infrared" && one.modality === "visible") cards.reverse();
  byId("pair").replaceChildren(...cards);
  for (const button of document.querySelectorAll("[data-answer]")) {
    button.disabled = !one;
    button.setAttribute("aria-pressed", String(Boolean(one) && one.answer === button.dataset.answer));
  }
  byId("place").textContent = one ? `candidate ${compare.place + 1} of ${compare.candidates.length}` : "";
  byId("previous").disabled = compare.place === 0;
  byId("next").disabled = compare.place >= compare.candidates.length - 1;
  byId("candidates").replaceChildren(
    ...compare.candidates.map((candidate, place) =>
      make(
        "li",
        {},
        make(
          "button",
          { type: "button", "aria-current": place === compare.place ? "true" : null, onclick: () => pick(place) },
          make("span", { class: "line" }, `${place + 1}.`, make("span", {}, `score ${candidate.score.toFixed(3)}`), calibrated(candidate), verdict(candidate)),
          picture(candidate, true),
          make("span", { class: "line" }, facts(candidate)),
          make("span", { class: "line said-same" }, person(candidate)),
          make("span", { class: "key" }, candidate.shown),
        ),
      ),
    ),
  );
}

function pick(place) {
  if (place < 0 || place >= compare.candidates.length) return;
  const inList = document.activeElement.closest("#candidates");
  compare.place = place;
  draw();
  // The list was made anew, and with it the button that had the focus.
  if (inList) byId("candidates").children[place].firstChild.focus();
}

function step(by) {
  if (state.part === "questions") return act(() => skipTo(compare.skip + by));
  return pick(compare.place + by);
}

function answerPair(answer) {
  // Another pair may be on its way: an answer is only ever about the one that is seen.
  if (waiting) return say("Not kept: the page was still loading.", true);
  return act(async () => {
    const other = compare.candidates[compare.place];
    if (!other) return;
    const values = { first: compare.tracklet.key, second: other.key, answer };
    const { numbers } = await request("judge", values, true);
    state.undo.push(numbers);
    const text = `Kept: ${answer}, ${compare.tracklet.shown} and ${other.shown}`;
    if (state.part === "questions") {
      await openQuestions();
    } else {
      await refreshTimeline();
      const open = compare.candidates.findIndex((one, place) => place > compare.place && !one.answer && !one.follows);
      if (open > 0) pick(open);
    }
    say(text);
  });
}

async function openQuestions() {
  const found = await request("question", { skip: compare.skip });
  if (!found.question && compare.skip > 0) return skipTo(0);
  const one = found.question;
  byId("list").hidden = true;
  byId("compare").hidden = !one;
  const [visible, infrared] = found.among.map((count) => count.toLocaleString("en"));
  byId("asked").textContent = one
    ? `Question ${(compare.skip + 1).toLocaleString("en")} of ${found.left.toLocaleString("en")}, the most informative first, among ${visible} visible and ${infrared} infrared tracklets.`
      + (one.settles > 1 ? ` The answer settles ${one.settles} pairs.` : "")
    : "No question is left: every near pair was judged, or follows from what was.";
  if (!one) return;
  compare.tracklet = one.visible;
  compare.candidates = [{ ...one.infrared, score: one.score, answer: null }];
  compare.place = 0;
  draw();
  byId("place").textContent = "";
  byId("previous").disabled = compare.skip === 0;
  byId("next").disabled = compare.skip >= found.left - 1;
}

async function skipTo(place) {
  compare.skip = Math.max(0, place);
  await openQuestions();
}

for (const button of document.querySelectorAll("[data-answer]")) {
  button.addEventListener("click", () => answerPair(button.dataset.answer));
}
byId("previous").addEventListener("click", () => step(-1));
byId("next").addEventListener("click", () => step(1));
byId("among").addEventListener("change", () => act(() => loadCandidates(true)));
