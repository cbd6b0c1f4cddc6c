// A curve on its axes, with a cursor that goes from sample to sample.

const SVG = "http://www.w3.org/2000/svg";

function drawn(name, attributes = {}, text) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

function made(name, attributes = {}, ...inside) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...inside);
  return node;
}

function button(label, title, press) {
  const node = made("button", { type: "button", title, "aria-label": title }, label);
  node.addEventListener("click", press);
  return node;
}

const sentence = (text) => text.slice(0, 1).toUpperCase() + text.slice(1);

class Plot {
  /** `about` has the units of the axis, each with how much of it a step is, and the steps to mark. */
  constructor(box, curve, others, about) {
    Object.assign(this, { box, curve, others, first: 0, last: Math.max(curve.last, 1), at: 0, log: false, compare: true });
    Object.assign(this, { marks: about.marks, units: about.units, unit: about.units[0] });
    this.shown = {};
    const readout = made("dl", { class: "readout" });
    for (const name of ["Step", "Unit", "Value", "Bits", "Phase"]) {
      this.shown[name] = made("dd", { "data-read": name.toLowerCase() });
      readout.append(made("div", {}, made("dt", {}, name === "Step" ? sentence(this.unit[0]) : name), this.shown[name]));
    }
    this.logButton = button("log", "Logarithmic axis (L)", () => this.toggle());
    this.logButton.setAttribute("aria-pressed", "false");
    this.wholeButton = button("all", "Whole curve (0)", () => this.show(0, this.curve.last));
    const tools = made("div", { class: "tools" }, this.logButton);
    if (others.length) {
      this.compareButton = button("others", "Show the other schedules of this hyper-parameter", () => {
        this.compare = !this.compare;
        this.compareButton.setAttribute("aria-pressed", this.compare);
        this.draw();
      });
      this.compareButton.setAttribute("aria-pressed", "true");
      tools.append(this.compareButton);
    }
    if (this.units.length > 1) {
      const choice = made("select", { "aria-label": "Unit of the axis" }, ...this.units.map(([name]) => made("option", {}, name)));
      choice.addEventListener("change", () => {
        this.unit = this.units[choice.selectedIndex];
        this.draw();
      });
      tools.append(choice);
    }
    tools.append(
      button("\u2212", "Zoom out (-)", () => this.zoom(2)),
      button("+", "Zoom in (+)", () => this.zoom(0.5)),
      this.wholeButton
    );
    this.field = made("input", { type: "number", min: 0, max: curve.last, step: 1, "aria-label": "Go to step" });
    this.field.addEventListener("change", () => this.go(this.curve.nearest(Number(this.field.value))));
    tools.append(made("label", { class: "go" }, this.unit[0] + " ", this.field));
    this.svg = drawn("svg", { "aria-hidden": "true" });
    this.area = made("div", {
      class: "plot", tabindex: 0, role: "slider", "aria-label": "Step of " + curve.name,
      "aria-valuemin": 0, "aria-valuemax": curve.last,
    }, this.svg);
    const hint = made("p", { class: "hint" },
      "Left and right move the cursor, Page Up and Page Down further, Home and End to the ends; + and \u2212 zoom, 0 shows " +
      "all, L turns the axis. With a mouse: drag to zoom, double-click for all.");
    this.note = made("p", { class: "hint", hidden: "" }, "Values of 0 or less are not on a logarithmic axis.");
    this.legend = made("ul", { class: "legend", hidden: "" });
    const files = made("div", { class: "tools files" }, "Download ",
      button("CSV", "Download the values as CSV", () => save(this, "csv")),
      button("SVG", "Download the picture as SVG", () => save(this, "svg")),
      button("PNG", "Download the picture as PNG", () => save(this, "png")));
    box.replaceChildren(made("div", { class: "bar" }, readout, tools), this.area, this.legend, this.note,
      made("div", { class: "bar below" }, hint, files));
    this.listen();
    new ResizeObserver(() => this.draw()).observe(this.area);
    this.draw();
  }

  listen() {
    const area = this.area;
    let from = null;
    area.addEventListener("keydown", (event) => this.key(event));
    area.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      from = event.pointerType === "mouse" ? this.across(event) : null;
      if (from !== null) area.setPointerCapture(event.pointerId);
      this.point(event);
    });
    area.addEventListener("pointermove", (event) => {
      this.point(event);
      if (from !== null) this.select(from, this.across(event));
    });
    area.addEventListener("pointerup", (event) => {
      const start = from;
      from = null;
      this.selection.setAttribute("width", 0);
      if (start === null || Math.abs(this.across(event) - start) < 6) return;
      const ends = [this.step(start), this.step(this.across(event))].sort((a, b) => a - b);
      this.show(...ends);
    });
    area.addEventListener("pointercancel", () => { from = null; });
    area.addEventListener("dblclick", () => this.show(0, this.curve.last));
    area.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      this.zoom(2 ** (event.deltaY / 200), this.step(this.across(event)));
    }, { passive: false });
  }

  across(event) { return event.clientX - this.area.getBoundingClientRect().left; }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.round((this.curve.after(this.last) - this.curve.after(this.first)) / 10));
    const moves = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -page, PageUp: page };
    if (event.key in moves) this.go(this.at + moves[event.key] * (event.shiftKey ? 10 : 1));
    else if (event.key === "Home") this.go(0);
    else if (event.key === "End") this.go(this.curve.count - 1);
    else if (event.key === "+" || event.key === "=") this.zoom(0.5);
    else if (event.key === "-") this.zoom(2);
    else if (event.key === "0") this.show(0, this.curve.last);
    else if (event.key.toLowerCase() === "l") this.toggle();
    else return;
    event.preventDefault();
  }

  toggle() {
    this.log = !this.log;
    this.logButton.setAttribute("aria-pressed", this.log);
    this.draw();
  }

  point(event) {
    const k = this.curve.nearest(Math.min(Math.max(this.step(this.across(event)), this.first), this.last));
    if (this.curve.steps[k] >= this.first && this.curve.steps[k] <= this.last) this.go(k);
  }

  select(from, to) {
    const [left, right] = [from, to].sort((a, b) => a - b).map((x) => Math.min(Math.max(x, this.left), this.right));
    this.selection.setAttribute("x", left);
    this.selection.setAttribute("width", right - left);
  }

  /** Move the cursor to sample k; the picture follows where that is outside. */
  go(k) {
    this.at = Math.min(Math.max(k, 0), this.curve.count - 1);
    const step = this.curve.steps[this.at], width = this.last - this.first;
    if (step < this.first) this.show(step, step + width);
    else if (step > this.last) this.show(step - width, step);
    else this.cursor();
  }

  zoom(factor, around = this.curve.steps[this.at]) {
    this.show(around - (around - this.first) * factor, around + (this.last - around) * factor);
  }

  /** Show the steps from `first` to `last`, as far as the curve has them, and at least four. */
  show(first, last) {
    const most = Math.max(this.curve.last, 1);
    const width = Math.min(Math.max(last - first, 4), most);
    first = (first + last - width) / 2;
    this.first = Math.min(Math.max(first, 0), most - width);
    this.last = this.first + width;
    this.draw();
  }

  step(x) { return this.first + (x - this.left) / (this.right - this.left) * (this.last - this.first); }
  x(step) { return this.left + (step - this.first) / (this.last - this.first) * (this.right - this.left); }
  y(value) {
    const part = this.log ? Math.log(value / this.low) / Math.log(this.high / this.low) : (value - this.low) / (this.high - this.low);
    return this.bottom - part * (this.bottom - this.top);
  }

  draw() {
    const width = this.area.clientWidth;
    if (!width) return;
    const height = width < 560 ? 270 : 370;
    Object.assign(this, { left: width < 560 ? 48 : 60, right: width - 14, top: 44, bottom: height - 44 });
    const others = this.compare ? this.others : [], curves = [this.curve, ...others];
    this.domain(curves);
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.selection = drawn("rect", { class: "selection", y: this.top, height: this.bottom - this.top, width: 0 });
    this.line = drawn("path", { class: "cursor" });
    this.dot = drawn("circle", { class: "dot", r: 4.5 });
    this.svg.replaceChildren(
      ...this.bands(), ...this.axes(width),
      ...curves.map((curve) => drawn("path", { class: this.kind(curve), d: this.path(curve) })),
      ...this.points(), ...this.marked(), this.selection, this.line, this.dot
    );
    this.entries = (others.length ? [this.curve, ...others] : []).map((curve) => {
      const value = made("span", { class: "value" });
      const swatch = drawn("svg", { viewBox: "0 0 26 8", "aria-hidden": "true" });
      swatch.append(drawn("path", { class: this.kind(curve), d: "M0 4H26" }));
      return { curve, value, item: made("li", {}, swatch, made("span", {}, curve.name), value) };
    });
    this.legend.replaceChildren(...this.entries.map((entry) => entry.item));
    this.legend.hidden = !this.entries.length;
    this.note.hidden = !this.log || !this.curve.values.some((value) => value <= 0);
    this.cursor();
  }

  /** The classes of the line of a curve: the others differ in colour and in their dashes. */
  kind(curve) {
    return curve === this.curve ? "series" : "other o" + (this.others.indexOf(curve) % 5);
  }

  domain(curves) {
    const ranges = curves.map((curve) => curve.range(this.first, this.last, this.log));
    let low = Math.min(...ranges.map((range) => range[0])), high = Math.max(...ranges.map((range) => range[1]));
    if (!(low <= high)) [low, high] = this.log ? [0.1, 1] : [0, 1];
    if (this.log) {
      low = Math.max(low, high * 1e-12);
      [this.low, this.high] = high / low < 1.001 ? [low / 2, high * 2] : [low / 1.1, high * 1.1];
      return;
    }
    if (low > 0 && low < high / 2) low = 0;
    if (high - low <= Math.abs(high) * 1e-6) [low, high] = [Math.min(low, 0), Math.max(high, 0) || 1];
    const room = (high - low) * 0.04;
    [this.low, this.high] = [low === 0 ? 0 : low - room, high + room];
  }

  bands() {
    const seen = this.curve.phases.filter(([first, until]) => first < this.last && (until === null || until > this.first));
    if (seen.length > 40) return [];
    return seen.flatMap(([first, until, name]) => {
      const left = Math.max(this.x(first), this.left), right = Math.min(until === null ? Infinity : this.x(until), this.right);
      const odd = this.curve.phases.findIndex((phase) => phase[0] === first) % 2;
      const found = [drawn("rect", { class: odd ? "band odd" : "band", x: left, y: this.top, width: Math.max(right - left, 0), height: this.bottom - this.top })];
      if (left > this.left) found.push(drawn("path", { class: "bound", d: `M${left} ${this.top - 6}V${this.bottom}` }));
      if (right - left > name.length * 6.5 + 10) found.push(drawn("text", { class: "phase", x: left + 5, y: this.top - 8 }, name));
      return found;
    });
  }

  axes(width) {
    const found = [];
    const values = this.log ? decades(this.low, this.high, 7) : ticks(this.low, this.high, 5).at;
    for (const value of values) {
      const y = this.y(value);
      found.push(drawn("path", { class: "grid", d: `M${this.left} ${y}H${this.right}` }));
      found.push(drawn("text", { class: "tick", x: this.left - 8, y: y + 4, "text-anchor": "end" }, valueLabel(value)));
    }
    const [unit, each] = this.unit;
    const steps = ticks(this.first * each, this.last * each, Math.max(2, width / 130), each === 1 ? 1 : 0);
    for (const step of steps.at) {
      const x = this.x(step / each);
      found.push(drawn("path", { class: "grid", d: `M${x} ${this.bottom}v5` }));
      const end = x > this.right - 14 ? "end" : "middle";
      found.push(drawn("text", { class: "tick", x: end === "end" ? this.right : x, y: this.bottom + 19, "text-anchor": end },
        steps.apart < 1 ? valueLabel(step) : stepLabel(step, steps.apart)));
    }
    found.push(drawn("path", { class: "axis", d: `M${this.left} ${this.bottom}H${this.right}` }));
    const base = this.units[0][0];
    const note = unit !== base ? (each < 1 ? `${grouped(1 / each)} ${base}s each` : `${grouped(each)} a ${base}`) : base === "step" ? "optimizer updates" : "";
    found.push(drawn("text", { class: "title", x: (this.left + this.right) / 2, y: this.bottom + 38, "text-anchor": "middle" }, note ? `${unit} (${note})` : unit));
    found.push(drawn("text", { class: "title", x: 0, y: 13 }, this.curve.quantity + (this.log ? ", logarithmic" : "")));
    return found;
  }

  /** The steps to mark, such as that of a checkpoint, each with its name. */
  marked() {
    return this.marks.filter(([, step]) => step >= this.first && step <= this.last).flatMap(([name, step]) => {
      const x = this.x(step), end = x > (this.left + this.right) / 2;
      return [
        drawn("path", { class: "mark", d: `M${x} ${this.top}V${this.bottom}` }),
        drawn("text", { class: "mark-name", x: x + (end ? -6 : 6), y: this.top + 14, "text-anchor": end ? "end" : "start" }, `${name}, ${this.units[0][0]} ${grouped(step)}`),
      ];
    });
  }

  /** The line through the samples; of each column of pixels its first, lowest, highest and last one. */
  path(curve) {
    const [begin, end] = curve.seen(this.first, this.last);
    let text = "", pen = false, column = null;
    const to = (x, value) => {
      const y = Math.min(Math.max(this.y(value), this.top - 2), this.bottom + 2);
      text += `${pen ? "L" : "M"}${x.toFixed(2)} ${y.toFixed(2)}`;
      pen = true;
    };
    const flush = () => {
      if (!column) return;
      for (const k of [...new Set([column.first, column.low, column.high, column.last])].sort((a, b) => a - b)) {
        to(Math.min(Math.max(this.x(curve.steps[k]), this.left), this.right), this.clipped(curve, k));
      }
      column = null;
    };
    for (let k = begin; k < end; k++) {
      const value = curve.values[k];
      if (!Number.isFinite(value) || (this.log && value <= 0)) {
        flush();
        pen = false;
        continue;
      }
      const at = Math.floor(this.x(curve.steps[k]));
      if (!column || column.at !== at) {
        flush();
        column = { at, first: k, low: k, high: k, last: k };
      }
      if (value < curve.values[column.low]) column.low = k;
      if (value > curve.values[column.high]) column.high = k;
      column.last = k;
    }
    flush();
    return text;
  }

  /** The value of sample k, or, of one outside, that of the line where it leaves the picture. */
  clipped(curve, k) {
    const step = curve.steps[k], edge = step < this.first ? this.first : step > this.last ? this.last : step;
    const next = k + (step < edge) - (step > edge);
    if (next === k || next < 0 || next >= curve.count) return curve.values[k];
    const part = (edge - step) / (curve.steps[next] - step);
    const value = curve.values[k] + part * (curve.values[next] - curve.values[k]);
    return this.log && !(value > 0) ? this.low : value;
  }

  points() {
    const [begin, end] = this.curve.seen(this.first, this.last);
    if (end - begin > (this.right - this.left) / 9) return [];
    let text = "";
    for (let k = begin; k < end; k++) {
      const step = this.curve.steps[k], value = this.curve.values[k];
      if (step < this.first || step > this.last || !Number.isFinite(value) || (this.log && value <= 0)) continue;
      text += `M${this.x(step).toFixed(2)} ${this.y(value).toFixed(2)}h0`;
    }
    return [drawn("path", { class: "points", d: text })];
  }

  cursor() {
    const step = this.curve.steps[this.at], value = this.curve.values[this.at];
    const seen = step >= this.first && step <= this.last;
    const on = seen && Number.isFinite(value) && !(this.log && value <= 0);
    this.line.setAttribute("d", seen ? `M${this.x(step)} ${this.top}V${this.bottom}` : "");
    this.dot.setAttribute("visibility", on ? "visible" : "hidden");
    if (on) {
      this.dot.setAttribute("cx", this.x(step));
      this.dot.setAttribute("cy", this.y(value));
    }
    const phase = this.curve.phase(step);
    this.shown.Step.textContent = grouped(step);
    const other = this.unit !== this.units[0];
    this.shown.Unit.parentElement.hidden = !other;
    this.shown.Unit.previousElementSibling.textContent = sentence(this.unit[0]);
    this.shown.Unit.textContent = other ? valueLabel(step * this.unit[1]) : "";
    for (const { curve, value: shown } of this.entries) {
      const k = curve.nearest(step), at = curve.steps[k];
      shown.textContent = digits(curve.values[k]) + (at === step ? "" : ` (at ${grouped(at)})`);
    }
    this.shown.Value.textContent = digits(value);
    this.shown.Bits.textContent = bits(value);
    this.shown.Phase.textContent = phase || "\u2013";
    this.field.value = step;
    this.area.setAttribute("aria-valuenow", step);
    this.area.setAttribute("aria-valuetext", `step ${grouped(step)}, value ${digits(value)}${phase ? ", " + phase : ""}`);
  }
}
