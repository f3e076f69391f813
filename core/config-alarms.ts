/**
 * The configuration of alarms: where notices go, from which severity on, and how an incident lives.
 * Addresses of Slack and Teams are secrets: who knows one can post.
 */
import { z } from "zod";
import { Duration, Path, Secret, Url } from "./config-types.ts";

const Severity = z.enum(["critical", "warning", "info"]);
const TIMEOUT_MS = 10_000;

/** A mail server's host: a name or an address, never more than one word. */
const Host = z.string().regex(/^[A-Za-z0-9._:-]{1,253}$/, "must be a host's name or address");
const Mailbox = z.email().max(254);

/** As the Standard Webhooks specification has it: 24 to 64 bytes in base64 after `whsec_`. */
const SigningSecret = Secret.refine(
  isSigningSecret,
  "must be whsec_ and 24 to 64 bytes in base64, such as whsec_$(openssl rand -base64 32)",
);

function isSigningSecret(text: string): boolean {
  if (!/^whsec_[A-Za-z0-9+/]+={0,2}$/.test(text)) return false;
  const bytes = Buffer.from(text.slice("whsec_".length), "base64").length;
  return bytes >= 24 && bytes <= 64;
}

const Webhook = z.strictObject({
  url: Url,
  timeout: Duration.default(TIMEOUT_MS),
  headers: z.record(z.string(), z.string()).default({}),
  /** Signs every notice (docs/alarms.md). */
  secret: SigningSecret.optional(),
  min_severity: Severity.default("info"),
});

const Alertmanager = z
  .strictObject({
    url: Url,
    user: z.string().min(1).optional(),
    password: Secret.optional(),
    token: Secret.optional(),
    ca_file: Path.optional(),
    /** An open alert lapses this long after its last notice. */
    open_for: Duration.default(3 * 86_400_000),
    timeout: Duration.default(TIMEOUT_MS),
    min_severity: Severity.default("warning"),
  })
  .refine(
    ({ user, password }) => (user === undefined) === (password === undefined),
    "user and password go together",
  )
  .refine(
    ({ user, token }) => user === undefined || token === undefined,
    "a token, or user and password",
  );

const Smtp = z
  .strictObject({
    host: Host,
    port: z.number().int().min(1).max(65_535).default(587),
    /** `tls`: from the first byte. */
    security: z.enum(["starttls", "tls", "none"]).default("starttls"),
    user: z.string().min(1).max(320).optional(),
    password: Secret.optional(),
    ca_file: Path.optional(),
    from: Mailbox,
    to: z.array(Mailbox).min(1).max(50),
    timeout: Duration.default(30_000),
    min_severity: Severity.default("warning"),
  })
  .refine(
    ({ user, password }) => (user === undefined) === (password === undefined),
    "user and password go together",
  )
  .refine(({ user, security }) => user === undefined || security !== "none", {
    message: "none would send the password in the clear; use starttls or tls",
    path: ["security"],
  });

const Maintenance = z
  .strictObject({
    days: z.array(z.enum(["mon", "tue", "wed", "thu", "fri", "sat", "sun"])).min(1),
    from: z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, "must be a time such as 02:00, in UTC"),
    /** Not after `from`: the next day. */
    to: z
      .string()
      .regex(/^(([01]\d|2[0-3]):[0-5]\d|24:00)$/, "must be a time such as 04:30 or 24:00, in UTC"),
    matchers: z
      .array(
        z
          .string()
          .regex(
            /^(service|mechanism|severity|kind|location)(=|!=).{1,200}$/,
            "must be such as service=payment-* or severity!=critical",
          ),
      )
      .min(1)
      .max(20),
    comment: z.string().max(500).default(""),
  })
  .refine(({ from, to }) => from !== to, {
    message: "is the same as from; a whole day is 00:00 to 24:00",
    path: ["to"],
  });

export const Alarms = z.strictObject({
  /** Where JSON lines go: `-` for standard output, or a file that is appended to. */
  jsonl: z.string().min(1).optional(),
  terminal: z
    .strictObject({
      timeout: Duration.default(TIMEOUT_MS),
      min_severity: Severity.default("info"),
    })
    .optional(),
  webhook: Webhook.optional(),
  slack: z
    .strictObject({
      url: Url,
      timeout: Duration.default(TIMEOUT_MS),
      min_severity: Severity.default("warning"),
    })
    .optional(),
  pagerduty: z
    .strictObject({
      routing_key: Secret,
      /** Of the Events API; another one for the service region of the EU. */
      url: Url.default("https://events.pagerduty.com"),
      timeout: Duration.default(TIMEOUT_MS),
      min_severity: Severity.default("warning"),
    })
    .optional(),
  alertmanager: Alertmanager.optional(),
  teams: z
    .strictObject({
      url: Url,
      timeout: Duration.default(TIMEOUT_MS),
      min_severity: Severity.default("warning"),
    })
    .optional(),
  smtp: Smtp.optional(),
  /** Annotations in the Grafana of the section `grafana`. */
  grafana: z
    .strictObject({
      /** Default: an annotation of the whole organisation. */
      dashboard_uid: z
        .string()
        .regex(/^[A-Za-z0-9_-]{1,40}$/)
        .optional(),
      timeout: Duration.default(TIMEOUT_MS),
      min_severity: Severity.default("warning"),
    })
    .optional(),
  /** Told from this many anomalous windows on. */
  after_windows: z.number().int().min(1).max(12).default(1),
  resolve_after_windows: z.number().int().min(1).max(48).default(3),
  /** The same again within this time is the same incident, opened again. */
  reopen_within: Duration.default(7_200_000),
  /** Least time between two updates of an incident. */
  update_every: Duration.default(900_000),
  /** An incident that goes on without news is told again after this long. */
  remind_every: Duration.default(86_400_000),
  flap_changes: z.number().int().min(2).max(50).default(4),
  flap_within: Duration.default(7_200_000),
  maintenance: z.array(Maintenance).max(100).default([]),
  /** How long a notice is tried before it is a dead letter. */
  retry_for: Duration.default(1_800_000),
});
export type Alarms = z.infer<typeof Alarms>;
