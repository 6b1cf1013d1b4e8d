// Draws each figure of class "chart" from the JSON inside it, when it comes near the screen.
(() => {
  "use strict";
  const DASHES = [[], [7, 3], [2, 3], [9, 3, 2, 3], [4, 2], [1, 2]]; // told apart without colour, too
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const short = (value) => (value === null ? "-" : String(Number(value.toPrecision(4))));

  const label = (context, text, x, y, align) => {
    context.fillStyle = colour("soft");
    context.textAlign = align;
    context.fillText(text, x, y);
  };

  const upright = (chart, x, dash) => {
    const { ctx, chartArea: area } = chart;
    ctx.setLineDash(dash);
    ctx.strokeStyle = colour("soft");
    ctx.beginPath();
    ctx.moveTo(x, area.top);
    ctx.lineTo(x, area.bottom);
    ctx.stroke();
  };

  // What Chart.js has no name for: stages, marks, costs behind a matrix, values beside bars.
  const extras = (spec, heat) => ({
    beforeDatasetsDraw({ ctx, scales }) {
      if (!heat?.naturalWidth) return;
      const [left, top] = [scales.x.getPixelForValue(-0.5), scales.y.getPixelForValue(-0.5)];
      const [wide, high] = spec.heat.size;
      ctx.imageSmoothingEnabled = false;
      ctx.drawImage(heat, left, top, scales.x.getPixelForValue(wide - 0.5) - left, scales.y.getPixelForValue(high - 0.5) - top);
    },
    afterDatasetsDraw(chart) {
      const { ctx, chartArea: area, scales } = chart;
      ctx.save();
      ctx.font = "12px system-ui, sans-serif";
      for (const [name, start, stop] of spec.bands ?? []) {
        const [left, right] = [scales.x.getPixelForValue(start), scales.x.getPixelForValue(stop)];
        if (left > area.left + 1) upright(chart, left, [2, 4]);
        // A name wider than its stage would run into the next one.
        if (ctx.measureText(name).width < right - left) label(ctx, name, (left + right) / 2, area.top - 9, "center");
      }
      (spec.marks ?? []).forEach(([name, at], number) => {
        const x = scales.x.getPixelForValue(at);
        if (x < area.left || x > area.right) return;
        upright(chart, x, [5, 3]);
        const inside = x + ctx.measureText(name).width + 6 < area.right;
        label(ctx, name, x + (inside ? 4 : -4), area.top + 10 + 14 * number, inside ? "left" : "right");
      });
      if (spec.kind === "rows")
        chart.data.datasets.forEach((set, number) =>
          chart.getDatasetMeta(number).data.forEach((bar, row) => {
            if (set.data[row] !== null) label(ctx, set.data[row].toFixed(1), bar.x + 5, bar.y + 4, "left");
          })
        );
      ctx.restore();
    },
  });

  const dataset = (spec, series, number) => {
    const paint = colour(series.colour ?? "c" + (number % 6));
    const common = { label: series.name, data: series.data, borderColor: paint, backgroundColor: paint };
    if (spec.kind === "points")
      return { ...common, pointStyle: series.shape, radius: spec.radius, hoverRadius: spec.radius + 3, hitRadius: 4,
        borderWidth: series.shape === "crossRot" ? 2 : 1, backgroundColor: series.shape === "rect" ? "transparent" : paint + "b0" };
    if (spec.kind === "areas")
      return { ...common, stepped: true, fill: "origin", pointRadius: 0, borderWidth: 1.5, backgroundColor: paint + "48" };
    if (spec.kind === "lines")
      return { ...common, borderWidth: 2, pointRadius: series.data.length > 80 ? 0 : 2.4, spanGaps: false,
        borderDash: DASHES[(number + Math.floor(number / 6)) % 6] };
    return { ...common, categoryPercentage: 0.86, barPercentage: 0.94 };
  };

  const texts = (spec) => ({
    title: (items) => {
      if (!items.length || spec.kind === "points") return "";
      return spec.categories ? items[0].label : `${spec.x} ${short(items[0].parsed.x)}`;
    },
    label: ({ dataset: set, dataIndex: place, parsed }) =>
      spec.series[spec.names.indexOf(set.label)].texts?.[place] ??
      `${set.label}: ${short(spec.kind === "rows" ? parsed.x : parsed.y)} ${spec.unit ?? ""}`.trim(),
  });

  const settings = (spec, heat) => {
    const bars = Boolean(spec.categories);
    const points = spec.kind === "points";
    const rows = spec.kind === "rows";
    const axis = (title, more) => ({ display: !spec.bare, title: { display: Boolean(title), text: title }, ...more });
    const values = { beginAtZero: spec.zero !== false, grace: rows ? "14%" : 0 };
    const range = spec.range ?? {};
    const plain = spec.heat ? { ticks: { display: false }, grid: { display: false } } : {}; // places, not numbers
    return {
      type: bars ? "bar" : points ? "scatter" : "line",
      data: { labels: spec.categories, datasets: spec.series.map((series, number) => dataset(spec, series, number)) },
      options: {
        animation: false,
        maintainAspectRatio: false,
        indexAxis: rows ? "y" : "x",
        interaction: points ? { mode: "nearest", intersect: true } : bars ? { mode: "index", intersect: false, axis: rows ? "y" : "x" } : { mode: "nearest", axis: "x", intersect: false },
        layout: { padding: { top: spec.bands ? 20 : 4 } },
        scales: {
          x: rows ? axis("", { ...values, max: spec.most }) : axis(spec.x, { type: bars ? "category" : "linear", ...range.x, ...plain, position: spec.heat ? "top" : "bottom" }),
          y: rows ? axis("", { grid: { display: false } }) : axis(spec.y, { ...values, ...range.y, ...plain, reverse: Boolean(spec.heat) }),
        },
        plugins: {
          legend: {
            display: spec.legend ?? spec.series.length > 1,
            position: "bottom",
            labels: { usePointStyle: true, ...(spec.kind === "lines" ? { pointStyle: "line", pointStyleWidth: 26 } : points ? {} : { pointStyle: "rect" }), boxHeight: 7, padding: 10 },
          },
          tooltip: { callbacks: texts(spec), displayColors: !points },
        },
      },
      plugins: [extras(spec, heat)],
    };
  };

  const draw = (figure) => {
    const spec = JSON.parse(figure.querySelector("script").textContent);
    const canvas = figure.querySelector("canvas");
    spec.names = spec.series.map((series) => series.name);
    const heat = spec.heat ? new Image() : null;
    Chart.getChart(canvas)?.destroy();
    Chart.defaults.color = colour("soft");
    Chart.defaults.borderColor = colour("rule");
    const chart = new Chart(canvas, settings(spec, heat));
    if (heat) {
      heat.onload = () => chart.draw();
      heat.src = spec.heat.picture;
    }
    figure.dataset.drawn = spec.series.length;
  };

  const figures = [...document.querySelectorAll("figure.chart")];
  // Those in sight at once, the others when they come near.
  const near = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((found) => found.isIntersecting)) {
      near.unobserve(entry.target);
      draw(entry.target);
    }
  }, { rootMargin: "800px" });
  for (const figure of figures) {
    if (figure.getBoundingClientRect().top < innerHeight) draw(figure);
    else near.observe(figure);
  }
  addEventListener("beforeprint", () => figures.filter((figure) => !figure.dataset.drawn).forEach(draw));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => figures.filter((figure) => figure.dataset.drawn).forEach(draw));
})();
