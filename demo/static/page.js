// Search as you type, chips, and the cards of what was found.
import { $, ask, baseName, clock, el, marked } from "./dom.js";
import { openChapter, openPicture } from "./details.js";
import { startAdding } from "./adding.js";

const EXAMPLES = ["a rocket taking off into the sky", "a red motorcycle", "why is the suit of an astronaut orange?", "cat whiskers -astronaut"];
const CYCLE = { normal: "raise", raise: "mute", mute: "forbid", forbid: "normal" };
const SAYS = { normal: "as it is", raise: "raised", mute: "muted", forbid: "forbidden" };
const state = { text: "", image: null, like: null, kind: "", k: 12, balance: 0.5, edits: new Map(), seen: null };
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

// Gradio's components, read where they stand in the page.
async function changed() {
  const value = (query, fallback) => document.querySelector(query)?.value ?? fallback;
  state.text = value("#lx-text textarea", "");
  state.kind = value("#lx-kind input:checked", "");
  state.k = Number(value("#lx-most input[type=range]", 12));
  state.balance = Number(value("#lx-balance input[type=range]", 0.5));
  const address = document.querySelector('#lx-image img[src*="/file="]')?.src ?? null;
  if (address !== state.seen) {
    state.seen = address;
    state.image = null;
    if (address) {
      state.like = null;
      try { state.image = await base64(address); } catch (error) { return fail(error); }
    }
  }
  clearTimeout(timer);
  timer = setTimeout(search, 120);
}

async function base64(address) {
  const blob = await (await fetch(address)).blob();
  return await new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(String(reader.result).split(",")[1] ?? "");
    reader.onerror = () => failed(new Error("The picture cannot be read by this browser."));
    reader.readAsDataURL(blob);
  });
}

async function search() {
  running?.abort();
  const mine = (running = new AbortController());
  const asked = question();
  if (!asked.text && !asked.image && asked.like === null) return empty();
  $("lx-results").setAttribute("aria-busy", "true");
  try {
    const kinds = state.kind ? [state.kind] : ["image", "chapter"];
    const found = await Promise.all(kinds.map((kind) => ask("/search", {
      method: "POST", headers: { "content-type": "application/json" }, signal: mine.signal,
      body: JSON.stringify({ ...asked, kind, k: state.k }),
    })));
    if (mine.signal.aborted) return;
    chips(found[0].words, asked.forbid);
    show(kinds, found);
  } catch (error) {
    if (error.name !== "AbortError") fail(error);
  } finally {
    if (running === mine) $("lx-results").removeAttribute("aria-busy");
  }
}

function chips(words, forbidden) {
  const shown = [];
  if (state.like !== null) shown.push(el("button", { class: "lx-chip lx-like", onclick: () => { state.like = null; search(); } },
    el("img", { src: `/documents/${state.like}/picture`, alt: "" }), "like this ✕"));
  const known = new Map(words.map((word) => [word.word, word]));
  const gone = [...state.edits.keys(), ...forbidden].filter((word) => !known.has(word));
  const most = Math.max(...words.map((word) => word.weight), 0.001);
  for (const word of [...words, ...[...new Set(gone)].map((word) => ({ word, weight: 0, asked: true }))]) {
    const edit = state.edits.get(word.word) ?? (forbidden.includes(word.word) ? "forbid" : "normal");
    shown.push(el("button", {
      class: `lx-chip lx-${edit}${word.asked ? "" : " lx-by-model"}`, "data-word": word.word, "data-edit": edit,
      style: `--w:${(word.weight / most).toFixed(2)}`,
      title: word.asked ? "click: raise, mute, forbid, as it was" : "the model adds this word; click: raise, mute, forbid",
      "aria-label": `${word.word}: ${SAYS[edit]}`, onclick: () => cycle(word.word, edit),
    }, word.word));
  }
  const focus = document.activeElement?.dataset?.word;
  $("lx-chips").replaceChildren(...shown);
  if (focus) document.querySelector(`#lx-chips [data-word="${CSS.escape(focus)}"]`)?.focus();
}

function cycle(word, edit) {
  const next = CYCLE[edit];
  if (next === "normal") state.edits.delete(word); else state.edits.set(word, next);
  search();
}

function show(kinds, found) {
  const parts = [];
  kinds.forEach((kind, at) => {
    const hits = found[at].hits;
    const title = kind === "image" ? "Pictures" : "Chapters";
    parts.push(el("section", { class: `lx-${kind}s` }, el("h2", {}, title),
      hits.length ? el("div", { class: kind === "image" ? "lx-gallery" : "lx-cards" }, ...hits.map(kind === "image" ? picture : chapter))
        : el("p", { class: "lx-none" }, `No ${title.toLowerCase()} share a word with this. Try other words.`)));
  });
  const count = found.reduce((sum, answer) => sum + answer.hits.length, 0);
  const took = Math.max(...found.map((answer) => answer.took_ms));
  $("lx-status").className = "";
  $("lx-status").textContent = `${count} found in ${Math.round(took)} ms`;
  $("lx-results").replaceChildren(...parts);
}

const reasons = (hit) => hit.terms.filter(([word, share]) => share >= 0.01 && !word.includes("~")).slice(0, 4).map(([word, share]) => `${word} ${Math.round(100 * share)}%`).join(" · ");

function picture(hit) {
  const name = baseName(hit.source);
  const image = el("img", { src: `/documents/${hit.id}/picture`, alt: `${name}: ${reasons(hit)}`, loading: "lazy" });
  image.addEventListener("error", () => image.replaceWith(el("span", { class: "lx-lost" }, "the file is not there any more")), { once: true });
  return el("button", { class: "lx-picture", "data-id": hit.id, onclick: () => openPicture(hit, moreLike) },
    el("span", { class: "lx-frame" }, image), el("span", { class: "lx-caption" }, el("b", {}, name), el("small", {}, reasons(hit))));
}

function chapter(hit) {
  return el("button", { class: "lx-card", "data-id": hit.id, onclick: () => openChapter(hit, question()) },
    el("small", {}, hit.episode || baseName(hit.source)),
    el("b", {}, hit.title || "Untitled", hit.generated ? el("i", { title: "the title was made from the text" }, " made") : null),
    hit.utterance ? el("q", {}, ...marked(hit.utterance.text, hit.explain)) : null,
    el("small", { class: "lx-times" }, hit.start === null ? "" : `${clock(hit.start)}–${clock(hit.end)}`, "  ", reasons(hit)));
}

function moreLike(id) {
  state.like = id;
  state.edits.clear();
  setText("");
  search();
}

function setText(text) {
  const box = document.querySelector("#lx-text textarea, #lx-text input");
  state.text = text;
  box.value = text;
  box.dispatchEvent(new Event("input", { bubbles: true }));
}

function empty() {
  $("lx-chips").replaceChildren();
  $("lx-status").className = "";
  $("lx-status").textContent = "";
  $("lx-results").replaceChildren(el("div", { class: "lx-empty" }, el("b", {}, "What are you looking for?"),
    el("p", {}, "Type words, drop a picture, or do both. Every answer shows the words it was found by; click a word to raise, mute or forbid it.")));
}

function fail(error) {
  $("lx-status").className = "lx-error";
  $("lx-status").textContent = error.message;
  $("lx-results").replaceChildren();
}

async function greet() {
  try {
    const health = await ask("/health");
    $("lx-count").textContent = `${health.pictures.toLocaleString()} pictures and ${health.chapters.toLocaleString()} chapters.`;
    if (health.status === "loading") setTimeout(greet, 500);
    if (!question().text) $("lx-status").textContent = health.status === "loading" ? "The model is loading…" : "";
  } catch (error) { fail(error); }
}

function start() {
  if (!$("lx-results") || !$("lx-examples")) return setTimeout(start, 50);
  $("lx-examples").replaceChildren(...EXAMPLES.map((text) => el("button", { class: "lx-example", onclick: () => { state.edits.clear(); state.like = null; setText(text); } }, text)));
  empty();
  greet();
  const adding = () => ($("lx-drop") ? startAdding(greet) : setTimeout(adding, 300));
  adding();
}

for (const event of ["input", "change"]) {
  document.addEventListener(event, ({ target }) => target.closest?.("#lx-text, #lx-kind, #lx-most, #lx-balance") && changed());
}
new MutationObserver(() => {
  const address = document.querySelector('#lx-image img[src*="/file="]')?.src ?? null;
  if (address !== state.seen) changed();
}).observe(document.body, { subtree: true, childList: true, attributes: true, attributeFilter: ["src"] });
start();
