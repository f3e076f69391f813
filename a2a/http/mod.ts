/** A2A over HTTP: what the rest of Petrel may use. */
export { type Authenticate, type Identity, type JwtKeys, jwtAuthenticator } from "./auth.ts";
export { BEARER_SCHEME } from "./card.ts";
export { type Gateway, type GatewayOptions, makeGateway } from "./gateway.ts";
export { type RateLimit } from "./limit.ts";
