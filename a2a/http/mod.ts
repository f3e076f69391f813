/** A2A over HTTP: what the rest of Petrel may use. */

export { BEARER_SCHEME } from "../agent.ts";
export type { FindArtifact } from "./artifact.ts";
export { type Authenticate, type Identity, type JwtKeys, jwtAuthenticator } from "./auth.ts";
export { type Gateway, type GatewayOptions, makeGateway } from "./gateway.ts";
export { type RateLimit } from "./limit.ts";
