// What the documentation's pages do with a script: search, sign in, try an operation, choose the language of the
// samples, copy, and open the menu on a phone. It renders nothing that a server says as HTML.
const $ = (selector, within = document) => within.querySelector(selector);
const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

document.documentElement.classList.add("script");

// The menu.
const menuButton = $(".menu-button");
function showMenu(open) {
  document.documentElement.classList.toggle("menu-open", open);
  menuButton.setAttribute("aria-expanded", open);
}
menuButton.addEventListener("click", () => showMenu(menuButton.getAttribute("aria-expanded") !== "true"));
$("#content").addEventListener("click", () => showMenu(false));
$('#menu [aria-current="page"]')?.scrollIntoView({ block: "nearest" });

// Copying.
for (const button of $$(".copy")) {
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText($("code", button.parentElement).textContent);
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
}

// Tabs: the language that was chosen last is shown first.
for (const samples of $$(".samples")) {
  const sections = $$(".sample", samples);
  const list = element("div", { className: "tabs", role: "tablist", ariaLabel: "Language" });
  const buttons = sections.map((section, i) => {
    section.id = `sample-${i}`;
    section.setAttribute("role", "tabpanel");
    const button = element("button", { type: "button", role: "tab", textContent: section.dataset.label });
    button.setAttribute("aria-controls", section.id);
    return button;
  });
  const choose = (at) => {
    sections.forEach((section, i) => (section.hidden = i !== at));
    buttons.forEach((button, i) => {
      button.ariaSelected = String(i === at);
      button.tabIndex = i === at ? 0 : -1;
    });
  };
  buttons.forEach((button, i) => {
    button.addEventListener("click", () => {
      choose(i);
      localStorage.setItem("language", button.textContent);
    });
    button.addEventListener("keydown", ({ key }) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
      if (step === undefined) return;
      const next = buttons[(i + step + buttons.length) % buttons.length];
      next.click();
      next.focus();
    });
  });
  list.append(...buttons);
  samples.prepend(list);
  samples.classList.add("tabbed");
  choose(Math.max(0, buttons.findIndex((button) => button.textContent === localStorage.getItem("language"))));
}

// Search: each word must be found; the title counts most.
const search = $("#search");
const hits = $(".hits");
let index;
const loadIndex = () => (index ??= fetch("/docs/search.json").then((answer) => answer.json()));

function score(hit, words) {
  let sum = 0;
  for (const word of words) {
    const title = hit.title.toLowerCase();
    if (title === word || hit.name === word) sum += 20;
    else if (title.split(/[^a-z0-9]+/).some((part) => part.startsWith(word))) sum += 8;
    else if (title.includes(word)) sum += 5;
    else if (`${hit.name} ${hit.note}`.toLowerCase().includes(word)) sum += 4;
    else if (hit.text.toLowerCase().includes(word)) sum += 1;
    else return 0;
  }
  return sum + (hit.kind === "operation" ? 1 : 0);
}

async function find() {
  const asked = search.value;
  const words = asked.toLowerCase().split(/\s+/).filter(Boolean);
  const all = await loadIndex();
  if (asked !== search.value) return;
  const found = all.map((hit) => ({ hit, score: score(hit, words) })).filter((h) => h.score > 0);
  found.sort((a, b) => b.score - a.score);
  const shown = found.slice(0, 12).map(({ hit }) =>
    element(
      "li",
      {},
      element("a", { href: hit.path }, hit.title, element("small", { textContent: hit.note || hit.kind })),
    ),
  );
  const none = element("li", {}, element("p", { className: "none", textContent: "Nothing was found." }));
  $("ul", hits).replaceChildren(...(shown.length > 0 ? shown : [none]));
  $("[role=status]", hits).textContent = `${found.length} found`;
  hits.hidden = words.length === 0;
}
search.addEventListener("focus", () => { loadIndex(); if (search.value) find(); });
search.addEventListener("input", find);
search.addEventListener("keydown", (event) => {
  if (event.key === "Enter") $("a", hits)?.click();
});
$(".search").addEventListener("keydown", (event) => {
  const links = [search, ...$$("a", hits)];
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (event.key === "Escape") hits.hidden = true;
  if (step === undefined) return;
  event.preventDefault();
  links[Math.min(links.length - 1, Math.max(0, links.indexOf(document.activeElement) + step))].focus();
});
$(".search").addEventListener("focusout", ({ relatedTarget }) => {
  if (!$(".search").contains(relatedTarget)) hits.hidden = true;
});
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select, dialog");
  if ((event.key === "/" && !typing) || (event.key === "k" && (event.ctrlKey || event.metaKey))) {
    event.preventDefault();
    search.focus();
  }
});

// The session: the token is kept for this tab.
const account = $(".account");
const signIn = $(".sign-in");
const session = () => JSON.parse(sessionStorage.getItem("session") ?? "null");
function keepSession(kept) {
  if (kept) sessionStorage.setItem("session", JSON.stringify(kept));
  else sessionStorage.removeItem("session");
  signIn.textContent = kept ? `Sign out ${kept.email}` : "Sign in";
  signIn.title = kept ? kept.email : "";
}
keepSession(session());
const authorization = () => (session() ? { Authorization: `Bearer ${session().token}` } : {});

signIn.addEventListener("click", async () => {
  if (!session()) return account.showModal();
  await fetch("/v1/session", { method: "DELETE", headers: authorization() }).catch(() => {});
  keepSession(null);
});
$(".quiet", account).addEventListener("click", () => account.close());
$("form", account).addEventListener("submit", async (event) => {
  event.preventDefault();
  const refused = $(".refused", account);
  refused.textContent = "";
  const credentials = Object.fromEntries(new FormData(event.target));
  try {
    const answer = await fetch("/v1/sessions", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(credentials),
    });
    const body = await answer.json();
    if (!answer.ok) return void (refused.textContent = body.detail);
    keepSession({ token: body.token, email: credentials.email });
    $("[name=password]", account).value = "";
    account.close();
  } catch {
    refused.textContent = "The server did not answer.";
  }
});

// Trying an operation. Ids and ETags of what was answered are kept, to fill in the forms of other operations.
const kept = JSON.parse(sessionStorage.getItem("seen") ?? "{}");
function keep(name, value) {
  kept[name] = value;
  sessionStorage.setItem("seen", JSON.stringify(kept));
}

function remember(tag, path, answer, body) {
  const row = Array.isArray(body?.items) ? body.items[0] : body;
  if (!row) return;
  const etag = answer.headers.get("ETag");
  if (etag) keep(`etag ${row.id ?? row.name}`, etag);
  const noun = tag.replace(/ies$/, "y").replace(/s$/, "");
  const isPart = /\/(events|entries|messages|phone-numbers|reads|consents|charges|deposits|patient)/.test(path);
  const last = path.split("/").at(-1).replace(/ies$/, "y").replace(/s$/, "");
  if (row.id) keep(isPart ? `${last}_id` : `${noun}_id`, row.id);
  for (const [name, value] of Object.entries(row)) if (name.endsWith("_id") && value && !kept[name]) keep(name, value);
}

const token = /("(?:[^"\\]|\\.)*")(\s*:)?|(-?\b\d[\d.eE+-]*\b)|\b(true|false|null)\b/g;
function marked(text) {
  const parts = [];
  let from = 0;
  for (const found of text.matchAll(token)) {
    const kind = found[1] ? (found[2] ? "name" : "string") : found[3] ? "number" : "keyword";
    const word = found[1] ?? found[0];
    parts.push(text.slice(from, found.index), element("span", { className: kind, textContent: word }));
    from = found.index + word.length;
  }
  return [...parts, text.slice(from)];
}

function requestOf(form, method, path) {
  const query = new URLSearchParams();
  const headers = { ...authorization() };
  for (const field of $$("[data-in]", form)) {
    const { name, value } = field;
    if (value === "") continue;
    if (field.dataset.in === "path") path = path.replace(`{${name}}`, encodeURIComponent(value));
    else if (field.dataset.in === "query") query.set(name, value);
    else headers[name] = value;
  }
  const body = form.elements.body?.value || undefined;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  return { path, url: query.size > 0 ? `${path}?${query}` : path, init: { method, headers, body } };
}

async function showText(answer, output) {
  if (answer.headers.get("Content-Type")?.startsWith("text/event-stream")) {
    const decoder = new TextDecoder();
    for await (const chunk of answer.body) output.append(decoder.decode(chunk, { stream: true }));
    return undefined;
  }
  const text = await answer.text();
  try {
    const body = JSON.parse(text);
    output.replaceChildren(...marked(JSON.stringify(body, null, 2)));
    return body;
  } catch {
    output.textContent = text;
  }
}

for (const panel of $$(".try")) {
  const { method, path, tag } = panel.dataset;
  const form = $("form", panel);
  const stop = $(".stop", panel);
  const shown = $(".answer", panel);
  const outcome = $(".outcome", panel);
  const output = $(".code code", shown);
  let sending;

  const fill = () => {
    for (const field of $$("[data-in=path]", form)) if (kept[field.name]) field.value = kept[field.name];
    const match = form.elements["If-Match"];
    const etag = kept[`etag ${$$("[data-in=path]", form).at(-1)?.value}`];
    if (match?.required && etag) match.value = etag;
  };
  panel.addEventListener("toggle", fill);

  stop.addEventListener("click", () => sending?.abort());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!session() && panel.dataset.public === undefined) account.showModal();
    sending?.abort();
    const { signal } = (sending = new AbortController());
    const request = requestOf(form, method, path);
    const began = performance.now();
    shown.hidden = false;
    stop.hidden = false;
    output.replaceChildren();
    outcome.className = "outcome";
    outcome.textContent = "Sending…";
    try {
      const answer = await fetch(request.url, { ...request.init, signal });
      const took = Math.round(performance.now() - began);
      outcome.classList.add(answer.ok ? "good" : "bad");
      outcome.textContent = `${answer.status} ${answer.statusText} in ${took} ms`;
      $(".headers", shown).textContent = [...answer.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
      const body = await showText(answer, output);
      if (body?.code) outcome.append(" · ", element("a", { href: `/errors/${body.code}`, textContent: body.code }));
      if (answer.ok) remember(tag, request.path, answer, body);
      if (answer.status === 401) keepSession(null);
    } catch {
      if (!signal.aborted) outcome.textContent = "The server did not answer.";
      outcome.classList.toggle("bad", !signal.aborted);
    }
    stop.hidden = true;
  });
}
