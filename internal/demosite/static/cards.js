// An endless list of cards: 20 more each time its end comes into view.
import { el, show } from "./dom.js";

/** The list, its count and the mark at its end; more(offset) loads the next cards. */
export function endlessCards(first, more) {
  const list = el("div", { class: "cards" });
  const count = el("p", { class: "count" });
  const end = el("div", { class: "end" });

  const add = ({ columns, rows, total }) => {
    const hertz = columns.find((c) => c.key === "frequency");
    for (const note of rows) {
      list.append(el("article",
        { class: "card", "data-note": note.note, "data-frequency": note.frequency, "data-octave": note.octave },
        el("h3", {}, note.name), el("p", {}, show(note.frequency, hertz.format) + " Hz")));
    }
    count.textContent = `Showing ${list.children.length} of ${total}`;
    if (list.children.length >= total) end.remove();
  };

  let loading = false;
  const observer = new IntersectionObserver(async (entries) => {
    if (loading || !entries.some((e) => e.isIntersecting)) return;
    loading = true;
    end.setAttribute("aria-busy", "true");
    add(await more(list.children.length));
    end.removeAttribute("aria-busy");
    loading = false;
    // Observed anew, so that it fires again where the end is still in view.
    observer.unobserve(end);
    if (end.isConnected) observer.observe(end);
  }, { rootMargin: "50px" });

  add(first);
  observer.observe(end);
  return [count, list, end];
}
