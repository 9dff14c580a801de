// What the report's reader can do: sort, filter, choose a layer, read tooltips, change the theme. The page is complete
// without it. All state stands in the URL's hash, so that a link leads to what one sees.
"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const make = (tag, attributes = {}, ...content) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...content);
    return made;
  };
  const GROUP = "\u202f";
  const grouped = (number) => String(number).replace(/\B(?=(\d{3})+$)/g, GROUP);
  const kindOf = (tag) => tag.slice(0, tag.indexOf("-"));
  // The number in a cell: data-v where its text says more or less than that; null of what is none.
  const valueOf = (cell) => {
    const text = cell.dataset.v ?? cell.textContent.trim().replaceAll(GROUP, "").replace("\u2212", "-");
    return /^[+-]?\d/.test(text) ? Number(text) : null;
  };
  const collator = new Intl.Collator("en", { numeric: true });

  // --- state: one record, written to the hash and read from it ------------------------------------------------------

  const state = { at: "", theme: "", chosen: new Map(), sort: new Map(), filter: new Map() };

  function write() {
    const words = new URLSearchParams();
    if (state.at) words.set("at", state.at);
    for (const tag of state.chosen.values()) words.append("choose", tag);
    for (const [id, order] of state.sort) words.set(`sort.${id}`, order);
    for (const [id, text] of state.filter) words.set(`filter.${id}`, text);
    if (state.theme) words.set("theme", state.theme);
    const hash = `#${words}`;
    if (hash !== location.hash && !(hash === "#" && !location.hash)) history.replaceState(null, "", hash);
  }

  function read() {
    const hash = location.hash.slice(1);
    for (const map of [state.chosen, state.sort, state.filter]) map.clear();
    state.at = state.theme = "";
    if (hash && !hash.includes("=")) {
      state.at = decode(hash);
      return;
    }
    for (const [name, value] of new URLSearchParams(hash)) {
      if (name === "at") state.at = value;
      else if (name === "choose" && value.includes("-")) state.chosen.set(kindOf(value), value);
      else if (name === "theme" && (value === "light" || value === "dark")) state.theme = value;
      else if (name.startsWith("sort.")) state.sort.set(name.slice(5), value);
      else if (name.startsWith("filter.")) state.filter.set(name.slice(7), value);
    }
  }

  function decode(text) {
    try {
      return decodeURIComponent(text);
    } catch {
      return text;
    }
  }

  // --- tables -------------------------------------------------------------------------------------------------------

  class Table {
    constructor(block) {
      this.id = block.id;
      this.body = block.querySelector("tbody");
      this.rows = [...this.body.rows].map((row, place) => ({
        row,
        place,
        last: row.classList.contains("total") ? 2 : row.classList.contains("other") ? 1 : 0,
        tags: (row.dataset.tags || "").split(" ").filter(Boolean),
      }));
      this.kinds = new Set(this.rows.flatMap((item) => item.tags.map(kindOf)));
      this.heads = all("thead th", block);
      this.given = this.heads.map((head) => head.getAttribute("aria-sort"));
      this.adds = this.heads.findIndex((head) => head.dataset.adds !== undefined);
      this.bar = make("div", { class: "bar-of-table" });
      this.status = make("span", { class: "status", role: "status" });
      if (this.heads.some((head) => head.classList.contains("n")) && this.rows.length > 5) this.addSorting();
      const caption = block.querySelector(".caption");
      if (block.dataset.filter === "true") this.addFilter(caption.textContent);
      this.chips = make("span", { class: "chips" });
      this.bar.append(this.chips, this.status);
      caption.after(this.bar);
    }

    addSorting() {
      this.heads.forEach((head) => {
        const button = make("button", { type: "button", class: "sort" });
        button.append(...head.childNodes);
        if (head.title) button.title = head.title;
        head.removeAttribute("title");
        head.append(button);
        button.addEventListener("click", () => {
          const key = head.dataset.key;
          const numeric = head.classList.contains("n");
          const orders = numeric ? [`-${key}`, key, ""] : [key, `-${key}`, ""];
          const now = state.sort.get(this.id) || this.initial();
          const next = orders[(orders.indexOf(now) + 1) % 3];
          if (next) state.sort.set(this.id, next);
          else state.sort.delete(this.id);
          this.sort();
          write();
        });
      });
    }

    initial() {
      const place = this.given.findIndex(Boolean);
      return place < 0 ? "" : (this.given[place] === "descending" ? "-" : "") + this.heads[place].dataset.key;
    }

    addFilter(caption) {
      const id = `${this.id}-filter`;
      this.input = make("input", { type: "search", id, autocomplete: "off", spellcheck: "false" });
      this.bar.append(make("label", { for: id }, "Filter", make("span", { class: "unseen" }, ` ${caption}`)), this.input);
      let timer = 0;
      this.input.addEventListener("input", () => {
        // the state knows at once what was typed: what else is done within the pause would take it back
        const text = this.input.value.trim();
        if (text) state.filter.set(this.id, text);
        else state.filter.delete(this.id);
        clearTimeout(timer);
        timer = setTimeout(() => {
          this.filter();
          write();
        }, 120);
      });
    }

    sort() {
      const order = state.sort.get(this.id) || "";
      const down = order.startsWith("-");
      const place = this.heads.findIndex((head) => head.dataset.key === (down ? order.slice(1) : order));
      this.heads.forEach((head, index) => {
        const given = place < 0 ? this.given[index] : index === place ? (down ? "descending" : "ascending") : null;
        if (given) head.setAttribute("aria-sort", given);
        else head.removeAttribute("aria-sort");
      });
      if (place < 0 && !this.sorted) return;
      this.sorted = place >= 0;
      const numeric = place >= 0 && this.heads[place].classList.contains("n");
      const value = (item) => {
        const cell = item.row.cells[place];
        return numeric ? valueOf(cell) : cell.textContent.trim();
      };
      const keyed = this.rows.map((item) => ({ item, value: place < 0 ? 0 : value(item) }));
      keyed.sort((a, b) => {
        if (place < 0) return a.item.place - b.item.place;
        if (a.item.last !== b.item.last) return a.item.last - b.item.last;
        if (a.value === null || b.value === null) return (a.value === null) - (b.value === null) || a.item.place - b.item.place;
        const compared = numeric ? a.value - b.value : collator.compare(a.value, b.value);
        return (down ? -compared : compared) || a.item.place - b.item.place;
      });
      this.body.append(...keyed.map(({ item }) => item.row));
    }

    chosen() {
      return [...state.chosen].filter(([kind]) => this.kinds.has(kind)).map(([, tag]) => tag);
    }

    filter() {
      const words = (state.filter.get(this.id) || "").toLowerCase().split(/\s+/).filter(Boolean);
      const chosen = this.chosen();
      if (this.input && this.input.value.trim() !== (state.filter.get(this.id) || "")) {
        this.input.value = state.filter.get(this.id) || "";
      }
      let shown = 0, items = 0, sum = 0;
      for (const item of this.rows) {
        const apart = item.tags.length === 0 || item.tags.every((tag) => !state.chosen.has(kindOf(tag)));
        const matched = apart ? chosen.length === 0 : chosen.every((tag) => item.tags.includes(tag));
        const closes = item.last > 0 && (words.length === 0 || item.tags.length === 0 || chosen.length > 0);
        const found = closes || words.every((word) => this.text(item).includes(word));
        const on = matched && found;
        item.row.classList.toggle("off", !on);
        if (item.last === 2) continue;
        items += 1;
        if (!on) continue;
        shown += 1;
        if (this.adds >= 0) sum += valueOf(item.row.cells[this.adds]) || 0;
      }
      const narrowed = words.length > 0 || chosen.length > 0;
      const unit = this.adds >= 0 ? this.heads[this.adds].dataset.adds : "";
      const added = this.adds >= 0 && Number.isSafeInteger(sum) ? `, ${grouped(sum)} ${unit} together` : "";
      this.status.textContent = narrowed ? `${grouped(shown)} of ${grouped(items)} rows${added}` : "";
      this.chips.replaceChildren(...chosen.map(chip));
    }

    text(item) {
      if (item.text === undefined) {
        const hidden = all("[data-tip]", item.row).map((cell) => cell.dataset.tip);
        item.text = [item.row.textContent, ...hidden].join(" ").toLowerCase();
      }
      return item.text;
    }
  }

  function chip(tag) {
    const made = make("button", { type: "button", class: "chip" }, `${tag.replace("-", " ")} `, make("span", { "aria-hidden": "true" }, "\u2715"));
    made.setAttribute("aria-label", `${tag.replace("-", " ")} is chosen: show all`);
    made.addEventListener("click", () => {
      const near = made.closest(".block, figure").querySelector("[tabindex='0']");
      choose(tag);
      near.focus({ preventScroll: true });
    });
    return made;
  }

  // --- choosing -----------------------------------------------------------------------------------------------------

  function choose(tag) {
    const kind = kindOf(tag);
    if (state.chosen.get(kind) === tag) state.chosen.delete(kind);
    else state.chosen.set(kind, tag);
    showChosen(true);
    write();
  }

  function showChosen(open) {
    const tags = new Set(state.chosen.values());
    for (const item of all("[data-choose]")) {
      const on = tags.has(item.dataset.choose);
      item.classList.toggle("chosen", on);
      if (item.classList.contains("mark")) item.setAttribute("aria-pressed", on);
      else if (on) item.setAttribute("aria-current", "true");
      else item.removeAttribute("aria-current");
    }
    for (const row of all("tr[id]")) row.classList.toggle("chosen", tags.has(row.id));
    for (const table of tables) {
      table.filter();
      if (open && table.chosen().length) reveal(table.body);
    }
    all(".icicle").forEach((chart) => zoom(chart, tags));
  }

  // --- charts -------------------------------------------------------------------------------------------------------

  const number = (element, name) => parseFloat(element.getAttribute(name)) || 0;

  function zoom(chart, tags) {
    const inner = chart.querySelector(".zoom");
    const mark = all(".mark", inner).find((item) => tags.has(item.dataset.choose));
    const rect = mark && mark.querySelector("rect");
    const width = rect ? number(rect, "width") : 100;
    const scale = width > 0 ? 100 / width : 1;
    inner.setAttribute("width", `${100 * scale}%`);
    inner.setAttribute("x", `${rect ? -number(rect, "x") * scale : 0}%`);
    const tools = chart.closest("figure").querySelector(".chips");
    tools.replaceChildren(...(mark ? [chip(mark.dataset.choose)] : []));
    relabel(chart);
  }

  // Names appear on the marks that have room for them at this width.
  function relabel(chart) {
    const scale = number(chart.querySelector(".zoom"), "width") / 100;
    const room = chart.clientWidth || chart.parentElement.clientWidth;
    for (const mark of all(".mark", chart)) {
      const rect = mark.querySelector("rect");
      const wide = (number(rect, "width") / 100) * scale * room > 34;
      let clip = mark.querySelector("svg");
      if (wide && !clip) {
        clip = rect.cloneNode();
        const made = document.createElementNS(rect.namespaceURI, "svg");
        for (const name of ["x", "y", "width", "height"]) made.setAttribute(name, clip.getAttribute(name));
        const text = document.createElementNS(rect.namespaceURI, "text");
        text.setAttribute("x", "5");
        text.setAttribute("y", "16");
        text.textContent = mark.getAttribute("aria-label").split(": ")[0];
        made.append(text);
        mark.append(made);
      } else if (clip) {
        clip.classList.toggle("off", !wide);
      }
    }
  }

  function prepare(chart) {
    const marks = all(".mark", chart);
    if (!marks.length) return;
    chart.setAttribute("role", "group");
    chart.setAttribute("aria-label", `${chart.getAttribute("aria-label")} Arrow keys lead from mark to mark.`);
    marks.forEach((mark, place) => {
      const title = mark.querySelector("title");
      mark.dataset.tip = title.textContent;
      mark.setAttribute("aria-label", title.textContent);
      title.remove();
      mark.setAttribute("role", mark.dataset.choose || mark.dataset.target ? "button" : "img");
      mark.setAttribute("tabindex", place ? "-1" : "0");
    });
    const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
    chart.addEventListener("keydown", (event) => {
      const place = marks.indexOf(event.target);
      if (place < 0) return;
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        act(event.target);
        return;
      }
      let next = place + (steps[event.key] || 0);
      if (event.key === "Home") next = 0;
      if (event.key === "End") next = marks.length - 1;
      if (next === place || !marks[next]) return;
      event.preventDefault();
      move(marks, next);
    });
    chart.addEventListener("focusin", (event) => {
      const place = marks.indexOf(event.target);
      if (place >= 0) marks.forEach((mark, index) => mark.setAttribute("tabindex", index === place ? "0" : "-1"));
    });
    chart.addEventListener("click", (event) => {
      const mark = event.target.closest(".mark");
      if (mark) act(mark);
    });
    if (chart.classList.contains("icicle")) {
      chart.closest("figure").querySelector("figcaption").append(make("span", { class: "chips" }));
    }
  }

  function move(marks, next) {
    marks[next].setAttribute("tabindex", "0");
    marks[next].focus();
  }

  function act(mark) {
    if (mark.dataset.choose) choose(mark.dataset.choose);
    if (mark.dataset.target) go(mark.dataset.target);
  }

  // --- places -------------------------------------------------------------------------------------------------------

  function reveal(element) {
    for (let at = element; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
  }

  function go(id) {
    state.at = id;
    write();
    show(id);
  }

  function show(id) {
    all(".target").forEach((item) => item.classList.remove("target"));
    const place = document.getElementById(id);
    if (!place) return;
    reveal(place);
    place.classList.add("target");
    place.scrollIntoView();
    if (!place.hasAttribute("tabindex")) place.setAttribute("tabindex", "-1");
    place.focus({ preventScroll: true });
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#']");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (link.dataset.choose) {
      choose(link.dataset.choose);
      if (!state.chosen.has(kindOf(link.dataset.choose))) return;
    }
    go(decode(link.getAttribute("href").slice(1)));
  });

  function follow() {
    const links = all(".contents a");
    const seen = new Map(links.map((link) => [document.getElementById(decode(link.getAttribute("href").slice(1))), link]));
    const visible = new Set();
    const watch = new IntersectionObserver(
      (entries) => {
        for (const entry of entries) visible[entry.isIntersecting ? "add" : "delete"](entry.target);
        const first = [...seen.keys()].find((place) => visible.has(place));
        for (const [place, link] of seen) {
          if (place === first) link.setAttribute("aria-current", "location");
          else link.removeAttribute("aria-current");
        }
      },
      { rootMargin: "-60px 0px -40% 0px" },
    );
    for (const place of seen.keys()) if (place) watch.observe(place);
  }

  // --- tooltips: on hover and on focus, until the pointer leaves both, or Escape -------------------------------------

  const tip = make("div", { id: "tip", role: "tooltip", class: "off" });
  let owner = null;
  let leaving = 0;

  function showTip(element) {
    clearTimeout(leaving);
    if (owner === element) return;
    hideTip();
    owner = element;
    tip.textContent = element.dataset.tip;
    tip.classList.remove("off");
    if (!element.classList.contains("mark")) element.setAttribute("aria-describedby", "tip");
    place();
  }

  function place() {
    const box = (owner.querySelector("rect, circle, polygon, path") || owner).getBoundingClientRect();
    const left = Math.min(Math.max(box.left, 8), innerWidth - tip.offsetWidth - 8);
    const above = box.top - tip.offsetHeight - 6;
    tip.style.left = `${Math.max(left, 8)}px`;
    tip.style.top = `${above > 48 ? above : box.bottom + 6}px`;
  }

  function hideTip() {
    clearTimeout(leaving);
    if (owner) owner.removeAttribute("aria-describedby");
    owner = null;
    tip.classList.add("off");
  }

  const tipped = (event) => event.target.closest && event.target.closest("[data-tip]");
  const leave = () => {
    clearTimeout(leaving);
    leaving = setTimeout(hideTip, 150);
  };
  document.addEventListener("pointerover", (event) => {
    const element = tipped(event);
    if (element) showTip(element);
    else if (event.target === tip) clearTimeout(leaving);
    else if (owner) leave();
  });
  document.addEventListener("focusin", (event) => (tipped(event) ? showTip(tipped(event)) : hideTip()));
  document.addEventListener("focusout", leave);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hideTip();
  });
  document.addEventListener("scroll", () => owner && place(), { capture: true, passive: true });

  // --- theme, printing, copying --------------------------------------------------------------------------------------

  const themes = ["", "light", "dark"];
  const toggle = make("button", { type: "button", class: "theme" });

  function showTheme() {
    if (state.theme) document.documentElement.dataset.theme = state.theme;
    else delete document.documentElement.dataset.theme;
    toggle.textContent = `Theme: ${state.theme || "auto"}`;
  }
  toggle.addEventListener("click", () => {
    state.theme = themes[(themes.indexOf(state.theme) + 1) % themes.length];
    showTheme();
    write();
  });

  let folded = [];
  addEventListener("beforeprint", () => {
    folded = all("details:not([open])");
    for (const item of folded) item.open = true;
  });
  addEventListener("afterprint", () => {
    for (const item of folded) item.open = false;
  });

  function addCopying(figure) {
    const button = make("button", { type: "button", class: "copy" }, "Copy");
    const said = make("span", { class: "unseen", role: "status" });
    button.addEventListener("click", async () => {
      const code = figure.querySelector("code");
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = said.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(code);
        button.textContent = said.textContent = "Selected";
      }
    });
    figure.append(button, said);
  }

  // --- start ---------------------------------------------------------------------------------------------------------

  document.body.append(tip);
  document.querySelector(".tools").append(toggle);
  all(".command").forEach(addCopying);
  for (const fold of all("details")) fold.open = false;
  const tables = all(".block").map((block) => new Table(block));
  all(".chart").forEach(prepare);
  for (const cell of all("td.cut")) cell.dataset.tip = cell.textContent;
  for (const element of all("[title]")) {
    element.dataset.tip = element.title;
    element.removeAttribute("title");
    if (element.tagName === "TH" || element.tagName === "CODE") element.setAttribute("tabindex", "0");
  }
  const restore = () => {
    read();
    showTheme();
    for (const table of tables) table.sort();
    showChosen(true);
    if (state.at) show(state.at);
  };
  addEventListener("hashchange", restore);
  addEventListener("resize", () => all(".icicle").forEach(relabel));
  restore();
  follow();
})();
