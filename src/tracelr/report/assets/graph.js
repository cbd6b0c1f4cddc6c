// The picture of a graph: it pans and zooms, and says what a node is where it is pointed at or focused.

class GraphView {
  constructor(box) {
    this.svg = box.querySelector("svg");
    const [, , width, height] = this.svg.getAttribute("viewBox").split(" ").map(Number);
    this.size = [width, height];
    this.nodes = [...this.svg.querySelectorAll(":scope > g")];
    const name = this.svg.querySelector(":scope > title");
    this.view = made("div", { class: "graph-view", tabindex: 0, role: "group", "aria-label": "Graph " + name.textContent });
    name.remove();
    this.svg.removeAttribute("width");
    this.svg.removeAttribute("height");
    this.svg.removeAttribute("role");
    this.tip = made("div", { class: "tip", role: "status", hidden: "" });
    const tools = made("div", { class: "tools" },
      button("\u2212", "Zoom out (-)", () => this.zoom(1 / 1.4)),
      button("+", "Zoom in (+)", () => this.zoom(1.4)),
      button("all", "Whole graph (0)", () => this.fit()));
    this.view.append(this.svg);
    box.replaceChildren(tools, this.view, this.tip);
    this.nodes.forEach((node, k) => this.prepare(node, k));
    this.listen();
    this.begin();
    let before = this.view.clientWidth;
    new ResizeObserver(() => {
      if (this.view.clientWidth !== before) this.begin();
      before = this.view.clientWidth;
    }).observe(this.view);
  }

  prepare(node, k) {
    const title = node.querySelector("title");
    const [head, op, source = ""] = title.textContent.split("\n");
    title.remove();
    const cut = head.lastIndexOf(": ");
    node.about = { name: head.slice(0, cut), type: head.slice(cut + 2), op, source };
    node.setAttribute("tabindex", -1);
    node.setAttribute("role", "img");
    node.setAttribute("aria-label", [head, op, source].filter(Boolean).join(", "));
    node.classList.add("node");
    node.addEventListener("pointerenter", () => this.tell(node));
    node.addEventListener("pointerleave", () => { this.tip.hidden = true; });
    node.addEventListener("focus", () => { this.into(node); this.tell(node); });
    node.addEventListener("blur", () => { this.tip.hidden = true; });
    node.addEventListener("keydown", (event) => {
      const moves = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
      if (event.key === "Escape") this.view.focus();
      else if (event.key in moves) (this.nodes[k + moves[event.key]] || node).focus({ preventScroll: true });
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
  }

  listen() {
    const view = this.view;
    let from = null;
    view.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const far = 60 / this.scale;
      const moves = { ArrowLeft: [-far, 0], ArrowRight: [far, 0], ArrowUp: [0, -far], ArrowDown: [0, far] };
      if (event.key in moves) this.move(...moves[event.key]);
      else if (event.key === "+" || event.key === "=") this.zoom(1.4);
      else if (event.key === "-") this.zoom(1 / 1.4);
      else if (event.key === "0") this.fit();
      else if (event.key === "Enter" && event.target === view && this.nodes.length) this.nodes[0].focus({ preventScroll: true });
      else return;
      event.preventDefault();
    });
    view.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      from = [event.clientX, event.clientY];
      view.setPointerCapture(event.pointerId);
      view.classList.add("moving");
    });
    view.addEventListener("pointermove", (event) => {
      if (!from) return;
      this.move((from[0] - event.clientX) / this.scale, (from[1] - event.clientY) / this.scale);
      from = [event.clientX, event.clientY];
      this.tip.hidden = true;
    });
    for (const end of ["pointerup", "pointercancel"]) {
      view.addEventListener(end, () => {
        from = null;
        view.classList.remove("moving");
      });
    }
    view.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const place = view.getBoundingClientRect();
      this.zoom(2 ** (-event.deltaY / 200), event.clientX - place.left, event.clientY - place.top);
    }, { passive: false });
    addEventListener("beforeprint", () => {
      this.kept = [this.left, this.top, this.scale];
      this.svg.setAttribute("viewBox", `0 0 ${this.size[0]} ${this.size[1]}`);
    });
    addEventListener("afterprint", () => {
      [this.left, this.top, this.scale] = this.kept;
      this.apply();
    });
  }

  /** Show the top of the graph as large as it is drawn, or smaller where that shows all of its width. */
  begin() {
    const room = this.view.clientWidth;
    if (!room) return;
    this.scale = Math.min(1, Math.max(room / this.size[0], 0.6));
    this.left = (this.size[0] - room / this.scale) / 2;
    this.top = Math.min(0, (this.size[1] - this.view.clientHeight / this.scale) / 2);
    this.apply();
  }

  fit() {
    this.scale = Math.min(this.view.clientWidth / this.size[0], this.view.clientHeight / this.size[1], 1.5);
    this.left = (this.size[0] - this.view.clientWidth / this.scale) / 2;
    this.top = (this.size[1] - this.view.clientHeight / this.scale) / 2;
    this.apply();
  }

  move(right, down) {
    this.left += right;
    this.top += down;
    this.apply();
  }

  zoom(factor, x = this.view.clientWidth / 2, y = this.view.clientHeight / 2) {
    const scale = Math.min(Math.max(this.scale * factor, 0.02), 6);
    this.left += x / this.scale - x / scale;
    this.top += y / this.scale - y / scale;
    this.scale = scale;
    this.apply();
  }

  /** Never lose the graph: a part of it stays in sight. */
  apply() {
    const width = this.view.clientWidth / this.scale, height = this.view.clientHeight / this.scale;
    const keep = 80 / this.scale;
    this.left = Math.min(Math.max(this.left, keep - width), this.size[0] - keep);
    this.top = Math.min(Math.max(this.top, keep - height), this.size[1] - keep);
    this.svg.setAttribute("viewBox", `${this.left} ${this.top} ${width} ${height}`);
    this.tip.hidden = true;
  }

  into(node) {
    const box = node.getBBox(), width = this.view.clientWidth / this.scale, height = this.view.clientHeight / this.scale;
    const inside = box.x >= this.left && box.x + box.width <= this.left + width && box.y >= this.top && box.y + box.height <= this.top + height;
    if (!inside) {
      this.left = box.x + box.width / 2 - width / 2;
      this.top = box.y + box.height / 2 - height / 2;
      this.apply();
    }
  }

  tell(node) {
    const { name, type, op, source } = node.about;
    const line = (kind, text) => made("div", { class: kind }, text);
    this.tip.replaceChildren(line("op", op), line("type", `${name}, ${type}`), ...(source ? [line("source", source)] : []));
    this.tip.hidden = false;
    const outer = this.tip.parentElement.getBoundingClientRect(), place = node.getBoundingClientRect();
    const left = Math.min(Math.max(place.left - outer.left, 8), Math.max(outer.width - this.tip.offsetWidth - 8, 8));
    const below = place.bottom - outer.top + 8;
    const above = place.top - outer.top - this.tip.offsetHeight - 8;
    this.tip.style.left = `${left}px`;
    this.tip.style.top = `${below + this.tip.offsetHeight > outer.height && above > 0 ? above : below}px`;
  }
}
