// Search as you type, chips, and the cards of what was found.
import { $, ask, el } from "./dom.js";
import { chapter, picture, section } from "./results.js";
import { startAdding } from "./adding.js";
import { base64, nameOf, shownPicture, startDropping, takeAway } from "./dropped.js";

const EXAMPLES = ["a rocket taking off into the sky", "a red motorcycle", "why is the suit of an astronaut orange?", "cat whiskers -astronaut"];
const CYCLE = { normal: "raise", raise: "mute", mute: "forbid", forbid: "normal" };
const SAYS = { normal: "as it is", raise: "raised", mute: "muted", forbid: "forbidden" };
const state = { text: "", image: null, like: null, kind: "", k: 12, balance: 0.5, edits: new Map(), seen: null, asked: null };
const MOST_CHARACTERS = 5000; // what the server takes, demo/schemas.py: said before anything is sent
const MOST_ADDED = 6; // words shown that the models add
const FAINT = 0.1; // of the heaviest word's weight; what a model adds with less hardly counts, and is not shown
let running = null, timer = null;

// Words with a minus before them are forbidden; the same rule as on the command line.
function split(text) {
  const forbidden = [];
  const rest = text.replace(/(?<!\S)[-−](\p{L}\S*)/gu, (_, word) => {
    forbidden.push(...(word.match(/[\p{L}\p{N}]+(?:['’][\p{L}\p{N}]+)*/gu) ?? []));
    return " ";
  });
  return { rest: forbidden.length ? rest.replace(/\s+/g, " ").trim() : text.trim(), forbidden };
}

export function question() {
  const { rest, forbidden } = split(state.text);
  const weights = {}, forbid = new Set(forbidden);
  for (const [word, edit] of state.edits) {
    if (edit === "raise") weights[word] = 2.5;
    if (edit === "mute") weights[word] = 0;
    if (edit === "forbid") forbid.add(word);
  }
  return { text: rest || null, image: state.image, like: state.like, balance: state.balance, weights, forbid: [...forbid] };
}

// Gradio's components, read where they stand in the page. What was asked before is no longer wanted: its answer
// must not appear over a newer question, however late it comes. A box that is merely left says `change`, too:
// then what is found stays as it is, with the focus in it.
async function changed() {
  const value = (query, fallback) => document.querySelector(query)?.value ?? fallback;
  const read = {
    text: value("#lx-text textarea, #lx-text input", ""), kind: value("#lx-kind input:checked", ""),
    k: Number(value("#lx-most input[type=range]", 12)), balance: Number(value("#lx-balance input[type=range]", 0.5)),
  };
  const address = shownPicture(), asked = JSON.stringify([read, address]);
  if (asked === state.asked) return;
  running?.abort();
  clearTimeout(timer);
  Object.assign(state, read, { asked });
  if (address !== state.seen) {
    Object.assign(state, { seen: address, image: null, like: address ? null : state.like });
    try {
      const image = address && (await base64(address));
      if (state.seen !== address) return; // another one was dropped meanwhile
      state.image = image;
    } catch (error) { return fail(error); }
  }
  clearTimeout(timer);
  timer = setTimeout(search, 120);
}

function withoutPicture() {
  takeAway();
  Object.assign(state, { seen: null, image: null });
}

async function search() {
  running?.abort();
  const mine = (running = new AbortController());
  const asked = question();
  document.body.classList.toggle("lx-both", Boolean(asked.text && (asked.image !== null || asked.like !== null)));
  if (!asked.text && asked.image === null && asked.like === null) return empty();
  if (state.text.length > MOST_CHARACTERS) {
    return fail(new Error(`The question has ${state.text.length} characters; ${MOST_CHARACTERS} is the most. Leave out what is not needed.`));
  }
  $("lx-results").setAttribute("aria-busy", "true");
  const late = setTimeout(() => say("Searching…"), 400);
  try {
    const kinds = state.kind ? [state.kind] : ["image", "chapter"];
    const found = await Promise.all(kinds.map((kind) => ask("/search", {
      method: "POST", headers: { "content-type": "application/json" }, signal: mine.signal,
      body: JSON.stringify({ ...asked, kind, k: state.k }),
    })));
    if (mine.signal.aborted) return;
    chips(merged(found), asked.forbid);
    show(kinds, found);
  } catch (error) {
    if (!mine.signal.aborted) fail(named(error));
  } finally {
    clearTimeout(late);
    if (running === mine) $("lx-results").removeAttribute("aria-busy");
  }
}

// What the server says of the picture, by the file's name. A picture that cannot be read is no part of the
// question any more, so that what is typed next is answered.
function named(error) {
  if (state.seen === null || !error.message.startsWith("image: ")) return error;
  const name = nameOf(state.seen);
  withoutPicture();
  return new Error(error.message.replace("image:", `${name}:`));
}

// Pictures and chapters are asked with vectors of their own: the words of both, each with its greater weight
// (edits act on both).
function merged(found) {
  const all = new Map();
  for (const word of found.flatMap((answer) => answer.words)) {
    if ((all.get(word.word)?.weight ?? -1) < word.weight) all.set(word.word, word);
  }
  const sorted = [...all.values()].sort((a, b) => b.weight - a.weight);
  const asked = sorted.filter((word) => word.asked);
  const counts = (word) => word.weight >= FAINT * sorted[0].weight || state.edits.has(word.word);
  const added = sorted.filter((word) => !word.asked && counts(word));
  return [...asked, ...added.slice(0, MOST_ADDED * (asked.length ? 1 : 2))];
}

const editOf = (word, forbidden) => state.edits.get(word) ?? (forbidden.includes(word) ? "forbid" : "normal");

function chips(words, forbidden) {
  const shown = [];
  if (state.like !== null) {
    shown.push(el("button", { class: "lx-chip lx-like", "aria-label": "no longer like this picture", onclick: () => { state.like = null; search(); } },
      el("img", { src: `/documents/${state.like}/picture`, alt: "" }), "like this ✕"));
  }
  const known = new Set(words.map((word) => word.word));
  const gone = [...new Set([...state.edits.keys(), ...forbidden])].filter((word) => !known.has(word));
  const most = Math.max(...words.map((word) => word.weight), 0.001);
  for (const word of [...words, ...gone.map((word) => ({ word, weight: 0, asked: true }))]) {
    const edit = editOf(word.word, forbidden);
    shown.push(el("button", {
      class: `lx-chip lx-${edit}${word.asked ? "" : " lx-by-model"}`, "data-word": word.word, "data-edit": edit,
      style: `--w:${(word.weight / most).toFixed(2)}`,
      title: `${word.asked ? "" : "The model adds this word. "}Click: raise, mute, forbid, as it was`,
      "aria-label": `${word.word}: ${SAYS[edit]}${word.asked ? "" : ", added by the model"}`, onclick: () => cycle(word.word),
    }, word.word));
  }
  const focus = $("lx-chips").contains(document.activeElement) ? document.activeElement.dataset.word : null;
  $("lx-chips").replaceChildren(...shown);
  if (focus) document.querySelector(`#lx-chips [data-word="${CSS.escape(focus)}"]`)?.focus();
}

// From what it is by now, not from what the chip shows: a second click may come before the first one's answer.
function cycle(word) {
  const next = CYCLE[editOf(word, split(state.text).forbidden)];
  if (next === "normal") state.edits.delete(word); else state.edits.set(word, next);
  search();
}

function show(kinds, found) {
  const draw = { image: (hit) => picture(hit, moreLike), chapter: (hit) => chapter(hit, question()) };
  const count = found.reduce((sum, answer) => sum + answer.hits.length, 0);
  const took = Math.max(...found.map((answer) => answer.took_ms));
  say(`${count} found in ${Math.round(took)} ms`);
  $("lx-results").replaceChildren(...kinds.map((kind, at) => section(kind, found[at].hits.map(draw[kind]))));
}

function moreLike(id) {
  state.like = id;
  state.edits.clear();
  withoutPicture(); // one that was dropped gives way
  setText("");
  clearTimeout(timer);
  search();
  window.scrollTo({ top: 0 });
}

function setText(text) {
  const box = textBox();
  box.value = text;
  box.dispatchEvent(new Event("input", { bubbles: true }));
}

const textBox = () => document.querySelector("#lx-text textarea, #lx-text input");

function say(text, className = "") {
  $("lx-status").className = className;
  $("lx-status").textContent = text;
}

function empty() {
  $("lx-results").removeAttribute("aria-busy");
  $("lx-chips").replaceChildren();
  state.edits.clear();
  say("");
  $("lx-results").replaceChildren(el("div", { class: "lx-empty" }, el("b", {}, "What are you looking for?"),
    el("p", {}, "Type words, drop a picture, or do both. Every answer shows the words it was found by; click a word to raise, mute or forbid it."),
    el("div", { class: "lx-examples" }, ...EXAMPLES.map((text) => el("button", { class: "lx-example", onclick: () => { setText(text); textBox().focus(); } }, text)))));
}

function fail(error) {
  state.asked = null; // the same may be asked again
  $("lx-results").removeAttribute("aria-busy");
  $("lx-chips").replaceChildren();
  say(error.message, "lx-error");
  $("lx-results").replaceChildren();
}

async function greet() {
  try {
    const health = await ask("/health");
    const loading = health.status === "loading";
    $("lx-count").textContent = `${health.pictures.toLocaleString()} pictures and ${health.chapters.toLocaleString()} chapters.`;
    if (loading) setTimeout(greet, 500);
    if (!running || loading) say(loading ? "The model is loading…" : "");
  } catch (error) { fail(error); }
}

function start() {
  if (!$("lx-results") || !textBox()) return setTimeout(start, 50);
  if (textBox().value) changed(); // typed before this script was there
  else empty();
  greet();
  startAdding(greet);
  startDropping();
}

// "/" leads to the box from anywhere but from where text is typed.
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.target.closest?.("textarea, input:not([type=range], [type=radio]), [contenteditable]") || !textBox()?.offsetParent) return;
  event.preventDefault();
  textBox().focus();
  textBox().select();
});

for (const event of ["input", "change"]) {
  document.addEventListener(event, ({ target }) => target.closest?.("#lx-text, #lx-kind, #lx-most, #lx-balance") && changed());
}
new MutationObserver(() => {
  if (shownPicture() !== state.seen) changed();
}).observe(document.body, { subtree: true, childList: true, attributes: true, attributeFilter: ["src"] });
start();
