// A picture or an episode, opened.
import { ask, baseName, clock, el, marked } from "./dom.js";

function dialog(title, ...parts) {
  const box = el("dialog", { class: "lx-dialog", "aria-label": title });
  box.append(el("header", {}, el("h2", {}, title), el("button", { class: "lx-close", "aria-label": "Close", title: "Close (Esc)", onclick: () => box.close() }, "✕")), ...parts);
  box.addEventListener("click", (event) => event.target === box && box.close());
  box.addEventListener("close", () => box.remove());
  document.body.append(box);
  box.showModal();
  return box;
}

// Word, weights and share of the score; the points add up to the score.
function table(hit) {
  const row = (match) => el("tr", {}, el("td", {}, match.word), ...[match.query, match.document, match.share * hit.score].map((x) => el("td", {}, x.toFixed(3))), el("td", {}, `${(100 * match.share).toFixed(1)}%`));
  return el("details", { class: "lx-explain" }, el("summary", {}, `Why: score ${hit.score.toFixed(3)}`),
    el("table", {}, el("thead", {}, el("tr", {}, ...["word", "in the question", "in the document", "points", "share"].map((name) => el("th", { scope: "col" }, name)))),
      el("tbody", {}, ...hit.explain.map(row)),
      el("tfoot", {}, el("tr", {}, el("th", { scope: "row" }, "sum"), el("td"), el("td"), el("td", { class: "lx-sum" }, hit.explain.reduce((sum, match) => sum + match.share * hit.score, 0).toFixed(3)), el("td", {}, hit.explain.length ? "100%" : "")))));
}

export async function openPicture(hit, moreLike) {
  const name = baseName(hit.source);
  const image = el("img", { src: `/documents/${hit.id}/picture?size=large`, alt: name });
  const heat = el("div", { class: "lx-heat", "aria-hidden": "true" });
  const bars = el("div", { class: "lx-bars", role: "group", "aria-label": "Words of the picture" });
  const box = dialog(name, el("div", { class: "lx-open" }, el("div", { class: "lx-stage" }, image, heat),
    el("div", {}, el("p", { class: "lx-hint" }, "Point at a word to see where it comes from."), bars,
      el("button", { class: "lx-more", onclick: () => { box.close(); moreLike(hit.id); } }, "More like this"))), table(hit));
  try {
    const { words } = await ask(`/documents/${hit.id}`);
    const matched = new Map(hit.explain.map((match) => [match.word, match]));
    const listed = [...words.filter(([word]) => matched.has(word)), ...words.filter(([word]) => !matched.has(word))].slice(0, 16);
    const most = Math.max(...words.map(([, weight]) => weight));
    bars.append(...listed.map(([word, weight]) => el("button", {
      class: matched.has(word) ? "lx-bar lx-matched" : "lx-bar", "data-word": word, style: `--w:${(weight / most).toFixed(3)}`,
    }, el("span", {}, word), el("i"), el("small", {}, weight.toFixed(2)))));
    const maps = await ask(`/documents/${hit.id}/patches?${new URLSearchParams(listed.map(([word]) => ["words", word]))}`);
    for (const bar of bars.children) {
      for (const event of ["pointerenter", "focus", "click"]) bar.addEventListener(event, () => paint(heat, maps, bar.dataset.word));
      for (const event of ["pointerleave", "blur"]) bar.addEventListener(event, () => heat.replaceChildren());
    }
    bars.dataset.ready = "true";
  } catch (error) { bars.append(el("p", { class: "lx-error" }, error.message)); }
}

function paint(heat, maps, word) {
  const weights = maps.words[word];
  if (!weights) return heat.replaceChildren();
  const [left, top, right, bottom] = maps.box;
  heat.style.cssText = `left:${100 * left}%;top:${100 * top}%;width:${100 * (right - left)}%;height:${100 * (bottom - top)}%;grid-template-columns:repeat(${maps.columns},1fr);grid-template-rows:repeat(${maps.rows},1fr)`;
  heat.dataset.word = word;
  heat.replaceChildren(...weights.map((weight) => el("i", { style: `opacity:${(0.85 * weight * weight).toFixed(3)}` })));
}

export async function openChapter(hit, asked) {
  const box = dialog(hit.episode || baseName(hit.source), el("p", { class: "lx-hint" }, "Loading the episode…"));
  try {
    const episode = await ask(`/chapters/${hit.id}?${edited(asked)}`);
    box.querySelector(".lx-hint").replaceWith(...timeline(episode, hit), table(hit));
  } catch (error) {
    Object.assign(box.querySelector(".lx-hint"), { textContent: error.message, className: "lx-error" });
  }
}

// The question with its edits, so that the chapters are scored as the list was.
function edited(asked) {
  if (!asked.text) return new URLSearchParams();
  return new URLSearchParams([["text", asked.text], ...asked.forbid.map((word) => ["forbid", word]),
    ...Object.entries(asked.weights).map(([word, factor]) => ["weight", `${word}=${factor}`])]);
}

const spoken = (chapter) => chapter.utterance?.start ?? chapter.start ?? 0;

// The chapters of an episode, each with its score; they start the player where there is audio.
function timeline(episode, hit) {
  const player = episode.audio ? el("audio", { controls: true, preload: "metadata", src: `${episode.audio}#t=${spoken(hit)}` }) : null;
  const play = (chapter) => { player.currentTime = spoken(chapter); player.play(); };
  const most = Math.max(...episode.chapters.map((chapter) => chapter.score), 1e-9);
  const rows = episode.chapters.map((chapter) => {
    const parts = [el("time", {}, clock(chapter.start)),
      el("span", {}, el("b", {}, chapter.title || "Untitled", chapter.generated ? el("i", {}, "generated") : null),
        chapter.utterance ? el("small", {}, ...marked(chapter.utterance.text, chapter.explain)) : null),
      el("span", { class: "lx-score", style: `--w:${(chapter.score / most).toFixed(3)}`, title: `score ${chapter.score.toFixed(3)}` })];
    return el("li", { class: chapter.id === hit.id ? "lx-here" : null, "aria-current": chapter.id === hit.id ? "true" : null },
      player ? el("button", { class: "lx-jump", onclick: () => play(chapter) }, ...parts) : el("div", { class: "lx-jump" }, ...parts));
  });
  const quote = hit.utterance ? el("blockquote", {}, ...marked(hit.utterance.text, hit.explain), " ", moment(episode, hit)) : null;
  return [player, quote, el("ol", { class: "lx-timeline" }, ...rows)].filter(Boolean);
}

// When it was said: a link into the audio, here or where it was published, else a time to copy.
function moment(episode, hit) {
  const at = hit.utterance.start;
  if (at === null) return null;
  const audio = episode.audio ?? episode.link;
  if (audio) return el("a", { class: "lx-moment", href: `${audio.split("#")[0]}#t=${at}`, target: "_blank", rel: "noreferrer", title: "opens the audio at this moment" }, clock(at));
  const button = el("button", { class: "lx-moment", title: "copy episode and time" }, `${clock(at)} · copy`);
  button.addEventListener("click", async () => {
    const text = `${hit.episode || baseName(hit.source)}, ${clock(at)}`;
    const copied = await navigator.clipboard?.writeText(text).then(() => true, () => false);
    button.textContent = copied ? `${clock(at)} · copied` : text;
  });
  return button;
}
