// What was found, as cards.
import { baseName, clock, el, marked } from "./dom.js";
import { openChapter, openPicture } from "./details.js";

const TITLES = { image: "Pictures", chapter: "Chapters" };

export function section(kind, cards) {
  const title = TITLES[kind];
  return el("section", { class: `lx-${title.toLowerCase()}` }, el("h2", {}, title),
    cards.length ? el("div", { class: kind === "image" ? "lx-gallery" : "lx-cards" }, ...cards)
      : el("p", { class: "lx-none" }, `No ${title.toLowerCase()} share a word with this. Try other words.`));
}

const reasons = (hit) => hit.terms.filter(([word, share]) => share >= 0.02 && !word.includes("~")).slice(0, 4).map(([word, share]) => `${word} ${Math.round(100 * share)}%`).join(" · ");

export function picture(hit, moreLike) {
  const name = baseName(hit.source), why = reasons(hit);
  const image = el("img", { src: `/documents/${hit.id}/picture`, alt: why ? `${name}, found by ${why}` : name, loading: "lazy" });
  image.addEventListener("error", () => image.replaceWith(el("span", { class: "lx-lost" }, "the file is not there any more")), { once: true });
  return el("button", { class: "lx-picture", "data-id": hit.id, onclick: () => openPicture(hit, moreLike) },
    el("span", { class: "lx-frame" }, image), el("span", { class: "lx-caption" }, el("b", {}, name), el("small", {}, why)));
}

export function chapter(hit, asked) {
  const times = hit.start === null ? null : el("time", {}, `${clock(hit.start)}–${clock(hit.end)}`);
  return el("button", { class: "lx-card", "data-id": hit.id, onclick: () => openChapter(hit, asked) },
    el("small", { class: "lx-episode" }, el("span", {}, hit.episode || baseName(hit.source)), times),
    el("b", {}, hit.title || "Untitled", hit.generated ? el("i", { title: "the title was made from the text" }, "generated") : null),
    hit.utterance ? el("q", {}, ...marked(hit.utterance.text, hit.explain)) : null,
    el("small", {}, reasons(hit)));
}
