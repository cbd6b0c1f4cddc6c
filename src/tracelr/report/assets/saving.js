// The values and the picture of a plot as files. They are made here, and sent nowhere.

/** Text for one cell: quoted where it must be, and never a formula of a spreadsheet. */
function cell(text) {
  const plain = /^[=+\-@\t\r]/.test(text) ? "'" + text : text;
  return /[",\r\n']/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}

/** A line for each step that a curve holds, and a column for each curve. */
function asCSV(plot) {
  const curves = [plot.curve, ...(plot.compare ? plot.others : [])];
  const rows = new Map();
  curves.forEach((curve, column) => {
    for (let k = 0; k < curve.count; k++) {
      if (!rows.has(curve.steps[k])) rows.set(curve.steps[k], Array(curves.length).fill(""));
      rows.get(curve.steps[k])[column] = digits(curve.values[k]);
    }
  });
  const head = [plot.units[0][0], ...(curves.length > 1 ? curves.map((curve) => curve.name) : [plot.curve.quantity])];
  const lines = [...rows].sort(([a], [b]) => a - b).map(([step, values]) => [step, ...values].join(","));
  return [head.map(cell).join(","), ...lines, ""].join("\n");
}

const KEPT = ["fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-linecap", "stroke-linejoin", "opacity", "font-size", "font-family"];

/** The picture with its colours and its legend in it, and without the cursor. */
function asSVG(plot) {
  const [, , width, height] = plot.svg.getAttribute("viewBox").split(" ").map(Number);
  const all = height + 20 * plot.entries.length + 8;
  const room = { x: -12, y: -8, width: width + 24, height: all + 12 };
  const svg = drawn("svg", { xmlns: SVG, width: room.width, height: room.height, viewBox: Object.values(room).join(" ") });
  const page = getComputedStyle(document.body);
  svg.append(drawn("rect", { ...room, fill: page.backgroundColor }));
  const dressed = (node) => {
    const copy = node.cloneNode(true), style = getComputedStyle(node);
    for (const name of KEPT) copy.setAttribute(name, style.getPropertyValue(name));
    copy.removeAttribute("class");
    return copy;
  };
  for (const node of plot.svg.children) {
    if (![plot.selection, plot.line, plot.dot].includes(node)) svg.append(dressed(node));
  }
  plot.entries.forEach((entry, k) => {
    const line = dressed(entry.item.querySelector("path")), y = height + 20 * k + 8;
    line.setAttribute("d", `M${plot.left} ${y}h26`);
    svg.append(line, drawn("text", { x: plot.left + 34, y: y + 4, fill: page.color, "font-size": 12, "font-family": page.fontFamily }, entry.curve.name));
  });
  // a name may hold what no XML file may
  return new XMLSerializer().serializeToString(svg).toWellFormed().replace(/[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g, "\ufffd");
}

async function asPNG(plot) {
  const text = asSVG(plot), image = new Image(), scale = 2;
  image.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(text);
  await image.decode();
  const canvas = made("canvas", { width: image.width * scale, height: image.height * scale });
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

async function save(plot, kind) {
  const blob = kind === "png" ? await asPNG(plot)
    : kind === "svg" ? new Blob([asSVG(plot)], { type: "image/svg+xml" })
    : new Blob([asCSV(plot)], { type: "text/csv" });
  const link = made("a", { href: URL.createObjectURL(blob), download: `${document.title.replace(/[^\w.-]+/g, "_").slice(0, 60) || "schedule"}.${kind}` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
