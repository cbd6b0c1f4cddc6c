// The samples of a curve, and numbers as text. Nothing here computes a value of the schedule: all were computed before.

/** A float32 in the fewest digits that name it and no other, as Python and numpy write it. */
function digits(value) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
  let short = value;
  for (let count = 1; count <= 9; count++) {
    short = Number(value.toPrecision(count));
    if (Math.fround(short) === value) break;
  }
  const size = Math.abs(short);
  if (size === 0) return Object.is(short, -0) ? "-0" : "0";
  if (size >= 1e-4 && size < 1e16) return String(short);
  return short.toExponential().replace(/e([+-])(\d)$/, (_, sign, digit) => `e${sign}0${digit}`);
}

function bits(value) {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value);
  return "0x" + view.getUint32(0).toString(16).padStart(8, "0");
}

const grouped = (count) => count.toLocaleString("en-US", { maximumFractionDigits: 0 });

/** A number of steps on an axis whose ticks are `apart`. */
function stepLabel(step, apart) {
  if (step >= 1e9 && apart >= 1e6) return step.toExponential().replace("+", "");
  if (step >= 1e6 && apart >= 1e4) return step / 1e6 + "M";
  if (step >= 1e4 && apart >= 100) return step / 1e3 + "k";
  return grouped(step);
}

function valueLabel(value) {
  const size = Math.abs(value);
  const short = Number(value.toPrecision(6));
  return size === 0 || (size >= 1e-3 && size < 1e4) ? String(short) : short.toExponential().replace("+", "");
}

/** Multiples of 1, 2 or 5 times a power of ten from `low` to `high`, about `wanted` of them. */
function ticks(low, high, wanted, least = 0) {
  const rough = Math.max((high - low) / wanted, least, Number.MIN_VALUE);
  const power = 10 ** Math.floor(Math.log10(rough));
  const apart = [1, 2, 5, 10].map((k) => k * power).find((width) => width >= rough * (1 - 1e-9));
  const found = [];
  for (let k = Math.ceil(low / apart - 1e-9); k * apart <= high + apart * 1e-9 && found.length < 50; k++) {
    found.push(Number((k * apart).toPrecision(12)));
  }
  return { at: found, apart };
}

function decades(low, high, wanted) {
  const first = Math.floor(Math.log10(low)), last = Math.ceil(Math.log10(high));
  const every = Math.max(1, Math.ceil((last - first) / wanted));
  const parts = last - first <= 2 ? [1, 2, 5] : [1];
  const found = [];
  for (let k = first; k <= last; k += every) for (const part of parts) found.push(Number(part + "e" + k));
  return found.filter((value) => value >= low && value <= high);
}

/** What Python packed: the steps, which of them there are, and the float32 values at them. */
class Curve {
  constructor(packed) {
    const raw = atob(packed.values);
    const view = new DataView(new ArrayBuffer(raw.length));
    for (let k = 0; k < raw.length; k++) view.setUint8(k, raw.charCodeAt(k));
    this.count = raw.length / 4;
    this.values = Float32Array.from({ length: this.count }, (_, k) => view.getFloat32(4 * k, true));
    this.steps = new Float64Array(this.count);
    let step = 0;
    for (let k = 0; k < this.count; k++) this.steps[k] = packed.apart.length ? (step += packed.apart[k]) : k;
    this.last = packed.last;
    this.phases = packed.phases;
    this.name = packed.name;
    this.key = packed.key;
    this.quantity = packed.quantity;
  }

  /** The first sample at or after `step`; `count` if all are before it. */
  after(step) {
    let low = 0, high = this.count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.steps[middle] < step) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  nearest(step) {
    const k = Math.min(this.after(step), this.count - 1);
    return k > 0 && step - this.steps[k - 1] <= this.steps[k] - step ? k - 1 : k;
  }

  phase(step) {
    const found = this.phases.find(([first, until]) => step >= first && (until === null || step < until));
    return found ? found[2] : "";
  }

  /** The samples that a picture of `first` to `last` needs, one more on each side. */
  seen(first, last) {
    return [Math.max(this.after(first) - 1, 0), Math.min(this.after(last) + 1, this.count)];
  }

  range(first, last, log) {
    let low = Infinity, high = -Infinity;
    for (let k = this.after(first); k < this.count && this.steps[k] <= last; k++) {
      const value = this.values[k];
      if (!Number.isFinite(value) || (log && value <= 0)) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
    return [low, high];
  }
}
