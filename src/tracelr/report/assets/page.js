// The page: colours, which schedule is shown, tabs, copying.

function theme() {
  const group = document.querySelector(".theme");
  const choose = (name) => {
    if (name) document.documentElement.dataset.theme = name;
    else delete document.documentElement.dataset.theme;
    for (const one of group.children) one.setAttribute("aria-pressed", one.dataset.theme === name);
  };
  let kept = "";
  try {
    kept = localStorage.getItem("tracelr-theme") || "";
  } catch { /* a page may be opened where nothing can be kept */ }
  for (const one of group.children) {
    one.addEventListener("click", () => {
      choose(one.dataset.theme);
      try {
        localStorage.setItem("tracelr-theme", one.dataset.theme);
      } catch { /* as above */ }
    });
  }
  choose(["light", "dark"].includes(kept) ? kept : "");
  group.hidden = false;
}

function tabs(root) {
  const all = [...root.querySelectorAll(":scope > [role=tablist] > [role=tab]")];
  const panel = (tab) => document.getElementById(tab.getAttribute("aria-controls"));
  const choose = (tab) => {
    for (const one of all) {
      const chosen = one === tab;
      one.setAttribute("aria-selected", chosen);
      one.tabIndex = chosen ? 0 : -1;
      panel(one).hidden = !chosen;
    }
  };
  all.forEach((tab, k) => {
    tab.addEventListener("click", () => choose(tab));
    tab.addEventListener("keydown", (event) => {
      const to = { ArrowLeft: k - 1, ArrowRight: k + 1, Home: 0, End: all.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      const next = all[(to + all.length) % all.length];
      choose(next);
      next.focus();
    });
  });
  root.classList.add("ready");
  choose(all.find((tab) => tab.getAttribute("aria-selected") === "true") || all[0]);
}

async function copy(press) {
  const text = press.closest(".panel").querySelector("code").textContent;
  let done = false;
  try {
    await navigator.clipboard.writeText(text);
    done = true;
  } catch {
    const field = made("textarea", { class: "away" });
    field.value = text;
    document.body.append(field);
    field.select();
    done = document.execCommand("copy"); // where a page from a file may not use the clipboard itself
    field.remove();
    press.focus();
  }
  press.textContent = done ? "Copied" : "Not copied";
  setTimeout(() => { press.textContent = "Copy"; }, 1500);
}

function start() {
  const about = JSON.parse(document.getElementById("data").textContent);
  const curves = about.schedules.map((one) => new Curve(one)), beside = about.beside.map((one) => new Curve(one));
  const articles = [...document.querySelectorAll("main > article")];
  const ready = new Set();
  const show = (article) => {
    for (const one of articles) one.hidden = one !== article;
    for (const link of document.querySelectorAll("a[data-choose]")) {
      if (link.dataset.choose === article.id) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
    if (ready.has(article)) return;
    ready.add(article);
    const curve = curves[articles.indexOf(article)];
    const others = [...curves, ...beside].filter((one) => one !== curve && one.key === curve.key);
    const plot = new Plot(article.querySelector(".curve-box"), curve, others, about);
    new GraphView(article.querySelector(".graph-box"));
    for (const press of article.querySelectorAll(".zoom")) {
      press.addEventListener("click", () => {
        const first = Number(press.dataset.first), until = Number(press.dataset.until || curve.last);
        const room = (until - first) * 0.02;
        plot.show(first - room, until + room);
        plot.go(curve.nearest(first));
        plot.area.focus();
      });
    }
  };
  const follow = () => {
    const target = document.getElementById(location.hash.slice(1));
    show((target && target.closest("main > article")) || articles.find((one) => !one.hidden) || articles[0]);
    const folded = target && target.querySelector(":scope > details");
    if (folded) folded.open = true;
    if (target) target.scrollIntoView();
  };
  for (const link of document.querySelectorAll(".parts a")) link.addEventListener("click", () => setTimeout(follow)); // also the same part again
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("article details:not([open])")];
    for (const one of opened) one.open = true;
  });
  addEventListener("afterprint", () => {
    for (const one of opened) one.open = false;
  });
  document.querySelectorAll(".tabs").forEach(tabs);
  document.querySelectorAll(".copy").forEach((press) => press.addEventListener("click", () => copy(press)));
  addEventListener("hashchange", follow);
  if (articles.length > 1) for (const one of articles.slice(1)) one.hidden = true;
  follow();
}

theme();
start();
