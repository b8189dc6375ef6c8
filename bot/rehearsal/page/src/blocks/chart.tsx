// A chart as Slack draws one: bars, a line, an area, or a pie. Its figures are in its name, for who cannot see it.
import type { Block, Chart, ChartPoint } from "../slack";
import { textOf } from "../slack";
import { locale, say } from "../words";

const WIDTH = 460;
const HEIGHT = 190;
const [LEFT, RIGHT, TOP, BOTTOM] = [44, 10, 10, 24];
const RULES = 4;
/** What a category's name needs below the axis; where there is less, some are left out. */
const LABEL = 56;

export function ChartBlock({ block }: { block: Block }) {
  const chart = block.chart!;
  const title = textOf(block.title);
  const axis = chart.axis_config;
  return (
    <figure class="block-chart">
      <figcaption>{title}</figcaption>
      {axis?.y_label && <p class="chart-axis">{axis.y_label}</p>}
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={spoken(title, chart)}>
        {chart.type === "pie" ? <Pie segments={chart.segments ?? []} /> : <Plot chart={chart} />}
      </svg>
      {axis?.x_label && <p class="chart-axis chart-axis-x">{axis.x_label}</p>}
      <Legend chart={chart} />
    </figure>
  );
}

const shown = (value: number) => value.toLocaleString(locale(), { maximumFractionDigits: 2 });

function spoken(title: string, chart: Chart): string {
  const points = (data: ChartPoint[]) => data.map((one) => `${one.label} ${shown(one.value)}`).join("; ");
  const series = chart.series ?? [];
  const figures = chart.type === "pie" ? points(chart.segments ?? [])
    : series.map((one) => (series.length > 1 ? `${one.name}: ${points(one.data)}` : points(one.data))).join(". ");
  return say("Chart: {title}. {figures}", { title, figures });
}

function Legend({ chart }: { chart: Chart }) {
  const names = chart.type === "pie" ? (chart.segments ?? []).map((one) => one.label) : (chart.series ?? []).map((one) => one.name);
  if (names.length < 2) return null;
  return <ul class="chart-legend" aria-hidden="true">{names.map((name, n) => <li key={name} class={`series-${n}`}><i /> {name}</li>)}</ul>;
}

/** The step between rules, so that few of them reach the top: 1, 2 or 5 times a power of ten. */
function stepFor(span: number): number {
  const rough = span / RULES || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  return (rough <= power ? 1 : rough <= 2 * power ? 2 : rough <= 5 * power ? 5 : 10) * power;
}

function Plot({ chart }: { chart: Chart }) {
  const series = chart.series ?? [];
  const categories = chart.axis_config?.categories ?? [];
  const values = series.flatMap((one) => one.data.map((point) => point.value));
  const [least, most] = [Math.min(0, ...values), Math.max(0, ...values)];
  const step = stepFor(most - least);
  const bottom = Math.floor(least / step) * step;
  const top = Math.max(Math.ceil(most / step) * step, bottom + step);
  const y = (value: number) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - (value - bottom) / (top - bottom));
  const room = (WIDTH - LEFT - RIGHT) / Math.max(1, categories.length);
  const x = (label: string) => LEFT + room * (categories.indexOf(label) + 0.5);
  const rules = Array.from({ length: Math.round((top - bottom) / step) + 1 }, (_, n) => bottom + n * step);
  const every = Math.ceil(LABEL / room);
  const last = categories.length - 1;
  return (
    <>
      {rules.map((rule) => (
        <g key={rule} class={rule === 0 ? "chart-base" : "chart-rule"}>
          <line x1={LEFT} x2={WIDTH - RIGHT} y1={y(rule)} y2={y(rule)} />
          <text x={LEFT - 8} y={y(rule) + 4} text-anchor="end">{shown(rule)}</text>
        </g>
      ))}
      {categories.map((label, n) => (last - n) % every === 0 && (
        <text key={label} x={x(label)} y={HEIGHT - 6} text-anchor="middle">{label}</text>
      ))}
      {series.map((one, n) => (
        <g key={one.name} class={`series-${n}`}>
          {chart.type === "bar" ? <Bars data={one.data} x={x} y={y} room={room} n={n} of={series.length} />
            : <Line data={one.data} x={x} y={y} isArea={chart.type === "area"} />}
        </g>
      ))}
    </>
  );
}

interface Scale { data: ChartPoint[]; x: (label: string) => number; y: (value: number) => number }

function Bars({ data, x, y, room, n, of }: Scale & { room: number; n: number; of: number }) {
  const width = Math.min(36, (room * 0.72) / of);
  return (
    <>
      {data.map((point) => {
        const [from, to] = [y(Math.max(0, point.value)), y(Math.min(0, point.value))];
        return (
          <rect key={point.label} x={x(point.label) + (n - of / 2) * width} y={from} width={width - 1} height={Math.max(1, to - from)} rx="2">
            <title>{`${point.label}: ${shown(point.value)}`}</title>
          </rect>
        );
      })}
    </>
  );
}

function Line({ data, x, y, isArea }: Scale & { isArea: boolean }) {
  const path = data.map((point, n) => `${n ? "L" : "M"}${x(point.label).toFixed(1)} ${y(point.value).toFixed(1)}`).join("");
  const first = data[0];
  const end = data[data.length - 1];
  if (!first || !end) return null;
  return (
    <>
      {isArea && <path class="chart-area" d={`${path}L${x(end.label)} ${y(0)}L${x(first.label)} ${y(0)}Z`} />}
      <path class="chart-line" d={path} />
      {data.map((point) => (
        <circle key={point.label} cx={x(point.label)} cy={y(point.value)} r="3.5"><title>{`${point.label}: ${shown(point.value)}`}</title></circle>
      ))}
    </>
  );
}

function Pie({ segments }: { segments: ChartPoint[] }) {
  const total = segments.reduce((sum, one) => sum + one.value, 0) || 1;
  const [cx, cy, r] = [WIDTH / 2, HEIGHT / 2, HEIGHT / 2 - 8];
  const at = (share: number) => `${(cx + r * Math.sin(2 * Math.PI * share)).toFixed(2)} ${(cy - r * Math.cos(2 * Math.PI * share)).toFixed(2)}`;
  let from = 0;
  return (
    <>
      {segments.map((one, n) => {
        const share = one.value / total;
        const [start, end] = [from, (from += share)];
        const half = at(start + share / 2);  // two arcs, so that a whole circle is drawn too
        const big = share / 2 > 0.5 ? 1 : 0;
        return (
          <path key={one.label} class={`series-${n} chart-slice`} d={`M${cx} ${cy}L${at(start)}A${r} ${r} 0 ${big} 1 ${half}A${r} ${r} 0 ${big} 1 ${at(end)}Z`}>
            <title>{`${one.label}: ${shown(one.value)}`}</title>
          </path>
        );
      })}
    </>
  );
}
