/** Who may ask the stand-in: Basic, a session key from auth/login, or a token, as in Splunk. */

export interface SimAccess {
  /** User name to password; default `admin` with `changed`. */
  readonly users?: Readonly<Record<string, string>>;
  /** Bearer tokens. */
  readonly tokens?: readonly string[];
}

const SESSIONS_MAX = 1_000;

export interface Gate {
  /** Undefined when the request may pass, else the 401 that Splunk gives. */
  check(authorization: string | undefined): Response | undefined;
  /** A session key, or undefined when user and password do not match. */
  login(user: string, password: string): string | undefined;
}

export function messages(status: number, type: string, text: string, headers = {}): Response {
  return Response.json({ messages: [{ type, text }] }, { status, headers });
}

export function makeGate(access: SimAccess): Gate {
  const users = new Map(Object.entries(access.users ?? { admin: "changed" }));
  const tokens = new Set(access.tokens ?? []);
  const sessions = new Set<string>();
  const knows = (user: string, password: string) => users.get(user) === password;
  return {
    check: (authorization = "") => {
      const [scheme = "", value = ""] = authorization.split(" ", 2);
      if (scheme === "Bearer") {
        if (tokens.has(value)) return undefined;
        return messages(401, "WARN", "call not properly authenticated");
      }
      const [user = "", password = ""] = Buffer.from(value, "base64").toString().split(":", 2);
      const passes =
        (scheme === "Splunk" && sessions.has(value)) ||
        (scheme === "Basic" && knows(user, password));
      return passes ? undefined : messages(401, "ERROR", "Unauthorized");
    },
    login: (user, password) => {
      if (!knows(user, password)) return undefined;
      const key = Bun.randomUUIDv7();
      sessions.add(key);
      const [oldest] = sessions;
      if (sessions.size > SESSIONS_MAX && oldest !== undefined) sessions.delete(oldest);
      return key;
    },
  };
}
