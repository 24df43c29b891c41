// Keeps the page current and says when the sandbox is away. Without it, links and buttons work too.
"use strict";

const EVERY_MS = 3000;
const REGIONS = ["story", "lists"];
const unreachable = document.getElementById("unreachable");

function away(isAway) {
  unreachable.hidden = !isAway;
  document.body.classList.toggle("away", isAway);
  for (const button of document.querySelectorAll("form button")) button.disabled = isAway;
}

// The server wrote and escaped both documents: elements are moved over, no text becomes markup here.
function take(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html");
  for (const id of REGIONS) {
    const old = document.getElementById(id);
    const next = document.adoptNode(fresh.getElementById(id));
    for (const details of next.querySelectorAll("details[id]")) {
      const before = document.getElementById(details.id);
      if (before) details.open = before.open;
    }
    if (old.isEqualNode(next)) continue;
    const held = document.activeElement;
    const scrolled = [...old.querySelectorAll(".list")].map((list) => list.scrollTop);
    old.replaceWith(next);
    next.querySelectorAll(".list").forEach((list, index) => { list.scrollTop = scrolled[index] || 0; });
    // The same link or button, not the one that now stands in its place.
    if (old.contains(held)) {
      const same = [...next.querySelectorAll(held.localName)].find((one) => one.isEqualNode(held));
      same?.focus({ preventScroll: true });
    }
  }
  document.getElementById("asof").replaceWith(document.adoptNode(fresh.getElementById("asof")));
  document.title = fresh.title;
}

async function refresh() {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.href, { signal: AbortSignal.timeout(10000) });
    take(await answer.text());
    away(false);
  } catch {
    away(true);
  }
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.method !== "post") return;
  event.preventDefault();
  const sent = new URLSearchParams(new FormData(form, event.submitter));
  try {
    const answer = await fetch(form.action, { method: "POST", body: sent });
    if (answer.redirected) {
      location.assign(answer.url);
    } else {
      take(await answer.text());
      document.getElementById("story").scrollIntoView();
    }
  } catch {
    away(true);
    unreachable.scrollIntoView();
  }
});

setInterval(refresh, EVERY_MS);
