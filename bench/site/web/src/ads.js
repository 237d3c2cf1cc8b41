// What advertisements cost a page: some work on the document, and one request
// more whose answer is put beside the rows.
const slots = ["top", "middle", "bottom"];

function card(slot, line, width) {
  const box = document.createElement("div");
  box.className = "ad";
  box.dataset.slot = slot;
  const title = document.createElement("strong");
  title.textContent = line;
  const bar = document.createElement("div");
  bar.className = "bar";
  bar.style.width = width + "%";
  const small = document.createElement("span");
  small.textContent = "Advertisement";
  box.append(small, title, bar);
  return box;
}

// What such a script finds out of a visitor before it asks for an offer.
function traits() {
  let hash = 2166136261;
  const text = [navigator.userAgent, navigator.language, screen.width, screen.height, new Date().getTimezoneOffset()].join("|");
  for (let round = 0; round < 200; round++) {
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 16777619);
  }
  return (hash >>> 0).toString(16);
}

async function fill() {
  const aside = document.querySelector("aside");
  if (!aside) return;
  for (const slot of slots) aside.append(card(slot, "…", 10));
  const response = await fetch("/ads/offers?page=" + encodeURIComponent(location.pathname) + "&who=" + traits());
  if (!response.ok) return;
  const offers = await response.json();
  for (const slot of slots) {
    const old = aside.querySelector('[data-slot="' + slot + '"]');
    const offer = offers[slot];
    if (!old || !offer) continue;
    old.replaceWith(card(slot, offer.line, Math.min(100, Math.max(5, old.offsetWidth / 4))));
  }
}

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", fill);
else fill();
