/** Faults that a network makes rarely and a test needs now: a request or its acknowledgement is lost. */

/** `target`, with some of its methods replaced. The rest is the real thing. */
export function withFaults<T extends object>(target: T, faults: Partial<T>): T {
  return new Proxy(target, {
    get: (_, name) => {
      const source = Object.hasOwn(faults, name) ? faults : target;
      const value: unknown = Reflect.get(source, name, source);
      return typeof value === "function" ? value.bind(source) : value;
    },
  });
}

/** What a NATS request ends with when nobody answers it in time. */
export function noAnswer(): Error {
  return Object.assign(new Error("timeout"), { name: "TimeoutError" });
}
