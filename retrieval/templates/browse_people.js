"use strict";
// Identities: contradictions first, then merging, splitting, and every judgement with its undo.

const people = { position: 0, size: 20, ticked: new Map() };

async function openPeople() {
  const found = await request("people", { position: people.position });
  people.ticked.clear();
  byId("merge").disabled = true;
  byId("counted").textContent = found.total ? `${found.total.toLocaleString("en")} of two tracklets or more` : "nobody yet: judge two tracklets to be the same";
  byId("contradictions").replaceChildren(...found.contradictions.map(contradiction));
  byId("identities").replaceChildren(...found.identities.map(identity));
  byId("merging").hidden = found.total < 2;
  byId("people-pager").hidden = found.total <= people.size;
  const last = found.position + found.identities.length;
  byId("people-range").textContent = found.total ? `${found.position + 1} to ${last}` : "";
  byId("people-before").disabled = found.position === 0;
  byId("people-after").disabled = last >= found.total;
  byId("judgements").replaceChildren(...found.judgements.map(judgement));
  if (!found.judged) byId("judgements").replaceChildren(make("li", { class: "soft" }, "none stands"));
}

function judgement(one) {
  return make(
    "li",
    {},
    make("span", { class: `said-${one.answer}` }, one.answer),
    make("span", { class: "key" }, `${one.first_shown} — ${one.second_shown}`),
    make("span", { class: "soft" }, one.time),
    make("button", { type: "button", class: "small", "aria-label": `Take back: ${one.answer}, ${one.first_shown} and ${one.second_shown}`, onclick: () => act(() => takeBack([one.number])) }, "Take back"),
  );
}

function contradiction(one) {
  return make(
    "div",
    { class: "wrong-note", role: "note" },
    make("p", {}, make("strong", {}, "Contradiction: "), "these two were judged to be different, and the judgements below make them the same. Take back the one that is wrong."),
    make("ol", { class: "chain" }, judgement(one.different), ...one.chain.map(judgement)),
  );
}

function identity(one) {
  const box = make("input", { type: "checkbox" });
  box.addEventListener("change", () => {
    if (box.checked) people.ticked.set(one.number, one.members[0].key);
    else people.ticked.delete(one.number);
    byId("merge").disabled = people.ticked.size !== 2;
  });
  return make(
    "section",
    { class: "person", "aria-label": `person ${one.number}` },
    make("h3", {}, make("label", {}, box, `Person ${one.number}, ${one.size} tracklets`)),
    make(
      "ul",
      {},
      ...one.members.map((member) =>
        make(
          "li",
          { class: member.modality },
          picture(member, true),
          make("span", { class: "line" }, facts(member)),
          make("p", { class: "key" }, member.shown),
          make("button", { type: "button", class: "small", "aria-label": `Show ${member.shown}`, onclick: () => act(() => find(member.key)) }, "Show"),
          " ",
          make("button", { type: "button", class: "small", "aria-label": `Split off ${member.shown}`, onclick: () => change("split", { key: member.key }, `Split off: ${member.shown}`) }, "Split off"),
        ),
      ),
    ),
    one.size > one.members.length ? make("p", { class: "soft" }, `and ${one.size - one.members.length} more`) : "",
  );
}

function change(name, values, text) {
  return act(async () => {
    const { numbers } = await request(name, values, true);
    if (numbers.length) state.undo.push(numbers);
    await openPeople();
    say(text);
  });
}

async function find(key) {
  show("timeline");
  for (const name of ["camera", "modality", "find"]) byId(name).value = "";
  view.chosen = key;
  await openTimeline(key);
  await choose(key);
}

byId("merge").addEventListener("click", () => {
  const [first, second] = [...people.ticked.values()];
  change("judge", { first, second, answer: "same" }, "Merged");
});
byId("people-before").addEventListener("click", () => act(() => { people.position = Math.max(0, people.position - people.size); return openPeople(); }));
byId("people-after").addEventListener("click", () => act(() => { people.position += people.size; return openPeople(); }));
byId("undo").addEventListener("click", undoLast);
for (const button of document.querySelectorAll("nav [data-part]")) {
  button.addEventListener("click", () => act(() => open(button.dataset.part)));
}

act(async () => {
  const about = await request("about");
  byId("title").textContent = about.name;
  document.title = `${about.name} · vireid browse`;
  byId("about").textContent = `${about.tracklets.toLocaleString("en")} tracklets of ${about.cameras.length} cameras`;
  byId("camera").append(...about.cameras.map((one) => make("option", { value: one.name }, one.shown)));
  byId("notes").replaceChildren(...about.notes.map((note) => make("li", {}, note)));
  const named = location.hash.match(/^#tracklet=(.*)$/);
  if (named) {
    try {
      await find(decodeURIComponent(named[1]));
    } catch (error) {
      view.chosen = "";
      byId("compare").hidden = true;
      say(error.message, true);
    }
  } else await open(about.ask ? "questions" : "timeline");
});
