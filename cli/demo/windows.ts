/** The windows the demo shows, in order: faults of every kind, a quiet window, and the payment scenario. */
export const DEMO_WINDOWS: readonly string[] = [
  "20230129-0843-contacts-return",
  "20230129-quiet-half",
  "20230129-1050-travel2-exception",
  "20230129-1331-contacts-cpu_contention",
  "20230130-1236-verification-code-network_delay",
  "20230130-1344-route-network_delay",
  "20260313-1420-payment-connection_pool",
];
