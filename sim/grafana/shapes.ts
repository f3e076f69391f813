/**
 * The wire shapes of Grafana's HTTP API, as the stand-in sends them: search hits, dashboards, data
 * frames and errors. Pure functions; nothing here listens or keeps state.
 *
 * Sources: Grafana HTTP API reference (search, dashboard, annotations, data source query) and the
 * data frame JSON of grafana-plugin-sdk-go (`data/frame_json.go`).
 */

/** A panel of a stand-in dashboard, as it lies in the dashboard model. */
export interface SimPanel {
  readonly id: number;
  readonly title: string;
  /** `timeseries`, `stat`, `row` … A collapsed row carries its panels inside. */
  readonly type: string;
  readonly targets?: readonly { readonly refId: string; readonly expr?: string }[];
  readonly panels?: readonly SimPanel[];
}

/** A dashboard the stand-in knows. */
export interface SimDashboard {
  readonly id: number;
  readonly uid: string;
  readonly title: string;
  readonly tags?: readonly string[];
  readonly panels: readonly SimPanel[];
  readonly variables?: readonly {
    readonly name: string;
    readonly type: string;
    readonly query?: string;
    readonly current?: string;
  }[];
}

/** One series a query answers with. Times in milliseconds UTC; values may be NaN or infinite. */
export interface SimSeries {
  readonly labels: Readonly<Record<string, string>>;
  readonly timesMs: readonly number[];
  readonly values: readonly number[];
}

/** `Order pool` -> `order-pool`, as Grafana does for the last part of a dashboard's address. */
function slugOf(title: string): string {
  return title
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");
}

/** One hit of `GET /api/search`. */
export function searchHit(dashboard: SimDashboard): Record<string, unknown> {
  const slug = slugOf(dashboard.title);
  return {
    id: dashboard.id,
    uid: dashboard.uid,
    orgId: 1,
    title: dashboard.title,
    uri: `db/${slug}`,
    url: `/d/${dashboard.uid}/${slug}`,
    slug: "",
    type: "dash-db",
    tags: dashboard.tags ?? [],
    isStarred: false,
    sortMeta: 0,
  };
}

/** The answer of `GET /api/dashboards/uid/:uid`. */
export function dashboardAnswer(dashboard: SimDashboard): Record<string, unknown> {
  const slug = slugOf(dashboard.title);
  const list = (dashboard.variables ?? []).map((variable) => ({
    name: variable.name,
    type: variable.type,
    query: { query: variable.query ?? "", refId: "StandardVariableQuery" },
    current: { selected: false, text: variable.current ?? "", value: variable.current ?? "" },
  }));
  return {
    meta: {
      type: "db",
      canSave: false,
      canEdit: false,
      slug,
      url: `/d/${dashboard.uid}/${slug}`,
      version: 1,
      folderTitle: "General",
      provisioned: false,
    },
    dashboard: {
      id: dashboard.id,
      uid: dashboard.uid,
      title: dashboard.title,
      tags: dashboard.tags ?? [],
      schemaVersion: 41,
      panels: dashboard.panels,
      templating: { list },
      time: { from: "now-1h", to: "now" },
    },
  };
}

/** NaN and the infinities have no JSON; Grafana sends null and names their places in `entities`. */
function entitiesOf(values: readonly number[]): Record<string, number[]> | null {
  const NaNs: number[] = [];
  const Inf: number[] = [];
  const NegInf: number[] = [];
  values.forEach((value, index) => {
    if (Number.isNaN(value)) NaNs.push(index);
    else if (value === Infinity) Inf.push(index);
    else if (value === -Infinity) NegInf.push(index);
  });
  return NaNs.length + Inf.length + NegInf.length === 0 ? null : { NaN: NaNs, Inf, NegInf };
}

/** One data frame of `POST /api/ds/query`. */
export function frameOf(refId: string, series: SimSeries): Record<string, unknown> {
  const entities = entitiesOf(series.values);
  return {
    schema: {
      refId,
      meta: {
        type: "timeseries-multi",
        typeVersion: [0, 1],
        custom: { resultType: "matrix" },
      },
      fields: [
        { name: "Time", type: "time", typeInfo: { frame: "time.Time" } },
        {
          name: "Value",
          type: "number",
          typeInfo: { frame: "float64" },
          labels: series.labels,
        },
      ],
    },
    data: {
      values: [series.timesMs, series.values.map((v) => (Number.isFinite(v) ? v : null))],
      ...(entities === null ? {} : { entities: [null, entities] }),
    },
  };
}

/** Grafana's error body. `messageId` is `api-key.invalid`, `auth.unauthorized` … */
export function errorBody(
  statusCode: number,
  message: string,
  messageId: string,
): Record<string, unknown> {
  return { extra: null, message, messageId, statusCode, traceID: "" };
}
