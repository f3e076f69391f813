/** The quiet decision. */
import type { Finding } from "../findings.ts";

/** True when at least one finding is enough by itself. A window without one is quiet. */
export function isAnomalous(findings: readonly Pick<Finding, "anomalous">[]): boolean {
  return findings.some((finding) => finding.anomalous);
}
