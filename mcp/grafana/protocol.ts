/**
 * What Grafana's HTTP API answers, checked and made small.
 * Sources: https://grafana.com/docs/grafana/latest/developers/http_api/ and the data frame JSON of
 * grafana-plugin-sdk-go (`data/frame_json.go`). Pure; touches no network.
 */
import { z } from "zod";

/** One dashboard of a search. */
export interface DashboardHit {
  readonly uid: string;
  readonly title: string;
  readonly tags: readonly string[];
  /** Full address. */
  readonly url: string;
}

/** One panel, with the queries it draws. Text is cut at {@link TEXT_CHARS_MAX}. */
export interface PanelSummary {
  readonly id: number;
  readonly title: string;
  readonly type: string;
  readonly datasourceUid?: string;
  /** PromQL (or what the data source calls an expression) of each target that has one. */
  readonly exprs: readonly string[];
}

/** What a model needs of a dashboard; the whole model has thousands of lines. */
export interface DashboardSummary {
  readonly uid: string;
  readonly title: string;
  readonly tags: readonly string[];
  readonly url: string;
  /** In the order of the dashboard; rows opened. */
  readonly panels: readonly PanelSummary[];
  readonly panelsTotal: number;
  readonly variables: readonly {
    readonly name: string;
    readonly type: string;
    readonly current: readonly string[];
  }[];
}

/** One series of a query. Times in milliseconds UTC; a missing value is NaN. */
export interface GrafanaSeries {
  readonly refId: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly timesMs: readonly number[];
  readonly values: readonly number[];
}

export const PANELS_MAX = 100;
const TARGETS_MAX = 20;
const VARIABLES_MAX = 50;
export const TEXT_CHARS_MAX = 2_000;

export const SearchAnswer = z.array(
  z.object({
    uid: z.string(),
    title: z.string(),
    url: z.string(),
    tags: z.array(z.string()).default([]),
  }),
);

// Dashboards are written by hand and by many versions: what is not as expected counts as absent.
const Text = z.string().optional().catch(undefined);
const Datasource = z
  .union([z.string(), z.object({ uid: Text })])
  .nullish()
  .catch(undefined);
const Target = z.object({ expr: Text, datasource: Datasource });
const PanelFields = {
  id: z.number().optional().catch(undefined),
  title: Text,
  type: Text,
  datasource: Datasource,
  targets: z.array(Target).optional().catch(undefined),
};
const Panel = z.object({
  ...PanelFields,
  panels: z.array(z.object(PanelFields)).optional().catch(undefined),
});
type InnerPanel = Omit<z.infer<typeof Panel>, "panels">;

export const DashboardAnswer = z.object({
  meta: z.object({ url: z.string() }),
  dashboard: z.object({
    uid: z.string(),
    title: z.string(),
    tags: z.array(z.string()).default([]),
    panels: z.array(Panel).default([]),
    templating: z
      .object({
        list: z.array(
          z.object({
            name: z.string(),
            type: z.string(),
            current: z
              .object({ value: z.union([z.string(), z.array(z.string())]).optional() })
              .optional()
              .catch(undefined),
          }),
        ),
      })
      .optional(),
  }),
});

function cutText(text: string): string {
  return text.length <= TEXT_CHARS_MAX ? text : `${text.slice(0, TEXT_CHARS_MAX - 1)}…`;
}

function uidOf(datasource: z.infer<typeof Datasource>): string | undefined {
  return typeof datasource === "string" ? datasource : datasource?.uid;
}

function panelSummary(panel: InnerPanel): PanelSummary {
  const targets = (panel.targets ?? []).slice(0, TARGETS_MAX);
  const uid = uidOf(panel.datasource) ?? uidOf(targets[0]?.datasource);
  return {
    id: panel.id ?? 0,
    title: cutText(panel.title ?? ""),
    type: panel.type ?? "unknown",
    ...(uid === undefined ? {} : { datasourceUid: uid }),
    exprs: targets.flatMap(({ expr }) => (expr ? [cutText(expr)] : [])),
  };
}

/** Makes a dashboard small: at most PANELS_MAX panels, `panelsTotal` says how many there are. */
export function summaryOf(
  answer: z.infer<typeof DashboardAnswer>,
  baseUrl: string,
): DashboardSummary {
  const { dashboard, meta } = answer;
  const panels = dashboard.panels.flatMap((panel): InnerPanel[] =>
    panel.type === "row" ? (panel.panels ?? []) : [panel],
  );
  const variables = (dashboard.templating?.list ?? []).slice(0, VARIABLES_MAX);
  return {
    uid: dashboard.uid,
    title: dashboard.title,
    tags: dashboard.tags,
    url: `${baseUrl}${meta.url}`,
    panels: panels.slice(0, PANELS_MAX).map(panelSummary),
    panelsTotal: panels.length,
    variables: variables.map(({ name, type, current }) => ({
      name,
      type,
      current: [current?.value ?? []].flat().slice(0, TARGETS_MAX).map(cutText),
    })),
  };
}

const Places = z.array(z.number().int().min(0)).nullish();
const Entities = z.object({ NaN: Places, Inf: Places, NegInf: Places }).nullish();

const Frame = z.object({
  schema: z.object({
    fields: z.array(
      z.object({
        name: z.string().default(""),
        type: z.string(),
        labels: z.record(z.string(), z.string()).nullish(),
      }),
    ),
  }),
  data: z.object({
    values: z.array(z.array(z.unknown())),
    entities: z.array(Entities).optional(),
  }),
});
type Frame = z.infer<typeof Frame>;

export const QueryAnswer = z.object({
  results: z.record(
    z.string(),
    z.object({
      status: z.number().optional(),
      error: z.string().optional(),
      errorSource: z.string().optional(),
      frames: z.array(Frame).nullish(),
    }),
  ),
});

export const AnnotationAnswer = z.object({ message: z.string(), id: z.number() });

/** A field's numbers; NaN and the infinities come as null, their places in `entities`. */
function numbersOf(values: readonly unknown[], entities: z.infer<typeof Entities>): number[] {
  const numbers = values.map((value) => (typeof value === "number" ? value : Number.NaN));
  // Only places that exist: a hostile index must not make the list longer.
  const put = (places: z.infer<typeof Places>, value: number) => {
    for (const place of places ?? []) if (place < numbers.length) numbers[place] = value;
  };
  put(entities?.Inf, Infinity);
  put(entities?.NegInf, -Infinity);
  return numbers;
}

/** The series of one frame: its first time field against each of its number fields. */
export function seriesOfFrame(refId: string, frame: Frame): GrafanaSeries[] {
  const { fields } = frame.schema;
  const timeAt = fields.findIndex((field) => field.type === "time");
  const times = frame.data.values[timeAt];
  if (times === undefined) return [];
  const timesMs = numbersOf(times, undefined);
  return fields.flatMap((field, index) => {
    const values = frame.data.values[index];
    if (field.type !== "number" || values?.length !== times.length) return [];
    return [
      {
        refId,
        name: field.name,
        labels: field.labels ?? {},
        timesMs,
        values: numbersOf(values, frame.data.entities?.[index]),
      },
    ];
  });
}
